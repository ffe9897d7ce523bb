# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds suites: `testcases/<name>/suite.py` with a `SUITE` is one."""

import difflib
import importlib
import re
from collections.abc import Iterable
from pathlib import Path

from testcases.suite import Suite
from util.errors import UserError

_FOLDER = Path(__file__).resolve().parent
_NAME = re.compile(r"([a-z][a-z0-9-]*)(?:/([A-Za-z0-9][A-Za-z0-9._+/-]*))?$")


def suite_names() -> list[str]:
    """The first part of every suite's name, sorted. A folder `a_b` is the suite `a-b`."""
    return sorted(path.parent.name.replace("_", "-") for path in _FOLDER.glob("*/suite.py"))


def package_files(names: Iterable[str] | None = None) -> list[Path]:
    """Where the suites of these names (`SUITE/TOPIC`), or all of them, say which packages they need, each file once.
    Most suites need none of their own."""
    firsts = suite_names() if names is None else sorted({name.partition("/")[0] for name in names})
    return [path for first in firsts if (path := _FOLDER / first.replace("-", "_") / "packages.yaml").is_file()]


def find_suite(name: str) -> tuple[Suite, str]:
    """The suite and its topic: `selftests/timers` gives that of `testcases/selftests` and `timers`.

    Raises UserError for a name of the wrong form or one that no folder stands for.
    """
    match = _NAME.match(name)
    if match is None or ".." in name.split("/"):
        raise UserError(f"suite `{name}`: a name is SUITE or SUITE/TOPIC, such as selftests/timers")
    first, topic = match[1], match[2] or ""
    known = suite_names()
    if first not in known:
        close = difflib.get_close_matches(first, known, n=1)
        hint = f"; did you mean `{close[0]}`?" if close else ""
        raise UserError(f"no suite `{first}`{hint} (known: {', '.join(known)})")
    suite: Suite = importlib.import_module(f"testcases.{first.replace('-', '_')}.suite").SUITE
    return suite, topic
