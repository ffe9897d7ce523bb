# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command that may not take more than its limits, and of which nothing may be left when it or the rig ends.

    supervise.py [--seconds N] [--memory MB] [--processes N] [--disk MB --folder PATH] [--file MB] -- COMMAND...

Standard input is a pipe whose other end the starter holds. When the starter dies, however it dies, the pipe closes and
the command is killed. This process is the reaper of everything below it (PR_SET_CHILD_SUBREAPER): what leaves its
process group or its session, as a daemon does, still becomes a child of this process, and is killed with the others.

The exit status is the command's (128 + signal where it was killed), or LIMIT, after a line that begins with SAID, where
it went beyond a limit. Used as a program, with nothing but the standard library.
"""

import contextlib
import ctypes
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Iterator

LIMIT = 119
SAID = "rig: a limit was reached: "
_POLL = 0.25  # seconds between two looks at memory and processes
_WALK = 4.0  # seconds between two counts of the folder's bytes
_RESERVE_MB = 256  # what must stay free on the disk of the folder
_PAGE_MB = resource.getpagesize() / (1 << 20)
_PR_SET_CHILD_SUBREAPER = 36
_NUMBERS = ("--seconds", "--memory", "--processes", "--disk", "--file")


def main(words: list[str]) -> int:
    """Every module that is imported here is paid for by each of thousands of short commands."""
    numbers, folder, command = _options(words)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    own = _own_folder()
    try:
        child = _start(command, numbers["--file"], own)
        problem = ""
        try:
            problem = _watch(child, numbers, folder)
        finally:
            status = _end(child)
    finally:
        _remove(own)
    if problem:
        os.write(2, f"\n{SAID}{problem}\n".encode("utf-8", "surrogateescape"))
        return LIMIT
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _options(words: list[str]) -> tuple[dict[str, int], str, list[str]]:
    """The limits by option (0: none), the folder to watch, and the command."""
    end = words.index("--")
    pairs = dict(zip(words[:end:2], words[1:end:2], strict=True))
    folder = pairs.pop("--folder", "")
    return {name: int(pairs.get(name, 0)) for name in _NUMBERS}, folder, words[end + 1 :]


def _own_folder() -> str:
    """A new folder for the command's temporary files, to be gone when it ends."""
    path = f"{os.environ.get('TMPDIR', '/tmp')}/rig-build-{os.getpid()}-{time.monotonic_ns()}"
    os.mkdir(path, 0o700)
    return path


def _remove(folder: str) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(folder)
        return
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _start(command: list[str], file_mb: int, own: str) -> int:
    """The command in a session of its own: make and its children stay in one process group, apart from ours."""
    child = os.fork()
    if child:
        return child
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        _restrain(file_mb)
        os.execvpe(command[0], command, {**os.environ, "TMPDIR": own})
    except OSError as error:
        os.write(2, f"cannot start `{command[0]}`: {error.strerror}\n".encode("utf-8", "surrogateescape"))
    finally:
        os._exit(127)


def _restrain(file_mb: int) -> None:
    """In the child, before the command: what the kernel itself can hold back."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if file_mb:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        size = file_mb << 20 if hard == resource.RLIM_INFINITY else min(file_mb << 20, hard)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")  # of all processes, these go first


def _watch(child: int, numbers: dict[str, int], folder: str) -> str:
    """Waits for the end of the command or of the starter. Returns the limit that it broke, in words, or nothing."""
    ended = os.pidfd_open(child)
    begun = time.monotonic()
    walk = begun + _WALK
    while True:
        ready, _, _ = select.select([0, ended], [], [], _POLL)
        if ready:
            return ""
        now = time.monotonic()
        if numbers["--seconds"] and now - begun > numbers["--seconds"]:
            return f"the command ran for more than {numbers['--seconds']} s"
        if problem := _load(numbers) or _full(folder):
            return problem
        if numbers["--disk"] and now > walk:
            if _size(folder) > numbers["--disk"] << 20:
                return f"{folder} holds more than {numbers['--disk']} MB"
            walk = time.monotonic() + _WALK


def _load(numbers: dict[str, int]) -> str:
    """Processes and memory of the command and all below it."""
    family = _family()
    if numbers["--processes"] and len(family) > numbers["--processes"]:
        return f"the command had more than {numbers['--processes']} processes at once"
    if numbers["--memory"] and sum(map(_memory, family)) > numbers["--memory"]:
        return f"the command used more than {numbers['--memory']} MB of memory"
    return ""


def _full(folder: str) -> str:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return ""
    if disk.f_bavail * disk.f_frsize < _RESERVE_MB << 20 and disk.f_blocks * disk.f_frsize > 2 * _RESERVE_MB << 20:
        return f"less than {_RESERVE_MB} MB are free on the disk of {folder}"
    return ""


def _size(folder: str) -> int:
    total = 0
    for root, _folders, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_blocks * 512
    return total


def _family() -> list[int]:
    """Every process below this one."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found, new = [], children.get(os.getpid(), [])
    while new:
        found += new
        new = [pid for parent in new for pid in children.get(parent, [])]
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            with (
                contextlib.suppress(OSError, ValueError, IndexError),
                open(f"/proc/{name}/stat", encoding="latin-1") as file,
            ):
                yield int(name), int(file.read().rpartition(")")[2].split()[1])


def _memory(pid: int) -> float:
    """The anonymous memory of a process, in MB (proc_pid_statm(5): resident less shared)."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            _all, resident, shared, *_rest = file.read().split()
    except (OSError, ValueError):
        return 0.0
    return (int(resident) - int(shared)) * _PAGE_MB


def _end(child: int) -> int:
    """Kills the command, if it still runs, and what it left behind, wherever that went. Returns its wait status."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)  # it may not lead its group yet, and until we wait for it the number is its own
    status = os.waitpid(child, 0)[1]
    while True:
        for pid in _family():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return status
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
