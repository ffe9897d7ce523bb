# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the kernel's own parser over logs, in a process of its own: argv[1] is a `tools/testing/kunit`, the rest are
the logs, by default those that it is tested with.

Prints {log: [passed, failed, crashed, skipped]} as JSON. It may use ten seconds of processor time and 512 MiB: there
are texts on which the parser turns for ever and takes all memory.
"""

import importlib
import json
import resource
import sys
from pathlib import Path


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
    folder = Path(sys.argv[1])
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    theirs = importlib.import_module("kunit_parser")
    printer = importlib.import_module("kunit_printer").stdout
    printer.print = printer.print_with_timestamp = lambda *_args, **_named: None
    found = {}
    for log in [Path(name) for name in sys.argv[2:]] or sorted((folder / "test_data").glob("*.log")):
        counts = theirs.parse_run_tests(log.read_text().splitlines(keepends=True)).counts
        found[log.name] = [counts.passed, counts.failed, counts.crashed, counts.skipped]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
