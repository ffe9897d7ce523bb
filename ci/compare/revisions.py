# SPDX-License-Identifier: GPL-2.0-or-later
"""The revisions that are compared: their names, and each as trees on its own base."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ci.plan.plan import Plan
from ci.plan.variants import PreparedVariant, Variants, prepare_variants
from configs.model import VariantChoice
from configs.names import OF_PATCHES
from kernels.mail.thread import ThreadChoice
from kernels.patches.patch import Series
from kernels.patches.series import read_series
from kernels.source.store import Store
from util.errors import UserError
from util.events import Listener
from util.stop import Stop
from util.text import counted, file_name

BASE = "base"
"""The name of the variant without a series in the check of every revision."""


@dataclass(frozen=True, slots=True)
class PreparedRevision:
    """One revision and the plan of its check. `base` and `judged` are applied."""

    name: str
    spec: str
    plan: Plan
    variants: Variants

    @property
    def judged(self) -> PreparedVariant:
        return self.variants.judged

    @property
    def series(self) -> Series:
        assert self.variants.series is not None
        return self.variants.series


_NUMBERED = re.compile(r"(?P<spec>.+)@v(?P<number>[1-9]\d{0,3})")


def numbered(spec: str, choice: ThreadChoice) -> tuple[str, ThreadChoice]:
    """`thread.mbox@v3` is the third revision in a thread: a mailbox, a message-id or a link. All else is a spec as it
    stands."""
    found = _NUMBERED.fullmatch(spec)
    if found is None or Path(spec).exists():
        return spec, choice
    thread = found["spec"]
    if not Path(thread).is_file() and "@" not in thread and "://" not in thread:
        return spec, choice
    return thread, replace(choice, revision=int(found["number"]))


def require_several(specs: Sequence[str], plan: Plan) -> None:
    """Raises UserError for what cannot be compared, as far as the words alone say so."""
    if len(specs) < 2:
        raise UserError("compare takes two revisions of a series or more, the oldest first")
    if "none" in specs:
        raise UserError("none: is no series; every revision is compared with base anyway")
    if plan.profile.variants:
        raise UserError(f"profile {plan.profile.name}: names variants of its own; compare makes them")


def prepare(
    plan: Plan, specs: Sequence[str], names: Sequence[str], store: Store, folder: Path, emit: Listener, stop: Stop
) -> list[PreparedRevision]:
    """Every revision applied to its own base. `names` are the user's, or none. Raises UserError for a series that
    cannot be read and for two that are the same; one that does not apply is a value."""
    asked = [numbered(spec, plan.choice) for spec in specs]
    read = [read_series(spec, store, plan.profile.source, stop, choice) for spec, choice in asked]
    _require_different(specs, read)
    chosen = _checked(names, len(specs)) or names_of(specs, read)
    found = []
    for word, (spec, choice), name, series in zip(specs, asked, chosen, read, strict=True):
        profile = plan.profile.model_copy(update={"series": spec})
        variants = (VariantChoice(name=BASE, series="none"), VariantChoice(name=name))
        own = replace(plan, profile=profile, variants=variants, choice=choice)
        found.append(
            PreparedRevision(name, word, own, prepare_variants(own, store, emit, stop, [folder], {spec: series}))
        )
    return found


def _require_different(specs: Sequence[str], read: Sequence[Series]) -> None:
    seen: dict[str, str] = {}
    for spec, series in zip(specs, read, strict=True):
        if other := seen.get(series.digest):
            raise UserError(f"{spec}: is the same series as {other}, mail for mail")
        seen[series.digest] = spec


def _checked(names: Sequence[str], count: int) -> Sequence[str]:
    if names and len(names) != count:
        raise UserError(f"--names has {counted(len(names), 'name')} for {count} revisions")
    for name in names:
        if name == BASE or file_name(name) != name or names.count(name) > 1:
            raise UserError(f"--names: {name!r} is taken, or is no word of letters, digits and . _ + -")
    return names


def names_of(specs: Sequence[str], read: Sequence[Series]) -> list[str]:
    """`v3` where the series say different numbers, else the names of the files, made different."""
    versions = [series.version for series in read]
    if len(set(versions)) == len(versions):
        return [f"v{version}" for version in versions]
    names: list[str] = []
    for spec in specs:
        word = file_name(Path(spec.rstrip("/")).name.removesuffix(".gz"))
        word = Path(word).stem if word.endswith((".mbox", ".mbx", ".patch")) else word
        taken = {*names, BASE}
        names.append(next(name for name in (word, *(f"{word}-{at}" for at in range(2, 1000))) if name not in taken))
    return names


def between(before: PreparedRevision, after: PreparedRevision, choice: ThreadChoice) -> tuple[Plan, Variants]:
    """The run whose base is the revision before: nothing in it is judged by the profile's budgets, which speak of the
    real base, and no patch is looked at by itself. `choice` is the user's, whatever numbers the revisions have."""
    profile = after.plan.profile.model_copy(update={"budgets": ()})
    plan = replace(
        after.plan,
        profile=profile,
        variants=(before.judged.choice, after.judged.choice),
        static=tuple(name for name in after.plan.static if name not in OF_PATCHES),
        choice=choice,
        revisions=(before.spec, after.spec),
        fresh=False,
        coverage=False,
    )
    return plan, replace(after.variants, all=(before.judged, after.judged), notes=())
