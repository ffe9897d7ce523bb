# SPDX-License-Identifier: GPL-2.0-or-later
"""What one run will do: a profile as the command line wants it, and the cells that follow."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from configs.model import Arch, Profile, SuiteChoice, VariantChoice
from configs.names import OF_PATCHES, STATIC
from configs.result import Cell
from kernels.mail.thread import EVERYTHING, ThreadChoice
from util.paths import called_as

EACH_SUITE = "boot"
"""What runs after every single patch where `--each-suite` names nothing else."""


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
    choice: ThreadChoice = EVERYTHING
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
