# SPDX-License-Identifier: GPL-2.0-or-later
"""What compilers and sparse newly say of the files that a patch touches, in every setting, each thing once."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from kernels.build.diagnostics import BuildWarning
from kernels.checks.check import Finding, Level, StaticCheck, StaticCheckResult, told_apart
from kernels.checks.objects.said import FileMessages
from kernels.checks.objects.setting import ALLMOD, CLANG, GCC, SPARSE, Setting, missing
from kernels.patches.patch import Patch
from kernels.source.store import Store


def _named(name: str, about: str) -> StaticCheck:
    """Names the test. It needs more than a patch and two trees, so `run` is not called."""
    return StaticCheck(name, about, lambda _item: True, lambda _item: ())


COMPILER = _named("compiler", "new warnings of gcc at W=1")
BY_CLANG = _named("clang", "new warnings of clang at W=1")
BY_SPARSE = _named(SPARSE, "new complaints of sparse")
KINDS = {COMPILER: "W=1", BY_CLANG: CLANG, BY_SPARSE: SPARSE}
"""The checks of this room in the order of the report, and the kind of their findings."""
_PLACE = re.compile(r"^(?P<file>[^\s:]+):(?P<line>\d+):(?:\d+:)? (?P<text>.*)$")
_ENOUGH = "too many errors"
_NOT_CHOSEN = f"; it does under {ALLMOD}, so that this configuration may not choose it"


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """What was said on one architecture in one setting, by path, before a patch and after it; or why there is no
    answer. A path that only one of the trees has is left out of the other."""

    arch: str
    setting: Setting
    before: Mapping[str, FileMessages]
    after: Mapping[str, FileMessages]
    problem: str = ""


def compared(patch: Patch, spots: Sequence[Spot], added: Mapping[str, Mapping[int, str]]) -> list[StaticCheckResult]:
    """The three checks of one patch. A finding that not every place has says which ones have it."""
    return [_checked(check, patch, spots, added) for check in KINDS]


def _checked(
    check: StaticCheck, patch: Patch, spots: Sequence[Spot], added: Mapping[str, Mapping[int, str]]
) -> StaticCheckResult:
    wanted = CLANG if check is BY_CLANG else GCC
    own = [spot for spot in spots if spot.setting.compiler == wanted]
    if check is BY_SPARSE and (absent := missing(SPARSE)):
        return StaticCheckResult(check, patch, applied=False, skipped=absent if own else "")
    problems = list(dict.fromkeys(spot.problem for spot in own if spot.problem))
    answered = [spot for spot in own if not spot.problem]
    found: dict[Finding, dict[Spot, str]] = {}
    whole = _made_by_allmod(answered)
    for spot in answered:
        for path, finding in _findings(check, spot, added, whole):
            found.setdefault(finding, {})[spot] = path
    findings = (replace(finding, text=f"{finding.text}{_where(places, answered)}") for finding, places in found.items())
    remark = _given_up(answered) if check is BY_SPARSE else ""
    remark = "; ".join(part for part in (remark, *problems) if part) if answered else ""
    skipped = problems[0] if problems and not answered else ""
    return StaticCheckResult(check, patch, told_apart(findings, added), bool(own), skipped, remark)


def _made_by_allmod(spots: Sequence[Spot]) -> frozenset[tuple[str, str]]:
    """(architecture, path) of what compiles after the patch where everything is chosen."""
    everything = (spot for spot in spots if spot.setting.allmod)
    return frozenset(
        (spot.arch, path) for spot in everything for path, said in spot.after.items() if said.built and not said.failure
    )


def _findings(
    check: StaticCheck, spot: Spot, added: Mapping[str, Mapping[int, str]], whole: Collection[tuple[str, str]]
) -> Iterator[tuple[str, Finding]]:
    """Each with the file that was compiled. make compiles a file that it is asked for whether or not the configuration
    chooses it, and one that is not chosen clashes with what headers give in its place: no error, where the file
    compiles under allmodconfig. One that is chosen breaks the build of the patch as well."""
    for path, after in spot.after.items():
        before = spot.before.get(path, FileMessages())
        if after.failure:
            if not before.failure and check is not BY_SPARSE:
                finding = _broken(path, after.failure, path in spot.before)
                left_out = not spot.setting.allmod and (spot.arch, path) in whole
                yield (
                    path,
                    replace(finding, level=Level.NOTE, text=f"{finding.text}{_NOT_CHOSEN}") if left_out else finding,
                )
        elif not before.failure:
            old, new = (before.sparse, after.sparse) if check is BY_SPARSE else (before.warnings, after.warnings)
            for item in _new(old, new, added):
                option = f" [{item.option}]" if item.option else ""
                yield path, Finding(item.file, item.line, Level.WARNING, KINDS[check], f"{item.text}{option}")


def _broken(path: str, failure: str, known: bool) -> Finding:
    place = _PLACE.match(failure)
    file, line, text = (place["file"], int(place["line"]), place["text"]) if place else (path, 0, failure)
    return Finding(file, line, Level.ERROR, "broken", f"{path} does not compile{' any more' if known else ''}: {text}")


def _new(
    before: Sequence[BuildWarning], after: Sequence[BuildWarning], added: Mapping[str, object]
) -> Iterator[BuildWarning]:
    """A warning is known by file, text and option: its line moves with every patch. One in a file that the patch does
    not touch, a header's, is not new for being said more often."""
    known = Counter(map(_key, before))
    for item in after:
        if not known[_key(item)]:
            yield item
        elif item.file in added:
            known[_key(item)] -= 1


def _key(item: BuildWarning) -> tuple[str, str, str]:
    return item.file, item.text, item.option


def _where(places: Mapping[Spot, str], answered: Sequence[Spot]) -> str:
    """Which places say it; nothing where all do that compiled the file."""
    paths = set(places.values())
    compiled = [spot for spot in answered if any(path in paths and said.built for path, said in spot.after.items())]
    if len(places) >= len(compiled):
        return ""
    names = [f"{spot.arch} {ALLMOD if spot.setting.allmod else 'as configured'}" for spot in places]
    return f" (only {', '.join(names)})"


def _given_up(spots: Sequence[Spot]) -> str:
    """The files of which sparse read only a part."""
    paths = {path for spot in spots for path, said in spot.after.items() if any(_ENOUGH in w.text for w in said.sparse)}
    return f"sparse gave up before the end of {', '.join(sorted(paths))}" if paths else ""


def without_contexts(store: Store, tree: str) -> str:
    """What sparse cannot check on a tree whose locks carry no annotation for it any more; empty where they do."""
    files = ("compiler.h", "compiler_types.h", "compiler-context-analysis.h")
    if any(b"attribute__((context(" in (store.blob(tree, f"include/linux/{file}") or b"") for file in files):
        return ""
    return "sparse checks no locks here: this tree has no annotations of them that it reads"
