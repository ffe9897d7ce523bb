# SPDX-License-Identifier: GPL-2.0-or-later
"""Compiles static programs for the ABIs of `configs/archs/*.yaml`, each once.

A program is named by what it is made of: the sources after the preprocessor (so every header counts, and no other
file), the flags, and the toolchain itself. The same name means the same bytes.
"""

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from configs.model import Toolchain
from util.children.program import Finished, run
from util.errors import MachineError
from util.events import Listener, silent
from util.files.cached import cached_folder
from util.paths import cache
from util.stop import Stop

LINE_BUFFER = Path(__file__).parent / "linebuf.c"
"""A source to link into a test: its standard output is then passed on line by line, also when it dies in between."""


class CompileError(Exception):
    """A program does not compile or link. `command` repeats it by hand, `output` is the compiler's text."""

    def __init__(self, command: Sequence[str], output: str) -> None:
        self.command = tuple(command)
        self.output = output
        super().__init__(self.first_line)

    @property
    def first_line(self) -> str:
        """The first error, in one line."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        errors = [line for line in lines if "error:" in line or "undefined reference" in line]
        return next(iter(errors or lines), f"{self.command[0]} failed without a word")


def missing(toolchains: Iterable[Toolchain]) -> list[str]:
    """The Debian packages of those toolchains of which compiler or C library is not there, sorted."""
    lacking = [chain for chain in toolchains if shutil.which(chain.cc) is None or not _libc(chain)]
    return sorted({package for chain in lacking for package in chain.packages})


def identity(toolchain: Toolchain) -> str:
    """Hexadecimal digest of what the compiler, the linker and the static C library are. Raises MachineError if there
    is no such toolchain."""
    compiler, libc = shutil.which(toolchain.cc), _libc(toolchain)
    if compiler is None or libc is None:
        packages = " ".join(missing([toolchain]))
        raise MachineError(
            f"{toolchain.cc} or its static C library is missing; mend it with: apt-get install {packages}"
        )
    return _identity(compiler, str(libc), Path(compiler).stat().st_mtime_ns, libc.stat().st_mtime_ns)


def compile_static(
    toolchain: Toolchain,
    sources: Sequence[Path],
    name: str,
    *,
    flags: Sequence[str] = (),
    libraries: Sequence[str] = (),
    stop: Stop,
    emit: Listener = silent,
) -> Path:
    """The static program `name` made from C sources, out of the cache or compiled now.

    `flags` go to compiler and linker alike, `libraries` (`-pthread`, paths of archives) behind the sources. An archive
    counts by its content when it is given as a path, not as `-l`. Source paths do not get into the program.
    Raises CompileError, MachineError (no such toolchain), Stopped.
    """
    libraries = [str(Path(word).absolute()) if Path(word).is_file() else word for word in libraries]
    return _compile(toolchain, sources, name, (*toolchain.cflags, *flags), "-static", libraries, stop, emit)


def compile_shared(
    toolchain: Toolchain,
    sources: Sequence[Path],
    name: str,
    *,
    flags: Sequence[str] = (),
    stop: Stop,
    emit: Listener = silent,
) -> Path:
    """The same for a shared library, which a program of the host loads."""
    return _compile(toolchain, sources, name, (*toolchain.cflags, *flags), "-shared", (), stop, emit)


def _compile(
    toolchain: Toolchain,
    sources: Sequence[Path],
    name: str,
    flags: tuple[str, ...],
    form: str,
    libraries: Sequence[str],
    stop: Stop,
    emit: Listener,
) -> Path:
    sources = [source.absolute() for source in sources]
    contents = [Path(word).read_bytes() for word in libraries if Path(word).is_file()]
    digest = hashlib.sha256(repr((identity(toolchain), name, flags, form, tuple(libraries))).encode())
    digest.update(b"".join(hashlib.sha256(content).digest() for content in contents))
    compiler = (toolchain.cc, *flags, *_path_free(sources))
    digest.update(_preprocessed((*compiler, "-E", "-P", "-H"), sources, stop))
    command = (*compiler, form, *map(str, sources), *libraries, "-o", name)

    def link(folder: Path) -> None:  # works in the folder, which so takes the compiler's own temporary files as well
        done = _started(command, stop, folder)
        if done.status:
            raise CompileError(command, done.words)

    key = digest.hexdigest()[:32]
    return cached_folder(cache("initramfs", "programs"), key, stop, link, emit, f"program {name}") / name


@dataclass(frozen=True, slots=True)
class _Answer:
    """`digest` of what came of these files when they had these `stamps`."""

    files: tuple[str, ...]
    stamps: tuple[tuple[int, int, int], ...]
    digest: bytes


_answers: dict[tuple[str, ...], _Answer] = {}
_HEADER = re.compile(r"\.++ (.+)")
"""How `-H` names a header that is read: by a dot for each level of inclusion."""
_TICK = 100_000_000
"""Nanoseconds within which two changes of a file may bear the same time."""


def _preprocessed(command: tuple[str, ...], sources: Sequence[Path], stop: Stop) -> bytes:
    """Digest of what the preprocessor makes of the sources. A run asks for the same programs for each of its guests, so
    an answer holds in this process for as long as no file is touched that was read for it."""
    key = (*command, *map(str, sources))
    known = _answers.get(key)
    if known and _stamps(known.files) == known.stamps:
        return known.digest
    begun = time.time_ns()
    done = _started(key, stop)
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    headers = [match for line in lines if (match := _HEADER.fullmatch(line))]
    if done.status:
        left = "\n".join(line for line in lines if line.strip() and not _HEADER.fullmatch(line))
        raise CompileError([word for word in key if word != "-H"], left)
    files = tuple({*map(str, sources), *(match[1] for match in headers)})
    stamps, digest = _stamps(files), hashlib.sha256(done.stdout).digest()
    if stamps and max(stamps)[0] < begun - _TICK:
        _answers[key] = _Answer(files, stamps, digest)
    return digest


def _stamps(files: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """Time, size and inode of each; nothing if one is gone."""
    try:
        found = [Path(name).stat() for name in files]
    except OSError:
        return ()
    return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in found)


def command_by_hand(
    toolchain: Toolchain, sources: Sequence[Path], output: Path, flags: Sequence[str] = ()
) -> tuple[str, ...]:
    """The compiler's argument list for the same program in the file `output`, whose folder has to be there."""
    return (toolchain.cc, *toolchain.cflags, *flags, "-static", *map(str, sources), "-o", str(output))


def _path_free(sources: Sequence[Path]) -> tuple[str, ...]:
    folders = sorted({str(source.parent) for source in sources})
    return tuple(f"-ffile-prefix-map={folder}=." for folder in folders)


def _started(command: Sequence[str], stop: Stop, scratch: Path | None = None) -> Finished:
    """The compiler to its end; it works in `scratch` if it writes."""
    extra = {"TMPDIR": str(scratch)} if scratch else {}
    return run(command, env={**os.environ, "LC_ALL": "C", **extra}, cwd=scratch, stop=stop)


def _libc(toolchain: Toolchain) -> Path | None:
    """The static C library that the compiler would take."""
    if toolchain.libc:
        path = Path(toolchain.libc)
    elif shutil.which(toolchain.cc):
        path = Path(_ask(toolchain.cc, *toolchain.cflags, "-print-file-name=libc.a"))
    else:
        return None
    return path if path.is_absolute() and path.exists() else None


@lru_cache
def _identity(compiler: str, libc: str, _compiler_mtime: int, _libc_mtime: int) -> str:
    digest = hashlib.sha256(Path(libc).read_bytes())
    for question in ("--version", "-dumpmachine", "-print-prog-name=ld"):
        digest.update(_ask(compiler, question).encode())
    digest.update(_ask(_ask(compiler, "-print-prog-name=ld"), "--version").encode())
    return digest.hexdigest()


def _ask(program: str, *args: str) -> str:
    """One quick question to a compiler or linker. Raises MachineError if it does not answer."""
    try:
        done = subprocess.run([program, *args], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise MachineError(f"`{program} {' '.join(args)}` fails: {error}") from None
    return done.stdout.strip()
