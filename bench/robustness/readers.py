# SPDX-License-Identifier: GPL-2.0-or-later
"""The readers of what others wrote, each as a function of bytes, and good inputs of each from the tests."""

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from guests.crash.log import Log
from guests.crash.outcome import End, Outcome, StepOutcome
from guests.crash.scan import scan
from guests.crash.splats import default_table
from initramfs.job import Step
from kernels.kconfig.expression import parse_expr
from kernels.kconfig.fragments import config_text, lost, merge, parse_config, parse_fragment
from kernels.kconfig.tree import KconfigTree
from kernels.mail.diff import check, with_strip
from kernels.mail.diff import scan as scan_diff
from kernels.mail.mail import parse
from kernels.mail.mailbox import split
from kernels.mail.thread import ThreadChoice, pick
from kernels.patches.kinds.patch_folder import dep3
from testcases.measured import brought
from testcases.reading import read_step
from util.paths import ROOT

TESTS = ROOT / "tests"
_MAILS = (".patch", ".mbox", ".mbx", ".eml")


@dataclass(frozen=True, slots=True)
class Reader:
    """`read` takes an input and returns or raises UserError; `seeds` gives good inputs."""

    read: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]


def _files(*folders: Path, endings: Iterable[str]) -> list[bytes]:
    wanted = tuple(endings)
    found = (path for folder in folders for path in folder.rglob("*") if path.name.endswith(wanted))
    return [path.read_bytes() for path in sorted(found) if path.is_file()]


# Mail and patches ------------------------------------------------------------------------------------------------


def _mail_seeds() -> list[bytes]:
    return _files(TESTS, ROOT / "kernels" / "series", endings=_MAILS)


def _read_thread(data: bytes) -> None:
    """A mailbox, its mails, the series in it, and what each patch touches."""
    mails = [mail for raw in split(data, "x") for mail in parse(raw, "x")]
    for choice in (ThreadChoice(), ThreadChoice(revision=1), ThreadChoice(only=1)):
        for mail in pick(mails, "x", choice).patches:
            check(scan_diff(mail.plain()))


def _read_mail(data: bytes) -> None:
    for mail in parse(data, "x"):
        mail.mbox()


def _read_diff(data: bytes) -> None:
    check(scan_diff(data))
    with_strip(data, 0)
    with_strip(data, 2)
    dep3(data, Path("x.patch"), "x")


# What a guest says -----------------------------------------------------------------------------------------------


def _console_seeds() -> list[bytes]:
    reports = yaml.safe_load((TESTS / "guests" / "reports.yaml").read_text(encoding="utf-8"))
    return _files(TESTS / "guests", endings=(".log",)) + [report["text"].encode() for report in reports]


def _read_console(data: bytes) -> None:
    scan(Log(data), default_table(), ["first"], lambda _offset: "")


_WHOLE = Outcome(End.FINISHED, "", (), (), Path("console.log"), (), "tcg", "7.2", 1.0)


_ENDS = (("exited", 0), ("exited", 1), ("exited", 4), ("signalled", 9))


def _read_ktap(data: bytes) -> None:
    how, value = _ENDS[len(data) % len(_ENDS)]
    read_step(StepOutcome(Step("program", ("./program",)), how, value, 1.0, data, data[:2000]), _WHOLE)


def _ktap_seeds() -> list[bytes]:
    return _files(TESTS, endings=(".ktap",))


# Kconfig ---------------------------------------------------------------------------------------------------------


def _kconfig_seeds() -> list[bytes]:
    folders = (ROOT / "configs" / "fragments", ROOT / "testcases", TESTS)
    return [*_files(*folders, endings=(".config", "Kconfig")), b'A && (B || !C) || $(cc-option,-m) = y && D != "x"\n']


def _read_kconfig(data: bytes) -> None:
    """As Kconfig files of a tree, as a `.config`, as a selftest's `config`, and line by line as expressions."""
    text = data.decode("utf-8", "replace")
    final = parse_config(text)
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "Kconfig").write_bytes(data)
        tree = KconfigTree(Path(name), "x86_64")
        for symbol in ("A", *list(final)[:3]):
            tree.explain(symbol, "y", final)
            tree.explain(symbol, "n", final)
    for line in text.splitlines()[:50]:
        parse_expr(line)
    lost(merge([parse_fragment("own", config_text(text), "x", "a reason")]), final)
    parse_fragment("x", text, "x")


READERS = {
    "mail": Reader(_read_mail, _mail_seeds),
    "series": Reader(_read_thread, _mail_seeds),
    "diff": Reader(_read_diff, _mail_seeds),
    "console": Reader(_read_console, _console_seeds),
    "ktap": Reader(_read_ktap, _ktap_seeds),
    "kconfig": Reader(_read_kconfig, _kconfig_seeds),
    **{name: Reader(*both) for name, both in brought("readers", "READERS").items()},
}


@cache
def seeds_of(name: str) -> tuple[bytes, ...]:
    """The good inputs of a reader. Raises ValueError where the tests have none."""
    found = tuple(READERS[name].seeds())
    if not found:
        raise ValueError(f"no file under tests/ is an input of the reader {name}")
    return found
