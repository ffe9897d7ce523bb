# SPDX-License-Identifier: GPL-2.0-or-later
"""What one run will do: a profile with the command line's wishes laid over it, and the cells that follow."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ci.model.suites import CHECKPATCH, CHECKS, LAYOUT, OF_PATCHES, SIZE, STATIC
from configs.loader import load_arch
from configs.model import Arch, Profile, SuiteChoice, VariantChoice
from configs.names import did_you_mean, flavours
from configs.result import Cell
from kernels.mail.thread import EVERYTHING, Choice
from testcases.benchmark.topics import topics
from testcases.registry import find_suite
from util.errors import UserError
from util.paths import called_as

EACH_SUITE = "boot"
"""What runs after every single patch where `--each-suite` names nothing else."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of the command line that override the profile; None or empty keeps the profile's value."""

    source: str | None = None
    series: str | None = None
    archs: tuple[str, ...] = ()
    abis: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    flavours: tuple[str, ...] = ()
    rerun: int | None = None
    choice: Choice = EVERYTHING
    keep_base: bool = False
    guess_base: bool = False


@dataclass(frozen=True, slots=True)
class ArchTarget:
    """An architecture and the ABIs of it that are run."""

    arch: Arch
    abis: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is known before the source is resolved."""

    profile: Profile
    targets: tuple[ArchTarget, ...]
    variants: tuple[VariantChoice, ...]
    accel: str
    jobs: int
    fresh: bool
    test: str = ""
    """A glob of test names; empty: every test counts."""
    spec: str = ""
    """How the profile was named on the command line."""
    static: tuple[str, ...] = ()
    """What is read from kernels and patches, without a guest: `layout`, `size`, `checkpatch`."""
    shaping: tuple[SuiteChoice, ...] = ()
    """The suites whose kconfig lines go into the kernel's configuration."""
    follow: bool = True
    """Look into failures that a re-run confirmed."""
    fail_fast: bool = False
    """Suite by suite, and no further than to the first verdict that fails the run and holds."""
    explain: tuple[str, ...] = ()
    """Globs of figures, `<test>/<figure>`, to be explained function by function, beside those that broke a budget."""
    choice: Choice = EVERYTHING
    """Which revision and which patch of a thread."""
    keep_base: bool = False
    """Base is the source as it was named, whatever base the series names or begins at."""
    guess_base: bool = False
    """Base is the revision of a git source that has most of the blobs that the series names."""
    each: str = ""
    """The suite that also runs after every single patch; empty: only the whole series is looked at."""
    tests: Mapping[Cell, tuple[str, ...]] | None = None
    """Where an earlier run is made again (`ci.plan.places`): the only tests of a cell without its variant, none for all
    of them; None in any other run."""
    profile_digest: str = ""
    """Names the profile's content with the wishes laid over it."""
    revisions: tuple[str, ...] = ()
    """The two series that are compared with each other, where base is not the source but a revision of the series."""
    part: frozenset[tuple[str, str, str, str]] | None = None
    """The (arch, ABI, flavour, suite) that are wanted, where this is a part of a plan (`ci.plan.places`)."""
    coverage: bool = False
    """Also find out which of the lines that the series adds the suites execute."""

    @property
    def base(self) -> VariantChoice:
        return self.variants[0]

    @property
    def judged(self) -> VariantChoice:
        """The variant whose tree the suites are built from."""
        return self.variants[-1]

    @property
    def kernels(self) -> tuple[str, ...]:
        """The options by which every command of the rig means the same kernels."""
        series = () if self.revisions else ("--series", self.profile.series)
        chosen = ("--profile", self.spec, "--source", self.profile.source, *series)
        numbers = (("--revision", self.choice.revision), ("--only", self.choice.only))
        options = tuple(word for name, value in numbers if value is not None for word in (name, str(value)))
        mailbox = ("--mailbox", self.choice.mailbox) if self.choice.mailbox else ()
        flags = (("--keep-base", self.keep_base), ("--guess-base", self.guess_base))
        return (*chosen, *options, *mailbox, *(name for name, given in flags if given))

    @property
    def needs_kernels(self) -> bool:
        """Whether there is more to do than to read the patches."""
        if self.part is not None:
            return bool(self.targets)
        return bool(self.profile.suites) or bool(set(self.static) - set(OF_PATCHES))

    def alone(self, variant: str) -> "Plan":
        """The same for one variant, the first architecture and the first flavour."""
        return replace(
            self,
            profile=self.profile.model_copy(update={"flavours": self.profile.flavours[:1]}),
            targets=self.targets[:1],
            variants=tuple(choice for choice in self.variants if choice.name == variant),
        )

    def command_for(self, cell: Cell) -> tuple[str, ...]:
        """The rig's command line that runs this cell and its equals on the other variants, and nothing else."""
        command = ("compare", *self.revisions) if self.revisions else ("check",)
        rig = (called_as(), *command, *self.kernels, *(("--test", self.test) if self.test else ()))
        if cell.suite in OF_PATCHES:
            return (*rig, "--suite", cell.suite)
        if cell.suite in STATIC:
            return (*rig, "--arch", cell.arch, "--flavour", cell.flavour, "--suite", cell.suite)
        return (
            *rig,
            *("--arch", cell.arch, "--abi", cell.abi, "--flavour", cell.flavour, "--suite", cell.suite),
            *("--accel", self.accel, "--rerun", "0", "--fresh"),
            *(("--each", "--each-suite", self.each) if cell.variant not in self._ends else ()),
        )

    def explain_command(self, cell: Cell, figure: str) -> tuple[str, ...]:
        """The rig's command line that explains a figure of this cell."""
        return (
            *(called_as(), "bench", *self.kernels),
            *("--arch", cell.arch, "--abi", cell.abi, "--flavour", cell.flavour, "--explain", figure),
        )

    def cells(self) -> list[Cell]:
        """Every cell, in the order of the report."""
        cells = (
            Cell(variant.name, target.arch.name, abi, flavour, suite.name)
            for flavour in self.profile.flavours
            for suite in self.profile.suites
            for target in self.targets
            if not suite.archs or target.arch.name in suite.archs
            for abi in target.abis
            for variant in self.variants
        )
        return [cell for cell in cells if self._is_wanted(cell)]

    def tests_of(self, cell: Cell) -> tuple[str, ...]:
        """The tests that are wanted of a cell; none: all."""
        return (self.tests or {}).get(replace(cell, variant=""), ())

    def wants(self, arch: str, abi: str, flavour: str, suite: str) -> bool:
        """Whether this belongs to the part that is wanted."""
        return self.part is None or (arch, abi, flavour, suite) in self.part

    def wants_kernels(self, arch: str, flavour: str) -> bool:
        """Whether anything that is wanted needs the kernels of an architecture and flavour."""
        return self.part is None or any((item[0], item[2]) == (arch, flavour) for item in self.part)

    def wants_suite(self, arch: str, abi: str, suite: str) -> bool:
        """Whether a guest that is wanted runs this suite, in any flavour."""
        return self.part is None or any((item[0], item[1], item[3]) == (arch, abi, suite) for item in self.part)

    @property
    def _ends(self) -> tuple[str, str]:
        return self.base.name, self.judged.name

    def _is_wanted(self, cell: Cell) -> bool:
        """Cells of the part that is wanted. Base and the judged variant run everything; after a patch in between
        `--each` runs its one suite. `boot` does nothing that depends on the ABI, so there it runs in one guest for each
        architecture."""
        if not self.wants(cell.arch, cell.abi, cell.flavour, cell.suite):
            return False
        if not self.each or cell.variant in self._ends:
            return True
        first = next(target.abis[0] for target in self.targets if target.arch.name == cell.arch)
        return cell.suite == self.each and (cell.suite != EACH_SUITE or cell.abi == first)


def make_plan(
    profile: Profile,
    wishes: Wishes,
    *,
    accel: str,
    jobs: int,
    fresh: bool,
    test: str = "",
    spec: str = "",
    follow: bool = True,
    fail_fast: bool = False,
    explain: tuple[str, ...] = (),
    each: str = "",
    coverage: bool = False,
) -> Plan:
    """Lays the wishes over the profile. Raises UserError for a name that is not known."""
    if wishes.keep_base and wishes.guess_base:
        raise UserError("--keep-base and --guess-base contradict each other; give one of them")
    overlay: dict[str, object] = {}
    for key in ("source", "series", "rerun"):
        value = getattr(wishes, key)
        if value is not None:
            overlay[key] = value
    for key in ("archs", "flavours"):
        if getattr(wishes, key):
            overlay[key] = getattr(wishes, key)
    _check_names(profile, wishes)
    _check_budgets(profile)
    static, shaping = _static(profile, wishes, each), profile.suites
    if wishes.suites:
        chosen = tuple(_suite(profile, name) for name in wishes.suites if name not in STATIC)
        overlay["suites"], shaping = chosen, chosen or shaping
    if each:
        suites = _with_each(profile, wishes, overlay.get("suites", profile.suites), each)
        overlay["suites"], shaping = suites, (*shaping, *(suite for suite in suites if suite not in shaping))
    targets = _targets(profile, wishes)
    profile = profile.model_copy(update=overlay)
    _check_flavours(profile.flavours)
    if coverage:
        _check_coverage(profile)
    for suite in profile.suites:
        find_suite(suite.name)
    return Plan(
        profile=profile,
        targets=targets,
        variants=_variants(profile),
        accel=accel,
        jobs=jobs,
        fresh=fresh,
        test=test,
        spec=spec or profile.name,
        static=static,
        shaping=shaping,
        follow=follow,
        fail_fast=fail_fast,
        explain=explain,
        choice=wishes.choice,
        keep_base=wishes.keep_base,
        guess_base=wishes.guess_base,
        each=each,
        profile_digest=hashlib.sha256(profile.model_dump_json().encode()).hexdigest(),
        coverage=coverage,
    )


def _check_coverage(profile: Profile) -> None:
    """Raises UserError where there is nothing of which lines could be executed."""
    if profile.series == "none":
        raise UserError(
            "--coverage looks at the lines that a series adds, and there is no series: name one by --series"
        )
    if not profile.suites:
        raise UserError("--coverage needs suites that run in a guest: name some by --suite, for example boot")


def _with_each(profile: Profile, wishes: Wishes, suites: object, each: str) -> tuple[SuiteChoice, ...]:
    """The suites of the run, that of `--each` among them. Raises UserError where there is no patch to look at alone."""
    assert isinstance(suites, tuple)
    if profile.variants:
        raise UserError(f"profile {profile.name}: names variants of its own, and --each makes one for each patch")
    if (wishes.series or profile.series) == "none":
        raise UserError("--each looks at every patch of a series, and there is no series: name one by --series")
    if each in STATIC:
        raise UserError(f"--each-suite {each}: is read without a guest; name a suite that boots, for example boot")
    find_suite(each)
    return suites if each in [suite.name for suite in suites] else (*suites, _suite(profile, each))


def _static(profile: Profile, wishes: Wishes, each: str) -> tuple[str, ...]:
    """`--suite` may name these as well, and leaves out those that it does not name."""
    wanted = {
        LAYOUT: bool(profile.layout.structs) or profile.layout.touched,
        SIZE: profile.size,
        CHECKPATCH: profile.checkpatch,
        CHECKS: bool(each),
    }
    named = dict.fromkeys(wishes.suites, True) | {CHECKS: wanted[CHECKS] or CHECKS in wishes.suites}
    return tuple(name for name in STATIC if (named.get(name, False) if wishes.suites else wanted[name]))


def _check_budgets(profile: Profile) -> None:
    """Raises UserError for a budget of a suite that the profile does not run. Budgets of benchmarks are checked by
    `rig.py bench`."""
    benchmarks = (f"benchmark/{topic}" for topic in topics())
    known = [*STATIC, *(suite.name for suite in profile.suites), *benchmarks]
    for budget in profile.budgets:
        if budget.suite not in known:
            raise UserError(
                f"profile {profile.name}: a budget of suite `{budget.suite}`, which the profile does not run"
                f"{did_you_mean(budget.suite, known)}"
            )


def _check_names(profile: Profile, wishes: Wishes) -> None:
    """They go to terminals and into the names of files."""
    variants = (variant.name for variant in profile.variants)
    for name in (profile.name, *variants, *(suite.name for suite in profile.suites), *wishes.suites):
        if not name.strip() or not name.isprintable():
            raise UserError(f"{name!r}: a name is one line of printable text")


def _suite(profile: Profile, name: str) -> SuiteChoice:
    """The profile's own entry of that name, options and all, or a bare one."""
    return next((suite for suite in profile.suites if suite.name == name), SuiteChoice(name=name))


def _targets(profile: Profile, wishes: Wishes) -> tuple[ArchTarget, ...]:
    """Those of the profile, as far as the command line leaves them."""
    archs = [load_arch(name) for name in _each_once(wishes.archs or profile.archs, "architecture")]
    own = _abis_of(profile.abis, [load_arch(name) for name in profile.archs] if profile.abis else [])
    wanted = _abis_of(wishes.abis, archs) or own
    targets = [ArchTarget(arch, tuple(abi for abi in arch.abis if not wanted or abi in wanted)) for arch in archs]
    if not any(target.abis for target in targets):
        raise UserError(
            f"profile {profile.name}: runs no ABI of {', '.join(arch.name for arch in archs)}"
            f" (its ABIs: {', '.join(own)}): name some by --abi"
        )
    return tuple(target for target in targets if target.abis)


def _abis_of(wanted: tuple[str, ...], archs: list[Arch]) -> tuple[str, ...]:
    """`wanted`, each of them an ABI of one of the architectures. Raises UserError."""
    known = [abi for arch in archs for abi in arch.abis]
    for abi in _each_once(wanted, "ABI"):
        if abi not in known:
            raise UserError(
                f"no ABI `{abi}` on {', '.join(arch.name for arch in archs)}{did_you_mean(abi, known)}"
                f" (known: {', '.join(known)})"
            )
    return wanted


def _each_once(words: Iterable[str], kind: str) -> tuple[str, ...]:
    words = tuple(words)
    twice = sorted({word for word in words if words.count(word) > 1})
    if twice:
        raise UserError(f"{kind} `{twice[0]}` is named twice")
    return words


def _check_flavours(wanted: Iterable[str]) -> None:
    known = flavours()
    for flavour in _each_once(wanted, "flavour"):
        if flavour not in known:
            raise UserError(f"no flavour `{flavour}`{did_you_mean(flavour, known)} (known: {', '.join(known)})")


def _variants(profile: Profile) -> tuple[VariantChoice, ...]:
    if profile.variants:
        _each_once([variant.name for variant in profile.variants], "variant")
        return profile.variants
    base = VariantChoice(name="base", series="none")
    if profile.series == "none":
        return (base,)
    return (base, VariantChoice(name="patched"))
