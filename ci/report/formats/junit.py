# SPDX-License-Identifier: GPL-2.0-or-later
"""JUnit XML, by `junit-xml`; no other module knows of it.

`gate` is the report that a CI gates on: what fails the run is a failure, a missing answer an error, and what fails
without being the series' doing is skipped with its reason. `raw` is one variant as it ran.

GitLab (its page "Unit test reports"): reads classname, name, file and time of a case and the *content* of failure,
error, skipped and system-out, not their attributes; keeps only the first of two cases with the same classname and
name; refuses files over 30 MB, text nodes over 10 MB, and since 17.6 documents of more than 250,000 objects.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain

from junit_xml import TestCase, TestSuite, to_xml_report_string

from ci.model.results import Run
from ci.model.stages import END, CellResult
from ci.model.verdicts import Comparison, Effect, RunVerdict, TestVerdict
from ci.text.changes import changes
from ci.text.evidence import Witnesses
from ci.text.static_text import accel_text
from ci.verdict.compare.builds import KERNEL
from ci.verdict.verdict import show
from configs.result import Cell, Status, TestResult

_TEXT_LIMIT = 16 * 1024
_FILE_LIMIT = 16 * 1024 * 1024
_ILLEGAL = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]")
_ATTACHMENT = re.compile(r"\[\[(?=ATTACHMENT\|)", re.IGNORECASE)
"""By this GitLab offers a file of the job to the reader of a case; a guest's text must not."""
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class _Seconds(float):
    """junit-xml leaves a time of 0 out; a case without `time` is no good to a reader who sums them up."""

    def __bool__(self) -> bool:
        return True


def gate(run: Run, place: str = "") -> str:
    """junit.xml. `place` is the output folder's path from the root of a GitLab job; with it, what counts in the verdict
    has its console as attachment."""
    return _bounded(run, lambda limit: _gate(run, limit, place))


def raw(run: Run, variant: str) -> str:
    """junit-<variant>.xml: every first run of the variant's cells and builds, each status as it is."""
    return _bounded(run, lambda limit: _raw(run, variant, limit))


def _bounded(run: Run, render: Callable[[int], str]) -> str:
    """The report with as much text in each case as the size of the whole allows. The limit is guessed from the
    lengths first, each text standing in a report twice and growing by its entities, for rendering in vain is slow."""
    sizes = [len(test.output) for cell in run.cells for test in cell.tests]
    limit = _TEXT_LIMIT
    while limit > 256 and 4 * sum(min(size, limit) for size in sizes) > _FILE_LIMIT:
        limit //= 2
    while len((text := render(limit)).encode()) > _FILE_LIMIT and limit > 256:
        limit //= 4
    return text


def _gate(run: Run, limit: int, place: str) -> str:
    witnesses = Witnesses(run)
    suites: dict[str, list[TestCase]] = {}
    for item in run.comparisons:
        name = f"{item.cell.variant}.{_class(item.cell)}" if item.patch else _class(item.cell)
        suites.setdefault(name, []).append(_compared(witnesses, item, name, limit, place))
    if run.known_issues:
        suites["known-issues"] = [*_known(run, limit)]
    if run.verdict is not RunVerdict.PASS and not any(case.errors or case.failures for case in chain(*suites.values())):
        # Interrupted before anything was finished, for one: who reads only this file must not take it for a pass.
        case = _case("run", "end", 0.0)
        case.add_error_info(_line(run.summary), _scrub(run.summary, limit), run.verdict.value)
        suites["run"] = [case]
    return _render(run, suites, run.judged.name, {_class(cell): text for cell, text in changes(run).items()})


def _raw(run: Run, variant: str, limit: int) -> str:
    cells = [cell for cell in run.cells if cell.cell.variant == variant and not cell.attempt and not cell.suite_variant]
    builds = [build for build in run.builds if build.variant == variant]
    suites: dict[str, list[TestCase]] = {}
    for build in builds:
        name = _class(Cell(variant, build.arch, "-", build.flavour, "build"))
        case = _case(name, KERNEL, build.seconds)
        if not build.ok:
            case.add_failure_info(_line(build.failure), _scrub("\n".join((build.failure, *build.log_tail)), limit))
        suites.setdefault(name, []).append(case)
    for cell in cells:
        suites.setdefault(_class(cell.cell), []).extend(_as_run(cell, limit))
    return _render(run, suites, variant)


def _compared(witnesses: Witnesses, item: Comparison, name: str, limit: int, place: str) -> TestCase:
    found = witnesses.of(item)
    case = _case(name, item.test, found.seconds, found.test.file if found.test else "")
    title = _title(item)
    body = _scrub(f"{title}\n{found.text}" if found.text else title, limit)
    if item.effect is Effect.FAIL:
        case.add_failure_info(_line(title), body, item.verdict.value if item.verdict else "FAIL")
    elif item.effect is Effect.UNKNOWN:
        case.add_error_info(_line(title), body, item.verdict.value if item.verdict else "MISS")
    elif item.known or item.verdict is TestVerdict.FLAKY or any(status is not Status.PASS for status in item.patched):
        case.add_skipped_info(_line(title), _scrub(title, limit))
    told = item.effect is not Effect.NONE and bool(found.text)
    said = "" if found.test is None else _figures(found.test) if told else _said(found.test, found.run)
    console = found.run.console if place and item.effect is not Effect.NONE and found.run else ""
    attached = f"[[ATTACHMENT|{place}/{console}]]\n" if console and "]]" not in console else ""
    case.stdout = _scrub(said, limit) + attached or None
    return case


def _figures(test: TestResult) -> str:
    """The figures of a test, a line each: JUnit has no place for them."""
    return "".join(f"{figure.name} {figure.value} {figure.unit}\n" for figure in test.figures)


def _said(test: TestResult, cell: CellResult | None) -> str:
    """The figures of a test and its own text. The test that stands for the guest tells where its processors stood, and
    what init remarked."""
    remarks = (*cell.state, *cell.notes) if cell and test.name == END else ()
    return _figures(test) + "".join(f"{remark}\n" for remark in remarks) + test.output


def _title(item: Comparison) -> str:
    """`regression: passes on base (base 4 PASS; patched 4 FAIL)`."""
    verdict = item.verdict.value if item.verdict else show(item.patched)
    statuses = f"{item.cell.variant} {show(item.patched)}"
    if item.base:
        statuses = f"{item.against} {show(item.base)}; {statuses}"
    message = f": {item.message}" if item.message else ""
    known = f"; known issue ({item.known.where}): {item.known.reason} {item.known.link}" if item.known else ""
    return f"{verdict}{message} ({statuses}){known}"


def _known(run: Run, limit: int) -> Iterator[TestCase]:
    for outcome in run.known_issues:
        case = _case("known-issues", f"{outcome.issue.where} {outcome.issue.test}", 0.0)
        if outcome.effect is Effect.FAIL:
            case.add_failure_info(_line(outcome.message), _scrub(outcome.message, limit), outcome.state.value)
        yield case


def _as_run(cell: CellResult, limit: int) -> Iterator[TestCase]:
    name = _class(cell.cell)
    if cell.not_run and not cell.tests:
        case = _case(name, "cell", 0.0)
        case.add_error_info(_line(cell.not_run), _scrub(cell.not_run, limit), "MISS")
        yield case
    for test in cell.tests:
        case = _case(name, test.name, test.seconds, test.file)
        _add_status(case, test, limit)
        told = test.status in (Status.FAIL, Status.ERROR, Status.MISS)  # the failure has the output already
        if said := _said(replace(test, output="") if told else test, cell):
            case.stdout = _scrub(said, limit)
        yield case


def _add_status(case: TestCase, test: TestResult, limit: int) -> None:
    message = test.message or test.status.value
    body = _scrub(f"{message}\n{test.output}" if test.output else message, limit)
    if test.status is Status.FAIL:
        case.add_failure_info(_line(message), body, "FAIL")
    elif test.status in (Status.ERROR, Status.MISS):
        case.add_error_info(_line(message), body, test.status.value)
    elif test.status is Status.SKIP:
        case.add_skipped_info(_line(message), _scrub(message, limit))


def _case(classname: str, name: str, seconds: float, file: str = "") -> TestCase:
    return TestCase(
        _line(name, 1000), classname=_line(classname, 1000), elapsed_sec=_Seconds(max(0.0, seconds)), file=_line(file)
    )


def _class(cell: Cell) -> str:
    """GitLab shows it as the name of the suite. It leaves the variant out, so that it is equal for both variants."""
    parts = (cell.arch, cell.abi, cell.flavour, cell.suite)
    return ".".join(part.replace("/", ".") for part in parts if part != "-")


def _render(run: Run, suites: dict[str, list[TestCase]], variant: str, changed: Mapping[str, str] | None = None) -> str:
    """`changed` is by suite the line that becomes its property of that name."""
    properties = {"variant": variant, "source": run.source.title, "commit": run.source.commit, "rig": run.rig_version}
    if run.host.sandbox:
        properties["sandbox"] = run.host.sandbox
    properties |= {f"accelerator-{arch}": accel_text(run.host, arch) for arch in sorted(run.host.accel)}
    if run.series:
        properties |= {"series": run.series.title, "series-version": str(run.series.version)}
    clean = {key: _line(value) for key, value in properties.items()}
    parts = [
        TestSuite(
            name,
            list(_unique(cases)),
            timestamp=run.started.isoformat(timespec="seconds"),
            properties=clean | ({"changed": _line(changed[name])} if changed and name in changed else {}),
            id=number,
        )
        for number, (name, cases) in enumerate(suites.items())
    ]
    text: str = to_xml_report_string(parts, prettyprint=False, encoding="utf-8")
    return text


def _unique(cases: Iterable[TestCase]) -> Iterator[TestCase]:
    """A second case of the same name would be ignored, and a failure with it."""
    seen: set[str] = set()
    for case in cases:
        name, count = case.name, 1
        while case.name in seen:
            count += 1
            case.name = f"{name} ({count})"
        seen.add(case.name)
        yield case


def _scrub(text: str, limit: int) -> str:
    """Without what XML forbids and terminals interpret; the middle is left out where the text is too long."""
    if len(text) > limit:  # cut first: a guest may print gigabytes
        half = limit // 2
        text = f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"
    clean = _ILLEGAL.sub("\ufffd", _ANSI.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    return _ATTACHMENT.sub("[ [", clean)


def _line(text: str, limit: int = 300) -> str:
    """One line for an attribute."""
    line = " ".join(_scrub(text, 4 * limit).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."
