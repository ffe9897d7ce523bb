# SPDX-License-Identifier: GPL-2.0-or-later
"""KCIDB's JSON, sending it to a server on loopback, KTAP, and `rig.py report`."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kcidb_io import schema

from ci.model.results import Run
from ci.report.formats import kcidb, ktap
from ci.report.output import write_reports
from ci.stored.submit import ENVIRONMENT, address, submit
from configs.result import Status
from tests.ci.report.test_html import HOSTILE, everywhere
from tests.ci.report.test_reports import busy_run
from tests.ci.samples import judged, ran
from tests.command import USER, rig_here
from util.errors import MachineError, UserError

P, F, S = Status.PASS, Status.FAIL, Status.SKIP


def test_the_report_is_valid_and_every_reference_leads_somewhere() -> None:
    report = kcidb.report(busy_run())
    schema.LATEST.validate(report)
    assert report["version"] == {"major": 5, "minor": 3}
    kinds = ("checkouts", "builds", "tests", "issues", "incidents")
    ids = {kind: [item["id"] for item in report[kind]] for kind in kinds}
    for kind, found in ids.items():
        assert len(found) == len(set(found)), kind
        assert all(name.startswith("kernel_patch_rig:") for name in found)
    assert {item["checkout_id"] for item in report["builds"]} <= set(ids["checkouts"])
    assert {item["build_id"] for item in report["tests"]} <= set(ids["builds"])
    for item in report["incidents"]:
        assert item["issue_id"] in ids["issues"]
        assert item.get("test_id") in ids["tests"] or item.get("build_id") in ids["builds"]


def test_regressions_are_incidents_of_issues() -> None:
    cells = [ran(side, {"a": P if side == "base" else F, "b": P}, abi=abi) for abi in ("x86_64", "x32")
             for side in ("base", "patched")]  # fmt: skip
    report = kcidb.report(judged(cells))
    (issue,) = report["issues"]
    assert issue["misc"] == {"verdict": "regression", "suite": "selftests/seccomp", "test": "a"}
    assert issue["culprit"] == {"code": True, "tool": False, "harness": False}
    tests = {item["id"]: item for item in report["tests"]}
    shown = [tests[item["test_id"]] for item in report["incidents"]]
    assert [(item["misc"]["abi"], item["status"]) for item in shown] == [("x86_64", "FAIL"), ("x32", "FAIL")]
    assert kcidb.report(judged([ran("base", {"a": F}), ran("patched", {"a": F})]))["issues"] == []


def test_names_are_escaped() -> None:
    assert kcidb.escaped("selftests/seccomp") == "selftests.seccomp"
    assert kcidb.escaped("guest/fault/BUG: x#1") == "guest.fault.BUG_3a__20_x_23_1"
    assert kcidb.escaped("//..") == ""


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_text_is_valid(word: str) -> None:
    kcidb.render(everywhere(word)).encode("utf-8")


@given(st.text(st.characters(codec=None), min_size=1, max_size=40))
@settings(deadline=None, max_examples=50)
def test_any_text_is_valid(word: str) -> None:
    run = judged([ran("base", {"a": P}), ran("patched", {word: F}).model_copy(update={"message": word})])
    assert "\\u0000" not in kcidb.render(run)


def test_an_origin_that_the_schema_does_not_take() -> None:
    with pytest.raises(UserError, match="lower-case letters"):
        kcidb.report(busy_run(), "my-lab")


@contextmanager
def server(status: int = 200, body: str = '{"id": "s-1"}') -> Iterator[tuple[str, list[Any]]]:
    """KCIDB's REST service as far as a client sees it: host and port, and what was sent."""
    seen: list[Any] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers["Authorization"], json.loads(text)))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{service.server_address[1]}", seen
        finally:
            service.shutdown()
            thread.join()


@pytest.mark.slow
def test_submit_sends_what_is_valid_with_the_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_reports(busy_run(), tmp_path)
    with server() as (host, seen):
        environment = USER | {ENVIRONMENT: f"http://the%2Ftoken@{host}/"}
        shown = rig_here(capsys, "submit", str(tmp_path), "--origin", "my_lab", environment=environment)
        tried = rig_here(capsys, "submit", str(tmp_path), "--origin", "my_lab", "--dry-run", environment=environment)
    assert (shown.returncode, tried.returncode) == (0, 0), shown.stderr + tried.stderr
    ((path, token, report),) = seen
    assert (path, token) == ("/submit", "Bearer the/token")
    schema.LATEST.validate(report)
    assert report["checkouts"][0]["origin"] == "my_lab"
    assert shown.stdout.endswith(f"to http://{host}/submit: s-1\n")
    assert tried.stdout.startswith("would send 2 checkouts")
    assert "token" not in shown.stdout + tried.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("status", "body"), [(401, "the-token is wrong"), (200, "<html>"), (200, "[]"), (302, "")])
def test_a_server_that_does_not_take_it(monkeypatch: pytest.MonkeyPatch, status: int, body: str) -> None:
    with server(status, body) as (host, _):
        monkeypatch.setenv(ENVIRONMENT, f"http://the-token@{host}")
        with pytest.raises(MachineError) as raised:
            submit({}, address())
    assert "the-token" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "http://the-token@127.0.0.1:1")
    with pytest.raises(MachineError, match="cannot be reached") as raised:
        submit({}, address())
    assert "the-token" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "https://host", "ftp://t@host", "http://t0ken@example.org/", "https://t0ken@h:x"])
def test_addresses_that_are_none(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(ENVIRONMENT, text)
    with pytest.raises(UserError, match="KCIDB_REST must be https://TOKEN@HOST/") as raised:
        address()
    assert "t0ken" not in str(raised.value)


def test_ktap_says_what_the_run_says() -> None:
    run = judged([ran("base", {"a": P, "b # SKIP": P, "c": S}), ran("patched", {"a": F, "b # SKIP": P, "c": S})])
    text = ktap.render(run)
    assert "not ok 1 a\n" in text
    assert "ok 2 b %23 SKIP\n" in text
    assert "ok 3 c # SKIP" in text
    assert text.startswith("KTAP version 1\n# fail: 1 regression")


def test_ktap_of_any_run_counts_as_the_run_does() -> None:
    run = busy_run()
    lines = [line.strip() for line in ktap.render(run).splitlines() if line.startswith("  ")]
    bad = sum(line.startswith("not ok") for line in lines)
    good = sum(line.startswith("ok") for line in lines)
    assert (bad, bad + good) == (sum(item.effect.value != "none" for item in run.comparisons), len(run.comparisons))


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_names_keep_ktap_whole(word: str) -> None:
    run = everywhere(word)
    lines = ktap.render(run).splitlines()
    assert sum(line.startswith(("ok ", "not ok ")) for line in lines) == len({item.cell for item in run.comparisons})
    assert all(line.isprintable() for line in lines)


def test_report_makes_everything_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = write_reports(busy_run(), tmp_path)
    before = {path.name: path.read_bytes() for path in written}
    for path in written[:-1]:
        path.unlink()
    shown = rig_here(capsys, "report", str(tmp_path))
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("fail (exit 1, 1 min 23 s): ")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert Run.model_validate_json(before["results.json"]) == busy_run()


def test_report_prints_other_formats_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = write_reports(busy_run(), tmp_path)
    for path in written[:-1]:
        path.unlink()
    assert rig_here(capsys, "report", str(tmp_path), "--ktap").stdout == ktap.render(busy_run())
    assert json.loads(rig_here(capsys, "report", str(tmp_path), "--kcidb").stdout) == kcidb.report(busy_run())
    assert rig_here(capsys, "report", str(tmp_path), "--kcidb", "--ktap").returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_report_of_no_run_is_the_users_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = rig_here(capsys, "report", str(tmp_path))
    assert (shown.returncode, len(shown.stderr.splitlines())) == (2, 1)
    assert "name the output folder of a run" in shown.stderr
