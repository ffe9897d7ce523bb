# SPDX-License-Identifier: GPL-2.0-or-later
"""What GitLab shows of a run: code quality, and a note that is changed and not repeated."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ci.gitlab import note, packages, quality
from ci.gitlab.server import Server
from ci.model.stages import CellResult, PatchFinding
from ci.report.output import write_reports
from configs.result import Cell, Status, TestResult
from kernels.build.diagnostics import BuildWarning
from tests.ci.samples import built, judged, ran
from tests.command import USER, rig_here
from util.errors import MachineError, UserError

WARNING = BuildWarning("kernel/seccomp.c", 42, "unused variable 'x'", "-Wunused-variable")


def busy() -> Any:
    """Warnings of two architectures, findings with and without a place, complaints of checkpatch."""
    output = (
        "kernel/seccomp.c:7: WARNING:LONG_LINE: too: long (line 30 of the patch)\n"
        "WARNING:COMMIT_LOG_LONG_LINE: of the mail (line 4 of the patch)\n"
        "kernel/seccomp.c:9: WARNING:LONG_LINE: too: long (line 32 of the patch)\n"
    )
    patches = CellResult(
        cell=Cell("patched", "-", "-", "-", "checkpatch"), tests=(TestResult("0001 x", Status.PASS, output=output),)
    )
    builds = [built("base", arch=arch) for arch in ("x86_64", "aarch64")]
    builds += [built("patched", warnings=[WARNING], arch=arch) for arch in ("x86_64", "aarch64")]
    cells = [ran("base", {"a": Status.PASS}), ran("patched", {"a": Status.FAIL, "@all | <b>": Status.PASS}), patches]
    findings = (
        PatchFinding(patch=1, check="fixes", level="error", kind="unknown-commit", text="no such commit"),
        PatchFinding(patch=1, check="inline", path="a.c", line=0, level="note", kind="inline", text="a hint"),
        PatchFinding(patch=1, check="inline", path="/etc/passwd", line=1, level="note", kind="inline", text="evil"),
    )
    return judged(cells, builds).model_copy(update={"findings": findings})


def test_code_quality_has_each_finding_with_a_place_once() -> None:
    entries = json.loads(quality.render(busy()))
    told = [(entry["check_name"], entry["location"]["path"], entry["location"]["lines"]["begin"]) for entry in entries]
    assert told == [
        ("compiler/-Wunused-variable", "kernel/seccomp.c", 42),
        ("inline/inline", "a.c", 1),
        ("checkpatch/LONG_LINE", "kernel/seccomp.c", 7),
        ("checkpatch/LONG_LINE", "kernel/seccomp.c", 9),
    ]
    assert [entry["severity"] for entry in entries] == ["major", "info", "major", "major"]
    assert len({entry["fingerprint"] for entry in entries}) == 4
    assert entries[2]["description"] == "checkpatch: too: long"


def test_a_fingerprint_does_not_depend_on_the_line() -> None:
    moved = judged(
        [], [built("base"), built("patched", warnings=[BuildWarning(WARNING.file, 99, WARNING.text, WARNING.option)])]
    )
    before = {entry["fingerprint"] for entry in json.loads(quality.render(busy()))}
    assert {entry["fingerprint"] for entry in json.loads(quality.render(moved))} < before
    assert quality.render(judged([], [])) == "[]\n"


def test_a_note_is_text_and_nothing_in_it_comes_to_life() -> None:
    text = note.render(busy(), "rig", "https://example.org/report")
    assert text.startswith("<!-- kernel-patch-rig rig -->\n**FAIL**: ")
    assert "| regression |" in text and "[Report](https://example.org/report)" in text
    hostile = "\n/close\n@all ![x](https://example.org/x.png) <img src=x> | `code` --> ~label !1 #1 " + "y" * 500
    line = note.quoted(hostile)
    assert line[0] == line[-1] == "`" and not set("`\n") & set(line[1:-1]) and len(line) < 200
    run = busy()
    bad = run.comparisons[0].model_copy(update={"message": hostile, "test": hostile, "effect": "fail"})
    (row,) = [
        line
        for line in note.render(run.model_copy(update={"comparisons": (bad,)}), "rig").splitlines()
        if "close" in line
    ]
    assert len(re.findall(r"(?<!\\)\|", row)) == 5


@dataclass
class Host:
    """GitLab's notes and packages of project 5, as far as a client sees them."""

    notes: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    address: str = ""

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes, str]:
        """Status, content and the header x-next-page; two notes are a page."""
        path, _, query = path.removeprefix("/api/v4/projects/5/").partition("?")
        if path.startswith("packages/"):
            if method == "PUT":
                self.files[path] = body
                return 201, b"{}", ""
            return (200, self.files[path], "") if path in self.files else (404, b"{}", "")
        if method == "GET":
            page = int(query.rpartition("=")[2])
            more = str(page + 1) if len(self.notes) > 2 * page else ""
            return 200, json.dumps(self.notes[2 * page - 2 : 2 * page]).encode(), more
        values = json.loads(body)
        if method == "POST":
            self.notes.append({"id": len(self.notes), "system": False, **values})
            return 201, json.dumps(self.notes[-1]).encode(), ""
        self.notes[int(path.rpartition("/")[2])] |= values
        return 200, b"{}", ""


@contextmanager
def host() -> Iterator[Host]:
    found = Host()

    class Service(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            tokens = [self.headers[name] for name in ("PRIVATE-TOKEN", "JOB-TOKEN") if self.headers[name]]
            found.seen.append((self.command, self.path, " ".join(tokens)))
            status, content, more = (
                found.answer(self.command, self.path, body) if tokens == ["secret"] else (401, b"bad token secret", "")
            )
            self.send_response(status)
            self.send_header("x-next-page", more)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = handle_one  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        found.address = f"http://127.0.0.1:{service.server_address[1]}/api/v4"
        try:
            yield found
        finally:
            service.shutdown()
            thread.join()


@pytest.mark.slow
def test_a_note_is_changed_by_later_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_reports(busy(), tmp_path / "out")
    file = tmp_path / "note.md"
    rig_here(capsys, "gitlab", "report", str(tmp_path / "out"), "--note-file", str(file))
    with host() as server:
        server.notes += [{"id": number, "system": False, "body": "by a person"} for number in range(3)]
        environment = USER | {"CI_API_V4_URL": server.address, "CI_PROJECT_ID": "5", "RIG_GITLAB_TOKEN": "secret"}
        words = ("gitlab", "note", str(file), "--merge-request", "7")
        first = rig_here(capsys, *words, environment=environment)
        file.write_text(file.read_text() + "more\n")
        second = rig_here(capsys, *words, environment=environment)
        assert (first.stdout, second.stdout) == (
            "wrote note 3 under merge request 7\n",
            "changed note 3 of merge request 7\n",
        )
        assert len(server.notes) == 4 and server.notes[3]["body"].endswith("more\n")
        refused = rig_here(capsys, *words, environment=environment | {"RIG_GITLAB_TOKEN": "wrong"})
        assert refused.returncode == 3 and "status 401" in refused.stderr and "wrong" not in refused.stderr
        for name, value, said in (
            ("RIG_GITLAB_TOKEN", "", "must hold a token"),
            ("CI_PROJECT_ID", "", "CI_API_V4_URL and CI_PROJECT_ID"),
            ("CI_API_V4_URL", "http://example.org/api/v4", "without https"),
        ):
            bad = rig_here(capsys, *words, environment=environment | {name: value})
            assert bad.returncode == 2 and said in bad.stderr
        assert rig_here(capsys, *words[:3], environment=environment).returncode == 2  # which merge request
        file.write_text("no mark\n")
        assert rig_here(capsys, *words, environment=environment).returncode == 2


@pytest.mark.slow
def test_a_shard_goes_through_the_packages_of_the_project(tmp_path: Path) -> None:
    shard = tmp_path / "from" / "guests-x86_64-1"
    (shard / "console").mkdir(parents=True)
    (shard / "results.json").write_text("{}")
    (shard / "console" / "log").write_bytes(b"\0\xff")
    (shard / "link").symlink_to("/etc/passwd")
    with host() as server:
        project = Server(f"{server.address}/projects/5", "secret", "JOB-TOKEN")
        assert packages.send(shard, project, "99") > 0
        assert packages.fetch("guests-x86_64-1", tmp_path / "to", project, "99")
        assert not packages.fetch("another", tmp_path / "to", project, "99")
        server.files["packages/generic/rig-shards/99/bad.tar.gz"] = b"no archive"
        with pytest.raises(MachineError, match="no archive of a shard"):
            packages.fetch("bad", tmp_path / "to", project, "99")
    files = {str(path.relative_to(tmp_path / "to")) for path in (tmp_path / "to").rglob("*") if path.is_file()}
    assert files == {"guests-x86_64-1/results.json", "guests-x86_64-1/console/log"}
    with pytest.raises(UserError):
        packages.send(tmp_path / "nothing", project, "99")
    with pytest.raises(MachineError, match="cannot be reached"):
        packages.send(shard, project, "99")


@pytest.mark.slow
def test_jobs_hand_their_shards_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_reports(busy(), tmp_path / "patches")
    shards = tmp_path / "shards.json"
    shards.write_text(json.dumps({"shards": [{"name": name, "places": []} for name in ("patches", "guests")]}))
    with host() as server:
        job = {"CI_API_V4_URL": server.address, "CI_PROJECT_ID": "5", "CI_JOB_TOKEN": "secret", "CI_PIPELINE_ID": "2"}
        child = USER | job | {"PARENT_PIPELINE_ID": "1"}
        sent = rig_here(capsys, "gitlab", "send", str(tmp_path / "patches"), environment=child)
        assert sent.returncode == 0 and "sent" in sent.stdout
        parent = USER | job | {"CI_PIPELINE_ID": "1"}
        words = ("gitlab", "fetch", str(tmp_path / "to"), "--shards", str(shards))
        assert rig_here(capsys, *words, environment=parent).stdout == "patches: here\nguests: missing\n"
    here = rig_here(capsys, "gitlab", "send", str(tmp_path / "patches"))
    assert here.returncode == 0 and "kept here" in here.stdout
