# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGKILL at random moments: the next call is right, and nothing is left behind.

A child process imports, checks out and applies on a generated tree of some thousand files, over and over in one cache,
and is killed each time at a moment that moves through the whole of its work.
"""

import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from kernels.patches.apply import apply_series
from kernels.patches.series import read_series
from kernels.source.store import Store
from kernels.source.worktree import worktree
from tests.faketree import Events, changed, git, make_tree, resolve
from tests.kernels.mailkit import write_series
from util.paths import ROOT
from util.stop import Stop

pytestmark = pytest.mark.slow
FILES = 1500

CHILD = """
import sys
from pathlib import Path
from util.stop import Stop
from kernels.patches.apply import apply_series
from kernels.patches.series import read_series
from kernels.source.resolve import resolve_source
from kernels.source.store import Store
from kernels.source.worktree import worktree

store, stop, quiet = Store(Path(sys.argv[1])), Stop(), lambda event: None
print("ready", flush=True)
source = resolve_source(sys.argv[2], store, quiet, stop)
with worktree(store, source.commit, quiet, stop) as path:
    pass
applied = apply_series(store, source, read_series(sys.argv[3], store, None, stop), None, quiet, stop)
with worktree(store, applied.commit, quiet, stop) as path:
    pass
print("done", flush=True)
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of some thousand files, in a folder, as a tarball and as a git repository beside it."""
    top = tmp_path_factory.mktemp("kill")
    noise = random.Random(1)
    files = {f"drivers/d{n % 40}/f{n}.c": f"int f{n};\n" + noise.randbytes(600).hex() for n in range(FILES)}
    make_tree(top / "linux", files={**files, "kernel/seccomp.c": changed()})
    with tarfile.open(top / "linux.tar.gz", "w:gz") as archive:
        archive.add(top / "linux", "linux-5.10.7")
    git(top / "linux", "init", "-q")
    git(top / "linux", "add", "-A")
    git(top / "linux", "commit", "-qm", "start")
    repo = write_series(top / "series")
    (top / "series.mbox").write_text(git(repo, "format-patch", "--stdout", "start"))
    return top


def start(cache: Path, source: str, series: Path) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", CHILD, str(cache), source, str(series)]
    return subprocess.Popen(
        argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )


def kill_after(seconds: float, cache: Path, source: str, series: Path) -> bool:
    """Whether the child was still at work."""
    with start(cache, source, series) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        return "done" not in child.stdout.read()


def own_processes(cache: Path) -> list[str]:
    """The command line and the state of each process that works in the cache."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if str(cache) in words and str(os.getpid()) != entry.parent.name:
                found.append(f"{words}\n{(entry.parent / 'status').read_text()}")
        except OSError:
            continue
    return found


def wait_for_nobody(cache: Path) -> None:
    """Ten seconds, counted in looks: a machine that stands still meanwhile gives the processes no time to end."""
    for _ in range(200):
        left = own_processes(cache)
        if not left:
            return
        Stop().wait(0.05)
    pytest.fail(f"left behind: {left}")


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", ["linux", "linux.tar.gz", "git"])
def test_killed_at_any_moment(tree: Path, tmp_path: Path, kind: str) -> None:
    source = f"git:{tree / 'linux'}@HEAD" if kind == "git" else str(tree / kind)
    series = tree / "series.mbox"
    began = time.monotonic()
    with start(tmp_path / "whole", source, series) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        began = time.monotonic()
        assert child.stdout.read() == "done\n"
    whole = time.monotonic() - began
    rounds = 8
    for attempt in range(3):
        cache = tmp_path / f"cache {attempt}"
        killed = 0
        for number in range(rounds):
            killed += kill_after(whole * (number + 0.5) / rounds, cache, source, series)
            wait_for_nobody(cache)
        _right_and_clean(cache, source, series, tree)
        if killed >= 3:
            return
        whole /= 3  # the machine was busy when the whole was timed, and is not any more
    pytest.fail("the machine was too fast for this test to mean anything")


def _right_and_clean(cache: Path, source: str, series: Path, tree: Path) -> None:
    store, expected = Store(cache), git(tree / "linux", "rev-parse", "HEAD^{tree}").strip()
    base = resolve(source, store)
    assert base.tree == expected
    applied = apply_series(store, base, read_series(str(series), store, None, Stop()), None, Events(), Stop())
    assert applied.failure is None
    for commit, count in ((base.commit, 0), (applied.commit, 1)):
        with worktree(store, commit, Events(), Stop()) as path:
            listed = store.git("ls-tree", "-r", "-z", "--name-only", commit).split("\0")[:-1]
            assert sorted(_files(path)) == sorted(listed)
            assert "changed_30" in (path / "kernel/seccomp.c").read_text() if count else True
            for name in random.Random(2).sample(listed, 200):
                content = (
                    os.fsencode((path / name).readlink()) if (path / name).is_symlink() else (path / name).read_bytes()
                )
                assert content == store.blob(commit, name)
    assert store.run("fsck", "--full", "--strict").status == 0
    with store.importing(Stop()), store.scratch():
        pass
    left = [
        str(path.relative_to(cache)) for path in cache.rglob("*") if "tmp_" in path.name and path.name[:8] != "tmp_obj_"
    ]
    assert left == []
    assert list((cache / "scratch").iterdir()) == []
    assert store.git("for-each-ref", "refs/rig/incoming") == ""


def _files(top: Path) -> list[str]:
    return [str(path.relative_to(top)) for path in top.rglob("*") if path.is_symlink() or path.is_file()]


@pytest.mark.no_cover
def test_two_runs_at_once_and_one_of_them_killed(tree: Path, tmp_path: Path) -> None:
    cache, source, series = tmp_path / "cache", str(tree / "linux.tar.gz"), tree / "series.mbox"
    for delay in (0.1, 0.4, 0.8):
        with start(cache, source, series) as first, start(cache, source, series) as second:
            assert first.stdout is not None
            assert second.stdout is not None
            assert first.stdout.readline() == second.stdout.readline() == "ready\n"
            Stop().wait(delay)
            first.send_signal(signal.SIGKILL)
            assert second.stdout.read() == "done\n", "the other run got through"
            assert second.wait() == 0
        wait_for_nobody(cache)
    _right_and_clean(cache, source, series, tree)
