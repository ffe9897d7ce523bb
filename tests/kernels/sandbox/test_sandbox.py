# SPDX-License-Identifier: GPL-2.0-or-later
"""A hostile Makefile in each kind of sandbox. `docs/sandbox.md` shows the same table, and a test compares the two."""

import os
import re
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kernels.sandbox import landlock
from kernels.sandbox.limits import Limits, limits
from kernels.sandbox.room import Room, refused_calls
from kernels.sandbox.sandbox import KINDS, SWITCH, probe, probed, sandbox_kind
from util.errors import MachineError, UserError
from util.paths import ROOT
from util.stop import Stop

CANARY = "canary-5f1d9a"
HELD, OPEN, LIMIT = "held", "open", "limit"

MAKEFILE = r"""
home:
	cat {home}/secret > loot
cache:
	cat {home}/.cache/kernel-patch-rig/cells/one > loot
own_environment:
	env > loot
environment:
	-@for f in /proc/[0-9]*/environ; do tr '\0' '\n' < $$f; done > loot
descriptor:
	-@for f in /proc/[0-9]*/fd/*; do [ -f $$f ] && timeout 1 head -c 4096 $$f; done > loot
write:
	echo x > {home}/planted
source:
	echo x > planted
change_mode:
	chmod 0777 {home}/secret
names:
	stat {home}/secret && echo {canary} > loot
signal:
	kill -9 {pid}
tcp:
	python3 -c "import socket; socket.create_connection(('127.0.0.1', {port}), 3)"
udp:
	python3 -c "from socket import *; socket(AF_INET, SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {datagrams}))"
unix:
	python3 -c "import socket; socket.socket(socket.AF_UNIX).connect('{home}/socket')"
stay:
	setsid -f sh -c 'setsid -f sleep 987.5'; setsid -f sleep 987.5; sleep 0.2
disk:
	python3 -c "while True: open(str(__import__('time').time()), 'wb').write(bytes(1 << 20))"
one_file:
	python3 -c "f = open('file', 'wb'); [f.write(bytes(1 << 20)) for _ in range(100)]"
print:
	yes this is printed for ever
eat:
	python3 -c "x = bytearray(300 << 20); __import__('time').sleep(60)"
fork:
	python3 -c "import os, time; [os.fork() for _ in range(7)]; time.sleep(60)"
sleep:
	sleep 60
"""
EXPECTED = {
    # what the Makefile tries: bwrap, landlock, none
    "home": (HELD, HELD, OPEN),
    "cache": (HELD, HELD, OPEN),
    "own_environment": (HELD, HELD, HELD),
    "environment": (HELD, HELD, OPEN),
    "descriptor": (HELD, HELD, OPEN),
    "write": (HELD, HELD, OPEN),
    "source": (HELD, HELD, OPEN),
    "change_mode": (HELD, OPEN, OPEN),
    "names": (HELD, OPEN, OPEN),
    "signal": (HELD, HELD, OPEN),
    "tcp": (HELD, HELD, OPEN),
    "udp": (HELD, HELD, OPEN),
    "unix": (HELD, HELD, OPEN),
    "stay": (HELD, HELD, HELD),
    "disk": (LIMIT, LIMIT, LIMIT),
    "one_file": (HELD, HELD, HELD),
    "print": (LIMIT, LIMIT, LIMIT),
    "eat": (LIMIT, LIMIT, LIMIT),
    "fork": (LIMIT, LIMIT, LIMIT),
    "sleep": (LIMIT, LIMIT, LIMIT),
}
SMALL = {
    "disk": "disk=20",
    "one_file": "file=8",
    "print": "output=1",
    "eat": "memory=150",
    "fork": "processes=40",
    "sleep": "seconds=1",
}
SINCE = {"signal": 6}
"""The version of Landlock's interface from which on it holds."""


@dataclass
class Scene:
    """The user's home with a secret, a process of the user's with another, a descriptor and two sockets."""

    root: Path
    victim: "subprocess.Popen[bytes]"
    server: socket.socket
    datagrams: socket.socket

    @property
    def home(self) -> Path:
        return self.root / "home"

    def attack(self, kind: str, target: str) -> str:
        """Lets make attack from inside a sandbox; what came of it."""
        source, output = self.root / "src", self.root / "out"
        for folder in (source, output):
            folder.mkdir()
        ports = {"port": self.server.getsockname()[1], "datagrams": self.datagrams.getsockname()[1]}
        words = {"home": self.home, "pid": self.victim.pid, "canary": CANARY, **ports}
        text = re.sub(r"\{(home|pid|port|datagrams|canary)\}", lambda match: str(words[match[1]]), MAKEFILE)
        (source / "Makefile").write_text(text.replace("> planted", f"> {source}/planted"))
        room = Room(kind, source, output)
        (source / "Makefile").write_text((source / "Makefile").read_text().replace(f"{source}/", f"{room.src}/"))
        log = self.root / "log"
        try:
            room.run(("make", "-f", f"{room.src}/Makefile", target), {"HOME": "/tmp"}, log, Stop())
        except MachineError as error:
            assert "limit" in str(error) or "printed more than" in str(error)
            return LIMIT
        loot = output / "loot"
        got = CANARY in (loot.read_text(errors="replace") if loot.is_file() else "")
        return OPEN if got or self._harmed(target, log.read_text(errors="replace")) else HELD

    def _harmed(self, target: str, log: str) -> bool:
        if target in ("tcp", "unix"):
            return "Error" not in log
        checks: dict[str, Callable[[], bool]] = {
            "udp": self._datagram,
            "write": (self.home / "planted").exists,
            "source": (self.root / "src" / "planted").exists,
            "change_mode": lambda: (self.home / "secret").stat().st_mode & 0o777 == 0o777,
            "signal": lambda: self.victim.poll() is not None,
            "stay": lambda: bool(_running(b"sleep\x00987.5")),
            "one_file": lambda: (self.root / "out" / "file").stat().st_size > 8 << 20,
        }
        return checks[target]() if target in checks else False

    def _datagram(self) -> bool:
        self.datagrams.settimeout(0.5)
        try:
            return bool(self.datagrams.recv(16))
        except TimeoutError:
            return False


def _running(command: bytes) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if command in (folder / "cmdline").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    home = tmp_path / "home"
    cell = home / ".cache" / "kernel-patch-rig" / "cells" / "one"
    cell.parent.mkdir(parents=True)
    for path in (home / "secret", cell):
        path.write_text(CANARY)
        path.chmod(0o600)
    handle = os.open(home / "secret", os.O_RDONLY)
    os.set_inheritable(handle, True)
    environment = {"CI_JOB_TOKEN": CANARY, "PATH": os.environ["PATH"]}
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_UNIX) as unix,
        subprocess.Popen(["sleep", "300"], env=environment, pass_fds=(handle,)) as victim,
    ):
        here = Path.cwd()
        os.chdir(home)  # the path of a Unix socket may be 107 bytes long
        unix.bind("socket")
        os.chdir(here)
        unix.listen()
        datagrams.bind(("127.0.0.1", 0))
        yield Scene(tmp_path, victim, server, datagrams)
        victim.kill()
    os.close(handle)


def _needs(kind: str) -> None:
    if problem := probe(kind):
        pytest.skip(f"{kind}: {problem}")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", EXPECTED)
def test_a_hostile_makefile(scene: Scene, kind: str, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _needs(kind)
    if kind == "landlock" and landlock.interface() < SINCE.get(target, 1):
        pytest.skip(f"this kernel's Landlock cannot hold `{target}`")
    monkeypatch.setenv("CI_JOB_TOKEN", CANARY)
    monkeypatch.setenv("RIG_LIMITS", SMALL.get(target, ""))
    assert scene.attack(kind, target) == EXPECTED[target][KINDS.index(kind)]
    assert not _running(b"sleep\x00987.5")


def test_the_table_of_the_documents_is_the_one_that_is_tested() -> None:
    text = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .* \| `(\w+)` \| (\w+) \| (\w+) \| (\w+) \|$", text, re.MULTILINE)
    assert {name: tuple(outcomes) for name, *outcomes in rows} == EXPECTED


CALLER = """
import sys
from pathlib import Path
from kernels.sandbox.room import Room, refused_calls
from util.stop import Stop
kind, root = sys.argv[1], Path(sys.argv[2])
room = Room(kind, root / "src", root / "out")
room.run(("make", "-f", f"{room.src}/Makefile", "all"), {"HOME": "/tmp"}, root / "log", Stop())
"""
SEARCH = """
all:
	-env
	-@for f in /proc/[0-9]*/environ; do tr '\\0' '\\n' < $$f; done
	-@for f in /proc/[0-9]*/fd/*; do readlink $$f; [ -f $$f ] && timeout 1 head -c 4096 $$f; done
	-@cat %(home)s/secret %(home)s/.netrc $$HOME/secret ~/secret
	-@grep -rs canary- /root /home /tmp /var/tmp /run --include=secret
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_canary_of_the_caller_is_found(tmp_path: Path, kind: str) -> None:
    """In every variable, in a file of the home folder and in an open descriptor; the search finds them without one."""
    _needs(kind)
    home, source = tmp_path / "home", tmp_path / "src"
    for folder in (home, source, tmp_path / "out"):
        folder.mkdir()
    (home / "secret").write_text(f"{CANARY}-home\n")
    handle = os.open(tmp_path / "held", os.O_RDWR | os.O_CREAT)
    os.write(handle, f"{CANARY}-descriptor\n".encode())
    os.set_inheritable(handle, True)
    (source / "Makefile").write_text(SEARCH % {"home": home})
    environment = {name: f"{CANARY}-{name}" for name in (*os.environ, "CI_JOB_TOKEN") if name not in ("PATH", "TMPDIR")}
    command = (sys.executable, "-c", CALLER, kind, str(tmp_path))
    environment |= {"PATH": os.environ["PATH"], "HOME": str(home), "SECRET": f"{CANARY}-variable"}
    subprocess.run(command, cwd=ROOT, env=environment, pass_fds=(handle,), check=True)
    os.close(handle)
    written = [tmp_path / "log", *(path for path in (tmp_path / "out").rglob("*") if path.is_file())]
    found = {word for path in written for word in re.findall(rf"{CANARY}-\w+", path.read_text(errors="replace"))}
    wanted = {f"{CANARY}-{word}" for word in ("home", "descriptor", "variable", "CI_JOB_TOKEN")}
    assert (found >= wanted) if kind == "none" else not found


def test_the_choice_is_the_first_that_works_and_none_only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    works = {"bwrap": "", "landlock": ""}
    monkeypatch.setattr("kernels.sandbox.sandbox.probe", works.__getitem__)
    assert sandbox_kind() == "bwrap"
    works["bwrap"] = "no user namespaces"
    assert sandbox_kind() == "landlock"
    works["landlock"] = "no Landlock"
    with pytest.raises(MachineError, match=r"no user namespaces.*no Landlock.*user namespaces.*RIG_SANDBOX=none"):
        sandbox_kind()
    monkeypatch.setenv(SWITCH, "none")
    assert sandbox_kind() == "none"
    monkeypatch.setenv(SWITCH, "bwrap")
    with pytest.raises(MachineError, match="bwrap: no user namespaces"):
        sandbox_kind()


def test_a_bubblewrap_that_was_missing_is_found_once_it_is_there() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        assert "not installed" in probe("bwrap")
    assert "not installed" not in probe("bwrap")


def test_a_sandbox_that_lets_the_secret_through_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe proves by doing: a bubblewrap that shows the whole host is refused."""
    probed.cache_clear()
    everything = ("env", "-i", "bwrap", "--bind", "/", "/", "--")
    monkeypatch.setattr("kernels.sandbox.room.bwrap", lambda *_: everything)
    assert "does not work here" in probe("bwrap")
    probed.cache_clear()


def test_limits_are_read() -> None:
    assert limits({"RIG_LIMITS": "seconds=5, disk=0"}).seconds == 5
    assert "--disk" not in limits({"RIG_LIMITS": "disk=0"}).arguments()
    assert Limits().seconds > 0
    for wrong in ("second=5", "seconds=-1", "seconds", "seconds=1e3"):
        with pytest.raises(UserError, match="RIG_LIMITS"):
            limits({"RIG_LIMITS": wrong})


def test_the_end_of_the_starter_ends_what_has_left_its_session(tmp_path: Path) -> None:
    script = textwrap.dedent(CALLER)
    (tmp_path / "src").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "src" / "Makefile").write_text("all:\n\tsetsid -f sleep 765.25; echo x > started; sleep 60\n")
    command = (sys.executable, "-c", script, "none", str(tmp_path))
    with subprocess.Popen(command, cwd=ROOT) as caller:
        while not (tmp_path / "out" / "started").exists():
            time.sleep(0.05)
        assert _running(b"sleep\x00765.25")
        caller.kill()
    until = time.monotonic() + 20
    while _running(b"sleep\x00765.25") and time.monotonic() < until:
        time.sleep(0.05)
    assert not _running(b"sleep\x00765.25")


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ("x86_64", "--audit-arch 3221225534 --sockets 41 --keyrings 248,249,250 --foreign-from 1073741824"),
        ("aarch64", "--audit-arch 3221225655 --sockets 198 --keyrings 217,218,219"),
        ("s390x", "--audit-arch 2147483670 --sockets 102,359 --keyrings 278,279,280"),
        ("vax", ""),
    ],
)
def test_landlock_is_told_the_numbers_of_the_host(machine: str, words: str) -> None:
    """AUDIT_ARCH_* of linux/audit.h, __NR_* of asm/unistd.h, and __X32_SYSCALL_BIT."""
    assert " ".join(refused_calls(machine)) == words
