# SPDX-License-Identifier: GPL-2.0-or-later
"""The reports of `rig.py mutate`: text for the terminal and a mail, JSON, JUnit."""

from collections.abc import Iterator
from pathlib import Path

from junit_xml import TestCase, TestSuite, to_xml_report_string

from ci.mutation.model import MutantFate, MutantResult, Mutation
from util.files.atomic import write_atomic
from util.paths import called_as
from util.text import plain

JSON, JUNIT, TEXT = "mutation.json", "junit.xml", "mutation.txt"


def write_reports(made: Mutation, folder: Path) -> None:
    """Into `folder`, made if absent."""
    write_atomic(folder / JSON, dump(made))
    write_atomic(folder / JUNIT, junit(made))
    write_atomic(folder / TEXT, text(made))


def dump(made: Mutation) -> str:
    return made.model_dump_json(indent=1) + "\n"


def text(made: Mutation) -> str:
    """For people: the survivors, then what else is of use, then the result in one line."""
    return plain("\n".join(_lines(made)) + "\n")


def _lines(made: Mutation) -> Iterator[str]:
    if made.failure:
        yield made.failure
        yield ""
    survivors = sorted(made.survivors, key=lambda item: (item.path, item.line))
    if survivors:
        yield "Your tests would not notice this:"
        yield ""
    for item in survivors:
        yield from _survivor(item)
    unknown = [item for item in made.mutants if item.fate is MutantFate.UNKNOWN]
    yield from (f"{item.path}:{item.line} {item.kind}: {item.message}" for item in unknown)
    yield from made.notes
    if made.suites:
        yield "Seconds of a guest without a fault: " + ", ".join(f"{name} {took:.1f}" for name, took in made.suites)
    yield summary(made)


def _survivor(item: MutantResult) -> Iterator[str]:
    patch = f", patch {item.patch}" if item.patch else ""
    yield f"{item.path}:{item.line} in {item.function}() ({item.kind}{patch})"
    yield from (f"    {line}" for line in item.diff)
    yield f"    again: {called_as()} mutate --only {item.path}:{item.line}"
    yield ""


def summary(made: Mutation) -> str:
    """One line: how many were killed of those that count, and what did not count."""
    if made.failure and not made.counted:
        return f"no mutant was tried: {made.failure}"
    others = [f"{made.count(fate)} {name}" for fate, name in _OTHERS if made.count(fate)]
    share = f" ({100 * made.count(MutantFate.KILLED) / made.counted:.1f} %)" if made.counted else ""
    tried = [
        item.seconds
        for item in made.mutants
        if item.fate in (MutantFate.KILLED, MutantFate.SURVIVED) and not item.cached
    ]
    each = f", {sum(tried) / len(tried):.1f} s for each that was tried" if tried else ""
    end = "; interrupted, the next run goes on" if made.interrupted else ""
    return (
        f"killed {made.count(MutantFate.KILLED)} of {made.counted}{share}"
        f"{'; not counted: ' + ', '.join(others) if others else ''}; {made.seconds:.0f} s{each}{end}"
    )


_OTHERS = (
    (MutantFate.EQUIVALENT, "equivalent"),
    (MutantFate.DUPLICATE, "the same as another"),
    (MutantFate.NO_COMPILE, "do not compile"),
    (MutantFate.UNKNOWN, "unknown"),
    (MutantFate.NOT_TRIED, "not tried"),
)


def junit(made: Mutation) -> str:
    """A case for each mutant, a suite for each file: a survivor is a failure, what does not count is skipped."""
    by_path: dict[str, list[TestCase]] = {}
    for item in made.mutants:
        by_path.setdefault(item.path, []).append(_case(item))
    if made.failure or not made.mutants:
        case = TestCase("run", classname="mutate")
        case.add_error_info(made.failure or "no mutant", made.failure or "no mutant")
        by_path["mutate"] = [case]
    suites = [TestSuite(plain(path), cases) for path, cases in by_path.items()]
    written: str = to_xml_report_string(suites, prettyprint=False, encoding="utf-8")
    return written


def _case(item: MutantResult) -> TestCase:
    name = plain(item.name.removeprefix(f"{item.path}:"))
    case = TestCase(f"{name}", classname=plain(f"mutate.{item.path}"), elapsed_sec=item.seconds or 0.001,
                    file=plain(item.path), line=item.line)  # fmt: skip
    body = plain("\n".join((*item.diff, item.killer, item.message)).rstrip())
    if item.fate is MutantFate.SURVIVED:
        case.add_failure_info("your tests would not notice this", body)
    elif item.fate is MutantFate.UNKNOWN:
        case.add_error_info(plain(item.message), body)
    elif item.fate is MutantFate.KILLED:
        case.stdout = body
    else:
        case.add_skipped_info(f"{item.fate}: {plain(item.message)}", body)
    return case
