# SPDX-License-Identifier: GPL-2.0-or-later
"""The reports of a bisection as files: JSON, JUnit, text, the log for `git bisect replay`, the mail, the consoles."""

import shutil
from contextlib import suppress
from pathlib import Path

from junit_xml import TestCase, TestSuite, to_xml_report_string

from ci.bisect.report import mail, text
from ci.bisect.report.answer import BisectAnswer, BisectResult, KernelBoots
from util.files.atomic import write_atomic

JSON, JUNIT, TEXT, LOG, MAIL = "bisect.json", "junit.xml", "summary.txt", "bisect.log", "mail.txt"


def write(answer: BisectAnswer, folder: Path) -> BisectAnswer:
    """Writes all of them, JSON last. Returns the answer with the consoles where they are now."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (JSON, JUNIT, TEXT, LOG, MAIL):
        (folder / name).unlink(missing_ok=True)
    answer = _with_consoles(answer, folder)
    if answer.log:
        write_atomic(folder / LOG, answer.log)
    if report := mail.render(answer):
        write_atomic(folder / MAIL, report)
    write_atomic(folder / TEXT, text.render(answer))
    write_atomic(folder / JUNIT, junit(answer))
    write_atomic(folder / JSON, answer.model_dump_json(indent=1))
    return answer


def _with_consoles(answer: BisectAnswer, folder: Path) -> BisectAnswer:
    proof = answer.proof
    kept = {
        "culprit": _kept(proof.culprit, folder, "culprit") if proof.culprit else None,
        "parents": tuple(_kept(item, folder, f"parent-{number}") for number, item in enumerate(proof.parents, 1)),
    }
    return answer.model_copy(
        update={
            "proof": proof.model_copy(update=kept),
            "good": _kept(answer.good, folder, "good-end"),
            "bad": _kept(answer.bad, folder, "bad-end"),
        }
    )


def _kept(witness: KernelBoots, folder: Path, name: str) -> KernelBoots:
    boot = witness.evidence
    if boot is None or not boot.console or not Path(boot.console).is_file():
        return witness
    target = folder / "console" / f"{name}.log"
    target.parent.mkdir(exist_ok=True)
    with suppress(shutil.SameFileError):
        shutil.copyfile(boot.console, target)
    return witness.model_copy(update={"evidence": boot.model_copy(update={"console": str(target)})})


def junit(answer: BisectAnswer) -> str:
    """One suite: the ends, the culprit, its proof, and each skipped commit."""
    cases = [_case("bisect", answer.summary, answer.cost.seconds)]
    if answer.outcome is BisectResult.FOUND:
        cases[0].stdout = text.render(answer)
    elif answer.outcome is BisectResult.ALIKE:
        cases[0].add_skipped_info(answer.summary)
    else:
        cases[0].add_error_info(answer.summary, text.render(answer))
    for witness, word in ((answer.good, "good end"), (answer.bad, "bad end")):
        cases.append(_case(word, f"{witness.name} {witness.words}"))
    if answer.culprit:
        case = _case("culprit", f"{answer.culprit.name} {answer.culprit.subject}")
        case.add_failure_info(answer.culprit.subject, text.render(answer))
        cases.append(case)
    for item in answer.skipped:
        case = _case("skipped", f"{item.name} {item.subject}")
        case.add_skipped_info(item.reason)
        cases.append(case)
    return str(to_xml_report_string([TestSuite("bisect", cases)]))


def _case(kind: str, name: str, seconds: float = 0.0) -> TestCase:
    return TestCase(_printable(name), f"bisect.{kind.replace(' ', '-')}", seconds or None)


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else " " for character in name)
