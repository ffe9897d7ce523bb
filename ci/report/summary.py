# SPDX-License-Identifier: GPL-2.0-or-later
"""Plain text for mails: what was built, run and measured, for below the `---` of a cover letter (`check --summary`),
and the answer to a series that fails, in the form of a test robot's (`--summary=reply`).

Only what this run built, ran or found in its cache under the same content is told; what did not run is named as such.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from ci.model.results import Run
from ci.model.stages import CellResult
from ci.model.verdicts import Comparison, Effect, TestVerdict
from ci.text.evidence import Witnesses
from ci.verdict.compare.builds import BUILD, KERNEL, SERIES
from ci.verdict.figures.budget import words
from configs.names import CHECKPATCH, CHECKS, LAYOUT, SIZE, STATIC
from configs.result import Cell, Status, TestResult
from util.text import counted, one_line, paste

WIDTH = 72
COVER, REPLY = "cover", "reply"
_MOST = 8
"""Findings of a reply that are shown; the rest is counted."""


def render(run: Run, form: str) -> str:
    """The text of one form, no line but a command's or a log's wider than 72 columns."""
    lines = _reply(run) if form == REPLY else _cover(run)
    return "\n".join(lines) + "\n"


# for a cover letter --------------------------------------------------------------------------------------------------


def _cover(run: Run) -> Iterator[str]:
    yield from _wrapped(f"Tested with kernel-patch-rig {run.rig_version} {_base_text(run)}.", "")
    yield ""
    for title, lines in (("Built", _built(run)), ("Ran", _ran(run)), ("Measured", _measured(run))):
        told = list(lines)
        if told:
            yield f"{title}:"
            for line in told:
                yield from _wrapped(line, "  ")
            yield ""
    yield from _wrapped(f"Result: {run.verdict.value} ({run.summary}).", "")


def _base_text(run: Run) -> str:
    series = ""
    if run.series:
        count = len(run.series.patches)
        series = f", v{run.series.version}, {counted(count, 'patch')}"
    return f"on {_source(run)}{series}"


def _source(run: Run) -> str:
    """The base, without the folders of this machine."""
    title = re.sub(r"(?<!\S)[~.]*/\S*/(?=[^/\s])", "", run.source.title)
    return f"{title} ({run.source.version}, {run.source.commit[:12]})"


def _built(run: Run) -> Iterator[str]:
    """One line for all architectures that gave the same answer."""
    judged = [build for build in run.builds if build.variant == run.judged.name]
    base = {(item.arch, item.flavour) for item in run.builds if run.base and item.variant == run.base.name and item.ok}
    answers: dict[str, list[str]] = {}
    for build in judged:
        flavour = "" if build.flavour == "plain" else f" {build.flavour}"
        warnings = [item for item in _of(run, build.variant, build.arch, build.flavour) if item.test != KERNEL]
        new = sum(item.effect is Effect.FAIL for item in warnings)
        text = (
            counted(new, "new warning")
            if new
            else "no new warning"
            if (build.arch, build.flavour) in base
            else "builds"
        )
        answer = text if build.ok else f"does not build: {build.failure}"
        answers.setdefault(answer, []).append(f"{build.arch}{flavour}")
    for answer, places in answers.items():
        yield f"{', '.join(places)}: {answer}"
    compilers = dict.fromkeys(run.host.compilers[build.arch] for build in judged if build.arch in run.host.compilers)
    if compilers:
        yield f"with {', '.join(compilers)}"
    if run.each:
        yield from _each(run)


def _of(run: Run, variant: str, arch: str, flavour: str) -> list[Comparison]:
    cell = Cell(variant, arch, "-", flavour, BUILD)
    return [item for item in run.comparisons if item.cell == cell]


def _each(run: Run) -> Iterator[str]:
    broken = [item for item in run.comparisons if item.patch and item.effect is not Effect.NONE]
    built = {build.variant for build in run.builds}
    wanted = {variant.name for variant in run.variants}
    if missing := sorted(wanted - built):
        yield f"after every patch: not known, {', '.join(missing)} was not built"
    elif not broken:
        archs = ", ".join(dict.fromkeys(build.arch for build in run.builds))
        yield f"after every single patch: builds and passes {run.each} on {archs}"
    for item in broken:
        yield f"{item.cell.arch}: {item.message}"


def _ran(run: Run) -> Iterator[str]:
    """By suite; ABIs that gave the same answer in one line."""
    answers: dict[tuple[str, str, str], list[str]] = {}
    for cell in _judged_cells(run):
        name = cell.cell.suite if cell.cell.flavour == "plain" else f"{cell.cell.suite} ({cell.cell.flavour})"
        answers.setdefault((name, _answer(run, cell), ""), []).append(cell.cell.abi)
    for (name, answer, _), abis in answers.items():
        yield f"{name} on {', '.join(dict.fromkeys(abis))}: {answer}"
    if answers and run.host.accel:
        accels = ", ".join(f"{arch} {accel}" for arch, accel in sorted(run.host.accel.items()))
        yield f"in guests of QEMU {run.host.qemu or '?'} ({accels})"


def _judged_cells(run: Run) -> list[CellResult]:
    return [
        cell
        for cell in run.cells
        if cell.cell.variant == run.judged.name
        and cell.cell.suite not in STATIC
        and not cell.attempt
        and not cell.suite_variant
    ]


def _answer(run: Run, cell: CellResult) -> str:
    if cell.not_run:
        return f"not run ({cell.not_run})"
    tests = [test for test in cell.tests if not test.name.startswith("guest/")]
    counts = Counter(test.status for test in tests)
    text = ", ".join(f"{counts[status]} {status.value.lower()}" for status in Status if counts[status]) or "no test"
    found = [item for item in run.comparisons if item.cell == cell.cell and not item.patch]
    changed = Counter(item.verdict.value for item in found if item.verdict and item.verdict is not TestVerdict.SAME)
    if not run.base:
        return text
    if not changed:
        return f"{text}, as on base"
    return f"{text}; against base {', '.join(f'{count} {word}' for word, count in changed.most_common())}"


def _measured(run: Run) -> Iterator[str]:
    if run.base is None:
        return
    base = {item.cell: item for item in run.cells}
    for cell in (item for item in run.cells if item.cell.variant == run.judged.name and item.cell.suite in STATIC):
        before = base.get(Cell(run.base.name, cell.cell.arch, cell.cell.abi, cell.cell.flavour, cell.cell.suite))
        if cell.not_run:
            yield f"{cell.cell.suite}: not run ({cell.not_run})"
        elif before:
            yield from _static(before, cell)


def _static(before: CellResult, after: CellResult) -> Iterator[str]:
    arch, suite = after.cell.arch, after.cell.suite
    if suite in (CHECKPATCH, CHECKS):
        sums: Counter[str] = Counter()
        for test in after.tests:
            sums.update({figure.name: figure.value for figure in test.figures})
        name = "checkpatch --strict" if suite == CHECKPATCH else "static checks of every patch"
        said = ", ".join(f"{count} {word}" for word, count in sums.items() if count)
        unanswered = [test.name for test in after.tests if test.status is Status.SKIP]
        rest = f" (no answer: {', '.join(unanswered)})" if unanswered else ""
        yield f"{name}: {said or 'nothing to complain of'}{rest}"
    elif suite == LAYOUT:
        changed = list(_changes(before, after, ("size", "holes", "padding")))
        yield from (f"{arch} struct {text}" for text in changed)
        if not changed and after.tests:
            yield f"{arch}: structs as before ({', '.join(test.name for test in after.tests)})"
    elif suite == SIZE:
        tests = [test for test in after.tests if test.name == "vmlinux"]
        cell = after.model_copy(update={"tests": tuple(tests)})
        changed = list(_changes(before, cell, ("text", "data", "bss")))
        yield from (f"{arch} {text}" for text in changed)
        if not changed and tests and tests[0].status is Status.PASS:
            yield f"{arch}: vmlinux is as large as before"


def _changes(before: CellResult, after: CellResult, names: Sequence[str]) -> Iterator[str]:
    old = {test.name: test for test in before.tests}
    for test in after.tests:
        texts = list(_figures(old.get(test.name), test, names))
        if texts:
            yield f"{test.name}: {', '.join(texts)}"


def _figures(before: TestResult | None, after: TestResult, names: Sequence[str]) -> Iterator[str]:
    old = {figure.name: figure for figure in before.figures} if before else {}
    for figure in after.figures:
        if figure.name in names and old.get(figure.name) != figure:
            yield f"{figure.name} {words(old.get(figure.name), figure)}"


# an answer -----------------------------------------------------------------------------------------------------------


def _reply(run: Run) -> Iterator[str]:
    bad = [item for item in run.comparisons if item.effect is Effect.FAIL]
    if not bad:
        yield from _wrapped(f"Nothing to reply: the verdict is {run.verdict.value} ({run.summary}).", "")
        return
    first = bad[0]
    title = run.series.title if run.series else run.source.title
    yield from _wrapped(f"kernel-patch-rig {run.rig_version} noticed the following on “{one_line(title)}”:", "")
    yield ""
    yield from _facts(run, first)
    yield ""
    yield "New findings are marked with >>."
    yield ""
    witnesses = Witnesses(run)
    new = _alike(bad)
    for items in new[:_MOST]:
        yield from _finding(items, ">> ")
        yield from _log(witnesses, items[0])
    if len(new) > _MOST:
        yield f">> and {len(new) - _MOST} more"
    old = _alike(item for item in run.comparisons if item.verdict is TestVerdict.PRE_EXISTING)
    for items in old[:_MOST]:
        yield from _finding(items, "   ")
    if len(old) > _MOST:
        yield f"   and {len(old) - _MOST} more that fail on base as well"
    yield ""
    yield "To reproduce:"
    for command in _commands(run, witnesses, bad):
        yield paste(command, WIDTH, "  ")


def _facts(run: Run, first: Comparison) -> Iterator[str]:
    """As a table: what the findings were made with."""
    cell = first.cell
    build = next((b for b in run.builds if (b.variant, b.arch, b.flavour) == (cell.variant, cell.arch, cell.flavour)),
                 None)  # fmt: skip
    patch = first.patch and run.series and run.series.patches[first.patch - 1]
    rows = {
        "base": _source(run),
        "series": f"v{run.series.version}, {counted(len(run.series.patches), 'patch')}" if run.series else "",
        "patch": f"{patch.number}: {one_line(patch.subject)}" if patch else "",
        "config": f"{cell.arch} {cell.flavour}, profile {run.profile}{f' ({build.config})' if build else ''}"
        if cell.arch != "-"
        else "",
        "compiler": run.host.compilers.get(cell.arch, "") if build else "",
        "guest": f"{cell.abi} {cell.suite}, QEMU {run.host.qemu}, {run.host.accel.get(cell.arch, '?')}"
        if cell.abi != "-"
        else "",
    }
    for name, text in rows.items():
        if text:
            yield from _wrapped(f"{name + ':':10}{text}", "", "          ")


def _alike(found: Iterable[Comparison]) -> list[list[Comparison]]:
    """Findings that are the same but for their ABI stand together."""
    groups: dict[tuple[object, ...], list[Comparison]] = {}
    for item in found:
        cell = item.cell
        key = (cell.variant, cell.arch, cell.flavour, cell.suite, item.test, _MINIMISED.sub("", item.message))
        groups.setdefault(key, []).append(item)
    return list(groups.values())


def _finding(items: Sequence[Comparison], mark: str) -> Iterator[str]:
    """One line for findings that are alike."""
    item = max(items, key=lambda item: len(item.message))
    abis = ",".join(dict.fromkeys(other.cell.abi for other in items))
    where = " ".join(part for part in (item.cell.arch, abis, item.cell.flavour, item.cell.suite)
                     if part not in ("-", "plain", SERIES))  # fmt: skip
    text = f"{where}: {item.test}" if where else item.test
    message = f": {item.message}" if item.message and item.message not in item.test else ""
    message = _FOLDER.sub("", message)
    yield from _wrapped(f"{mark}{one_line(f'{text}{message}')}", "", " " * len(mark) + "  ")


_MINIMISED = re.compile(r"; minimised: .*$")
"""What a suite said of one ABI's finding only."""
_FOLDER = re.compile(r"(?<!\S)/\S*/(?=reproducers/)")
"""Where the output folder is on this machine says nothing to the one who reads the mail."""


def _log(witnesses: Witnesses, item: Comparison) -> Iterator[str]:
    """The first lines of the evidence, quoted as they are."""
    trace = witnesses.of(item).trace[:_MOST]
    yield from (f"     {line}" for line in trace)


def _commands(run: Run, witnesses: Witnesses, bad: Iterable[Comparison]) -> list[tuple[str, ...]]:
    """The rig's own command for each cell; for a build make's."""
    found: dict[tuple[str, ...], None] = {}
    for item in bad:
        commands = witnesses.of(item).commands
        found.update(dict.fromkeys(commands if item.cell.suite == BUILD else commands[:1]))
    return _joined(found)[:_MOST] or ([run.command] if run.command else [])


def _joined(commands: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Those that differ by their ABI alone as one command."""
    abis: dict[tuple[str, ...], list[str]] = {}
    for command in commands:
        at = command.index("--abi") + 1 if "--abi" in command[:-1] else len(command)
        abis.setdefault((*command[:at], _ANY, *command[at + 1 :]), []).extend(command[at : at + 1])
    return [tuple(",".join(found) if word == _ANY else word for word in command if word != _ANY or found)
            for command, found in abis.items()]  # fmt: skip


_ANY = "\0"
"""Stands for the ABI, in a command."""


def _wrapped(text: str, indent: str, later: str | None = None) -> list[str]:
    """The text in lines of at most 72 columns; only a word that is longer stands alone in a wider one."""
    rest = f"{indent}  " if later is None else later
    text = "".join(char if char.isprintable() else " " for char in text)
    lines = wrap(
        _LIST.sub(lambda match: match[0].replace(",", ", "), text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [""]


_LIST = re.compile(r"(?<!\S)(?=\S{60})[^\s/]+,[^\s/]+(?!\S)")
"""A word that is a long list, such as the arguments of a call: it may be broken behind a comma."""
