# SPDX-License-Identifier: GPL-2.0-or-later
"""Confines itself by Landlock, then becomes a command: a sandbox that needs no privilege and no namespace.

    landlock.py [--read PATH]... [--write PATH]... [--setenv NAME VALUE]... [--chdir PATH] [--audit-arch N
        --sockets N,... --keyrings N,... [--foreign-from N]] -- COMMAND...

What Landlock controls, by the version of its interface (Documentation/userspace-api/landlock.rst): files from 1 (Linux
5.13), renames between folders from 2 (5.19), truncation from 3 (6.2), TCP from 4 (6.7), device ioctls from 5 (6.10),
signals and abstract Unix sockets from 6 (6.12). A filter of system calls refuses what Landlock does not cover,
or not yet in an older kernel: every new socket, io_uring (which can make one too) and the keyrings of the user. The
numbers of these are the host's, and come as options: without them there is no such filter. Used as a program, with
nothing but the standard library; `interface` is for the rig.
"""

import argparse
import ctypes
import os
import struct
import sys
import tempfile

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION = 1  # LANDLOCK_CREATE_RULESET_VERSION
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_NODES = 1 << 6 | 1 << 11  # MAKE_CHAR, MAKE_BLOCK
_TCP, _SCOPES = 0b11, 0b11
_PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP, _PR_SET_FILTER = 38, 24, 22
_CAPABILITIES = 64
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

_FOREIGN_SOCKET = 97  # EAFNOSUPPORT
_NO_CALL = 38  # ENOSYS
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K and JGE|K, BPF_RET|K
_IO_URING_SETUP = 425  # the same on every architecture

_libc = ctypes.CDLL(None, use_errno=True)


def interface() -> int:
    """The version of Landlock that this kernel has; 0 where it has none or it is switched off."""
    return max(0, int(_libc.syscall(CREATE_RULESET, None, 0, _VERSION)))


def main(words: list[str]) -> int:
    options = _options(words)
    env = dict(options.setenv)
    own = os.environ.get("TMPDIR") or tempfile.mkdtemp(prefix="rig-build-")
    env |= {"TMPDIR": own, **({"HOME": own} if "HOME" in env else {})}
    try:
        _drop_privileges()
        _confine(options.read, (*options.write, own))
        if options.audit_arch:
            _refuse_calls(options)
        os.chdir(options.chdir)
        os.execvpe(options.command[0], options.command, env)
    except OSError as error:
        print(f"landlock.py: {error.filename or options.command[0]}: {error.strerror}", file=sys.stderr)
    return 127


def _options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--read", action="append", default=[], metavar="PATH")
    parser.add_argument("--write", action="append", default=[], metavar="PATH")
    parser.add_argument("--setenv", action="append", default=[], nargs=2, metavar=("NAME", "VALUE"))
    parser.add_argument("--chdir", default="/")
    parser.add_argument("--audit-arch", type=int, default=0, metavar="N")
    for name in ("--sockets", "--keyrings"):
        parser.add_argument(name, type=_numbers, default=[], metavar="N,...")
    parser.add_argument("--foreign-from", type=int, default=0, metavar="N")
    parser.add_argument("command", nargs="+")
    return parser.parse_args(words)


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _drop_privileges() -> None:
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    for number in range(_CAPABILITIES):
        _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)  # fails where we have none: then there is nothing to drop


def _confine(read: list[str], write: tuple[str, ...]) -> None:
    version = interface()
    if not version:
        raise OSError(0, "this kernel has no Landlock", "landlock_create_ruleset")
    handled = (1 << 13) - 1
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEV)):
        handled |= right if version >= since else 0
    fields = [handled, *([_TCP] if version >= 4 else []), *([_SCOPES] if version >= 6 else [])]
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _check(_libc.syscall(CREATE_RULESET, attributes, len(attributes), 0))
    look = _EXECUTE | _READ_FILE | _READ_DIR
    for path in read:
        _allow(ruleset, path, look)
    for path in DEVICES:
        _allow(ruleset, path, _READ_FILE | _WRITE_FILE)
    for path in write:
        _allow(ruleset, path, handled & ~_NODES & ~_IOCTL_DEV)
    _check(_libc.syscall(RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    if not os.path.isdir(path):
        rights &= _OF_FILES
    rule = struct.pack("=Qi", rights, place)
    _check(_libc.syscall(ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
    os.close(place)


def _refuse_calls(host: argparse.Namespace) -> None:
    """A filter of system calls (prctl(2)) for the machine's own architecture; calls by any other are refused whole, and
    so are those of an ABI that shares the architecture and has numbers of its own from `foreign_from` on."""
    sockets, keys = ((number, _FOREIGN_SOCKET) for number in host.sockets), ((key, _NO_CALL) for key in host.keyrings)
    refused = [*sockets, (_IO_URING_SETUP, _NO_CALL), *keys]
    code = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, host.audit_arch), (_RETURN, 0, 0, _ERRNO | _NO_CALL), (_LOAD, 0, 0, 0)]
    if host.foreign_from:
        code += [(_AT_LEAST, 0, 1, host.foreign_from), (_RETURN, 0, 0, _ERRNO | _NO_CALL)]
    for number, errno in refused:
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | errno)]
    code.append((_RETURN, 0, 0, _ALLOW))
    raw = b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
    buffer = ctypes.create_string_buffer(raw, len(raw))
    program = struct.pack("@HP", len(code), ctypes.addressof(buffer))
    _check(_libc.prctl(_PR_SET_FILTER, 2, program, 0, 0))


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "the sandbox")
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
