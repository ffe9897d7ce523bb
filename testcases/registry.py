# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds suites: `testcases/<name>/suite.py` with a `SUITE` is one. How a suite's own command has its suite run: by a
function that is handed in, since `ci/` stands right of here."""

import importlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from configs.names import did_you_mean
from util.errors import UserError

if TYPE_CHECKING:
    from testcases.suite import Suite

_FOLDER = Path(__file__).resolve().parent
_NAME = re.compile(r"([a-z][a-z0-9-]*)(?:/([A-Za-z0-9*?][A-Za-z0-9._+/*?-]*))?$")


def suite_names() -> list[str]:
    """The first part of every suite's name, sorted. A folder `a_b` is the suite `a-b`."""
    return sorted(path.parent.name.replace("_", "-") for path in _FOLDER.glob("*/suite.py"))


def package_files(names: Iterable[str] | None = None) -> list[Path]:
    """Where the suites of these names (`SUITE/TOPIC`), or all of them, say which packages they need, each file once.
    Most suites need none of their own."""
    firsts = suite_names() if names is None else sorted({name.partition("/")[0] for name in names})
    return [path for first in firsts if (path := _FOLDER / first.replace("-", "_") / "packages.yaml").is_file()]


def topics(suite: str, tree: Path | None = None) -> tuple[str, ...]:
    """What can stand behind the slash of the suite's name: of a suite that looks into the kernel tree only with a
    `tree`. Empty where nothing can. Imports the suite's package and not the suite."""
    named = _topics_of(suite)
    return named(tree) if named else ()


def suite_words() -> list[str]:
    """Every name of a suite that is known without a kernel tree, with its topics: `boot`; with a slash
    at its end where only a tree says what follows, `selftests/`."""
    found: list[str] = []
    for suite in suite_names():
        bare = f"{suite}/" if _topics_of(suite) else suite
        found += [f"{suite}/{topic}" for topic in topics(suite)] or [bare]
    return found


def _topics_of(suite: str) -> Callable[[Path | None], tuple[str, ...]] | None:
    """The function `topics` of the suite's package, where it has one."""
    package = importlib.import_module(f"testcases.{suite.replace('-', '_')}")
    found: Callable[[Path | None], tuple[str, ...]] | None = getattr(package, "topics", None)
    return found


def _nearest(name: str, first: str, topic: str) -> str:
    """The end of an error line: a suite or topic of nearly this name, else the selftest that it may be."""
    near = did_you_mean(first, suite_names())
    if near and topic:
        return near
    of_topic = [word for word in suite_words() if word.partition("/")[2] == name]
    if of_topic:
        return f"; did you mean `{of_topic[0]}`?"
    return near or did_you_mean(name, suite_words()) or f"; did you mean `selftests/{name}`?"


def find_suite(name: str) -> "tuple[Suite, str]":
    """The suite and its topic: `selftests/timers` gives that of `testcases/selftests` and `timers`.

    Raises UserError for a name of the wrong form or one that no folder stands for.
    """
    match = _NAME.match(name)
    if match is None or ".." in name.split("/"):
        raise UserError(f"suite `{name}`: a name is SUITE or SUITE/TOPIC, such as selftests/timers")
    first, topic = match[1], match[2] or ""
    known = suite_names()
    if first not in known:
        raise UserError(f"no suite `{name}`{_nearest(name, first, topic)} (known: {', '.join(known)})")
    suite: Suite = importlib.import_module(f"testcases.{first.replace('-', '_')}.suite").SUITE
    return suite, topic


class Checker(Protocol):
    """What a command of a suite calls to run the suite on the kernels of a profile, given by its file."""

    def __call__(
        self, profile: Path, *, abis: tuple[str, ...], source: str | None, series: str | None, rerun: int, out: Path
    ) -> int:
        """As `rig.py check --fresh` with these options; the exit status. Raises RigError."""


CHECKER = "checker"
"""Where a command finds the Checker in click's `Context.meta`: the rooms to the right hand it in."""
