# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the kernel's own parser over its own test data, in a process of its own: argv[1] is a `tools/testing/kunit`.

Prints {log: [passed, failed, crashed, skipped]} as JSON.
"""

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    folder = Path(sys.argv[1])
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    theirs = importlib.import_module("kunit_parser")
    printer = importlib.import_module("kunit_printer").stdout
    printer.print = printer.print_with_timestamp = lambda *_args, **_named: None
    found = {}
    for log in sorted((folder / "test_data").glob("*.log")):
        counts = theirs.parse_run_tests(log.read_text().splitlines(keepends=True)).counts
        found[log.name] = [counts.passed, counts.failed, counts.crashed, counts.skipped]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
