# SPDX-License-Identifier: GPL-2.0-or-later
"""The run as KCIDB's JSON, version 5.3 (https://github.com/kernelci/kcidb-io, `schema/v05_03.py`).

One checkout for each variant, a build for each kernel, a test for each line of a cell's first run. What fails the run
is an issue of its own, and each build or test that shows it an incident. The schema takes no field of ours but in
`misc`, no null and no NUL.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from kcidb_io import schema

from ci.model.results import Run
from ci.model.stages import BuildResult, CellResult
from ci.model.verdicts import Comparison, Effect, TestVerdict
from ci.verdict.compare.builds import BUILD, SERIES
from configs.names import STATIC
from configs.result import Cell, TestResult
from util.errors import UserError

ORIGIN = "kernel_patch_rig"
_EXCERPT = 16_384
"""The longest `log_excerpt` that the schema takes, in characters."""
_ORIGIN = re.compile("[a-z0-9_]+")
_COMMIT = re.compile("[0-9a-f]{40}")
_ISSUE_VERSION = 1

Item = dict[str, Any]


def render(run: Run, origin: str = ORIGIN) -> str:
    """kcidb.json. Raises UserError for an origin that the schema does not take."""
    return json.dumps(report(run, origin), indent=2, ensure_ascii=False) + "\n"


def report(run: Run, origin: str = ORIGIN) -> Item:
    """The report as a dictionary that `kcidb_io` has found valid."""
    if not _ORIGIN.fullmatch(origin):
        raise UserError(f"{origin!r} cannot be an origin of KCIDB: lower-case letters, digits and _ only")
    made = _Maker(run, origin).report()
    schema.LATEST.validate(made)
    return dict(made)


def escaped(name: str) -> str:
    """A name as a part of a test's path: letters, digits, `-` and `_` stay, `/` and `.` part the path, and any other
    character becomes its code between underscores. The name as it was stands in the test's `misc`."""
    parts = [part for part in re.split(r"[./]", name) if part]
    return ".".join(re.sub(r"[^A-Za-z0-9-]", _code, part) for part in parts)


def _code(match: re.Match[str]) -> str:
    return "_" if match[0] == "_" else f"_{ord(match[0]):x}_"


class _Maker:
    def __init__(self, run: Run, origin: str) -> None:
        self._run, self._origin = run, origin
        told = (run.started.isoformat(), run.profile, run.source.tree, run.series.digest if run.series else "")
        self._name = hashlib.sha256("\0".join(told).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def report(self) -> Item:
        issues, incidents = self._issues()
        return {
            "version": {"major": schema.LATEST.major, "minor": schema.LATEST.minor},
            "checkouts": [self._checkout(number) for number in range(len(self._run.variants))],
            "builds": [*map(self._build, self._run.builds), *self._builds_without_a_record()],
            "tests": list(self._tests()),
            "issues": issues,
            "incidents": incidents,
        }

    def _id(self, *words: str) -> str:
        return f"{self._origin}:{_digest(self._name, *words)}"

    def _checkout(self, number: int) -> Item:
        run, variant = self._run, self._run.variants[number]
        item: Item = {
            "id": self._id("checkout", variant.name),
            "origin": self._origin,
            "comment": _clean(f"{run.source.title}, {variant.name}"),
            "start_time": run.started.isoformat(),
            "valid": variant.failure is None,
            "misc": {"variant": _clean(variant.name), "source": _clean(run.source.spec), "tree": variant.tree},
        }
        if _COMMIT.fullmatch(run.source.commit):  # the base's: the schema means what the patches are applied to
            item["git_commit_hash"] = run.source.commit
        patched = run.series is not None and variant.patches != 0
        item["patchset_hash"] = ""
        if patched and run.series:
            item["misc"] |= {
                "series": _clean(run.series.title),
                "series_version": run.series.version,
                "series_digest": _clean(run.series.digest),
                "patches": [_clean(patch.subject) for patch in run.series.patches[: variant.patches]],
            }
            del item["patchset_hash"]  # of the files as they were mailed, which the results do not hold
            first = next((patch.message_id for patch in run.series.patches if "@" in patch.message_id), "")
            if first:
                item["message_id"] = _clean(first.strip("<>"))
        if variant.failure:
            item["log_excerpt"] = _excerpt(variant.failure.message)
        return item

    def _build_id(self, variant: str, arch: str, flavour: str) -> str:
        return self._id("build", variant, arch, flavour)

    def _build(self, build: BuildResult) -> Item:
        item: Item = {
            "id": self._build_id(build.variant, build.arch, build.flavour),
            "origin": self._origin,
            "checkout_id": self._id("checkout", build.variant),
            "architecture": _architecture(build.arch),
            "status": "PASS" if build.ok else "FAIL",
            "config_name": _clean(build.flavour),
            "duration": max(0.0, build.seconds),
            "compiler": _clean(self._run.host.compilers.get(build.arch, "unknown")),
            "misc": {"warnings": len(build.warnings), "cached": build.cached},
        }
        if not build.ok:
            item["log_excerpt"] = _excerpt("\n".join((build.failure, *build.log_tail)))
        return item

    def _builds_without_a_record(self) -> Iterator[Item]:
        """What tests hang on must be there, also for what was read from patches and never built."""
        made = {self._build_id(build.variant, build.arch, build.flavour) for build in self._run.builds}
        for result in self._run.cells:
            cell = result.cell
            name = self._build_id(cell.variant, cell.arch, cell.flavour)
            if name not in made:
                made.add(name)
                yield {"id": name, "origin": self._origin, "checkout_id": self._id("checkout", cell.variant)}

    def _first_runs(self) -> Iterator[CellResult]:
        return (cell for cell in self._run.cells if not cell.attempt and not cell.suite_variant)

    def _tests(self) -> Iterator[Item]:
        for result in self._first_runs():
            for number, test in enumerate(result.tests):
                yield self._test(result, test, number)

    def _test_id(self, cell: Cell, name: str, number: int) -> str:
        return self._id("test", str(cell), name, str(number))

    def _test(self, result: CellResult, test: TestResult, number: int) -> Item:
        cell = result.cell
        item: Item = {
            "id": self._test_id(cell, test.name, number),
            "origin": self._origin,
            "build_id": self._build_id(cell.variant, cell.arch, cell.flavour),
            "path": ".".join(part for part in (escaped(cell.suite), escaped(test.name)) if part),
            "status": test.status.value,
            "duration": max(0.0, test.seconds),
            "comment": _clean(test.message or test.name),
            "misc": {"name": _clean(test.name), "abi": _clean(cell.abi), "variant": _clean(cell.variant)},
        }
        if cell.suite not in STATIC:
            machine = {"machine": _clean(result.machine), "accel": _clean(result.accel)}
            item["environment"] = {"comment": f"QEMU {_clean(result.qemu_version)}", "misc": machine}
        if test.output:
            item["log_excerpt"] = _excerpt(test.output)
        return item

    def _issues(self) -> tuple[list[Item], list[Item]]:
        """One issue for each thing that fails the run, whatever cells it shows in, and where it shows."""
        run = self._run
        tests = {
            (result.cell, test.name): self._test_id(result.cell, test.name, number)
            for result in self._first_runs()
            for number, test in reversed(list(enumerate(result.tests)))
        }
        issues: dict[str, Item] = {}
        incidents: dict[str, Item] = {}
        for item in run.comparisons:
            if item.effect is not Effect.FAIL or item.cell.suite == SERIES:
                continue
            where = self._where(item, tests)
            if not where:
                continue  # a test that is gone: nothing in this run shows it
            name = self._id("issue", item.cell.suite, item.test)
            issues.setdefault(name, self._issue(name, item))
            shown = self._id("incident", name, *where.values())
            incidents[shown] = {
                "id": shown, "origin": self._origin, "issue_id": name, "issue_version": _ISSUE_VERSION,
                "present": True, "comment": _excerpt(item.message or item.test), **where,
            }  # fmt: skip
        return list(issues.values()), list(incidents.values())

    def _where(self, item: Comparison, tests: dict[tuple[Cell, str], str]) -> Item:
        if item.cell.suite == BUILD:
            cell = item.cell
            return {"build_id": self._build_id(cell.variant, cell.arch, cell.flavour)}
        found = tests.get((item.cell, item.test))
        return {"test_id": found} if found else {}

    def _issue(self, name: str, item: Comparison) -> Item:
        verdict = item.verdict or TestVerdict.REGRESSION
        return {
            "id": name,
            "version": _ISSUE_VERSION,
            "origin": self._origin,
            "comment": _excerpt(f"{verdict.value}: {item.cell.suite} {item.test}: {item.message}"),
            "culprit": {"code": True, "tool": False, "harness": False},
            "misc": {"verdict": verdict.value, "suite": _clean(item.cell.suite), "test": _clean(item.test)},
        }


def _digest(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _clean(text: str) -> str:
    """Without NUL, which PostgreSQL does not take, and without what UTF-8 has no place for."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _excerpt(text: str) -> str:
    """The end of a log, where the failure stands."""
    return _clean(text)[-_EXCERPT:]


def _architecture(arch: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", arch.lower())
