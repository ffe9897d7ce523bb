# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds one selftest for one ABI and installs it as `make -C tools/testing/selftests install` would, into the cache.

The name of a built selftest is made of the object ids of the files that went in, the content of the kernel's headers,
the toolchain and the libraries: a commit that touches none of them finds it built.
"""

import hashlib
import json
import os
import re
import shutil
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from configs.model import Abi
from initramfs.toolchain import LINE_BUFFER, identity
from testcases.selftests import SELFTESTS
from testcases.selftests.build.headers import install_headers
from testcases.selftests.build.inputs import Inputs, export, find_inputs
from testcases.selftests.build.libraries import build_libraries
from testcases.selftests.build.modules import NO_MODULES
from testcases.selftests.build.workshop import SandboxedFolder, first_error
from testcases.selftests.data import Target
from testcases.selftests.limits import FUNCTION, stretch
from testcases.suite import SuiteError
from util.events import Event, Listener, Phase
from util.files.cached import cached_folder
from util.paths import cache
from util.stop import Stop

if TYPE_CHECKING:
    from kernels.source.store import Store

_GENERATION = "5"
"""Goes into the key; changes when the way of building does."""
_MANIFEST = "manifest.json"
_SPECS = """*lib:
+ %{{!shared:%{{!nostartfiles:%{{!r:{here}/linebuf.o}}}}}}
"""
"""Adds an object to what gcc links behind a program's own as its C library, and so to no program that is linked without
one, to no shared library, and to no object file."""
_HELPERS = ("TEST_GEN_FILES", "TEST_GEN_PROGS_EXTENDED")
"""Where a target's Makefile names them (tools/testing/selftests/lib.mk)."""
_SANITISER = re.compile(r"-fsanitize=")


@dataclass(frozen=True, slots=True)
class BuiltTarget:
    """A built selftest: `folder/files` is what is installed, `programs` the tests to run in order, `failures` says for
    each program that was not built its first error, `lacking` for each that no test is but that tests may call;
    `origins` is the source file of each program of all three."""

    folder: Path
    programs: tuple[str, ...]
    failures: dict[str, str]
    lacking: dict[str, str]
    origins: dict[str, str]

    @property
    def files(self) -> Path:
        return self.folder / "files"


def build_target(
    store: "Store", commit: str, target: str, abi: Abi, data: Target, *, emit: Listener, stop: Stop
) -> BuiltTarget:
    """Built now or found in the cache. Raises UserError (no such target), SuiteError (nothing of it can be built),
    MachineError (toolchain, library, disk), Stopped."""
    inputs = find_inputs(store, commit, target, (*data.inputs, *(path for _, path in _brought(data))))
    headers, headers_digest = install_headers(store, commit, abi.kernel_header_arch, emit, stop)
    libraries, libraries_digest = build_libraries(inputs.libraries, abi.toolchain, abi.debian_arch, emit, stop)
    parts = (
        *(_GENERATION, inputs.digest, inputs.target, headers_digest, libraries_digest, identity(abi.toolchain)),
        *(_arch(data, abi), abi.toolchain.model_dump_json(), data.cflags, data.line_buffer, FUNCTION),
        *(_static(data, abi), data.make, data.programs, _SPECS),
        LINE_BUFFER.read_bytes() if data.line_buffer else b"",
        *(("files", *data.files) if data.files else ()),
        *(("tree_files", *sorted(data.tree_files.items())) if data.tree_files else ()),
    )
    key = hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    def make(folder: Path) -> None:
        _Work(store, inputs, abi, data, headers, libraries, folder, emit, stop).build()

    return _read(cached_folder(cache("testcases", "selftests"), key, stop, make, emit))


def commands_by_hand(tree: Path, out: Path, target: str, abi: Abi, data: Target) -> tuple[tuple[str, ...], ...]:
    """The same build without sandbox and cache, from the checkout `tree` into the folder `out`. A library of
    `libraries.yaml` has to be at hand."""
    chain = abi.toolchain
    headers = (f"O={out}/headers", f"INSTALL_HDR_PATH={out}/usr", "headers_install")
    flags = " ".join((f"-isystem {out}/usr/include", *data.cflags, *_no_sanitiser(tree, target)))
    build = (
        "make", "-C", f"{tree}/{SELFTESTS}/{target}", f"OUTPUT={out}/build", _arch(data, abi),
        f"CC={' '.join((chain.cc, *chain.cflags, *_static(data, abi)))}", f"CROSS_COMPILE={chain.triple}-",
        f"KHDR_INCLUDES=-isystem {out}/usr/include", f"USERCFLAGS={flags}", "KSFT_KHDR_INSTALL_DONE=1",
        f"INSTALL_PATH={out}/installed", NO_MODULES, *_variables(data), "all", "install",
    )  # fmt: skip
    folders = ("mkdir", "-p", f"{out}/headers", f"{out}/build")
    return folders, ("make", "-C", str(tree), f"ARCH={abi.kernel_header_arch}", *headers), build


def _static(data: Target, abi: Abi) -> tuple[str, ...]:
    """A program may define what the C library has as well, and does so when it is linked as its Makefile says."""
    return () if data.dynamic and abi.debian_arch else ("-static", "-Wl,-z,muldefs")


def _arch(data: Target, abi: Abi) -> str:
    return f"ARCH={data.arch_names.get(abi.kernel_header_arch, abi.kernel_header_arch)}"


def _variables(data: Target) -> tuple[str, ...]:
    return tuple(f"{name}={value}" for name, value in data.make.items())


def _no_sanitiser(tree: Path, target: str) -> tuple[str, ...]:
    """A sanitiser cannot be linked into a static program, and its library, which the guest would have to have, is of
    the compiler's version. `tree` may be a checkout that is not there yet."""
    makefile = tree / SELFTESTS / target / "Makefile"
    asks = makefile.is_file() and _SANITISER.search(makefile.read_text(encoding="utf-8", errors="replace"))
    return ("-fno-sanitize=all",) if asks else ()


def _read(folder: Path) -> BuiltTarget:
    manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    parts = (manifest[name] for name in ("failures", "lacking", "origins"))
    return BuiltTarget(folder, tuple(manifest["programs"]), *parts)


@dataclass(frozen=True, slots=True)
class _Work:
    """One build, in `folder`: `work/tree` holds the inputs, `work/build` the objects, `files` what gets installed."""

    store: "Store"
    inputs: Inputs
    abi: Abi
    data: Target
    headers: Path
    libraries: tuple[Path, ...]
    folder: Path
    emit: Listener
    stop: Stop

    def build(self) -> None:
        target, triple = self.inputs.target, self.abi.toolchain.triple
        step = f"selftests/{target} {triple}"
        work = self.folder / "work"
        work.mkdir()
        workshop = SandboxedFolder(work, self.stop)
        workshop = replace(workshop, env={**workshop.env, "PKG_CONFIG_PATH": f"{workshop.inside}/rig/lib/pkgconfig"})
        self._lay_out(work, workshop)
        command = self._command(workshop.inside)
        self.emit(Event(step, Phase.START, "builds", command=command))
        built = workshop.run((*command, "-k", "all"))
        whole = set(_files(work / "build"))
        absent = self._absent_helpers(workshop, command)
        installed = f"INSTALL_PATH={workshop.inside}/installed/{target}"
        workshop.run((*command, "-k", "-i", installed, "install"))
        # To install what there is, errors had to be ignored, and with them those of what could not be built before.
        for path in set(_files(work / "build")) - whole:
            (work / "installed" / target / path.relative_to(work / "build")).unlink(missing_ok=True)
        listed = workshop.run((*command, "-s", "COLLECTION=rig", "emit_tests"))
        programs = [line.removeprefix("rig:") for line in listed.text.splitlines() if line.startswith("rig:")]
        programs = list(dict.fromkeys(name for name in (*programs, *self.data.programs) if name and "/" not in name))
        if not programs:
            what = first_error(built.text if built.status else listed.text)
            raise SuiteError(f"selftests/{target} names no test to run for {triple}: {what}")
        made = work / "installed" / target
        made.mkdir(parents=True, exist_ok=True)
        failures = {name: self._why(workshop, command, name) for name in programs if not (made / name).exists()}
        lacking = {name: self._why(workshop, command, name) for name in absent if name not in programs}
        if len(failures) < len(programs):
            self._add_files(work)
        _take(work / "installed", self.folder / "files")
        origins = {name: self._origin(work / "tree", name) for name in (*programs, *lacking)}
        manifest = {"programs": programs, "failures": failures, "lacking": lacking, "origins": origins}
        (self.folder / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        (self.folder / "log").write_text(built.text, encoding="utf-8")
        _remove(work)
        self.emit(Event(step, Phase.DONE, f"{len(programs) - len(failures)} of {len(programs)} programs"))

    def _lay_out(self, work: Path, workshop: SandboxedFolder) -> None:
        tree = work / "tree"
        tree.mkdir()
        export(self.store, self.inputs.commit, [path for path, _ in self.inputs.objects], tree, self.stop)
        if not stretch(tree):
            note = "kselftest_harness.h sets its limit in an unknown way; a test may time out on a slow machine"
            self.emit(Event(f"selftests/{self.inputs.target}", Phase.NOTE, note))
        # Where 5.10's Makefiles look for them, by a relative path.
        shutil.rmtree(tree / "usr" / "include", ignore_errors=True)
        shutil.copytree(self.headers, tree / "usr" / "include")
        (work / "build").mkdir()
        for library in self.libraries:
            shutil.copytree(library, work / "rig", dirs_exist_ok=True)
        (work / "rig").mkdir(exist_ok=True)
        if self.data.line_buffer:
            shutil.copyfile(LINE_BUFFER, work / "rig" / "linebuf.c")
            chain = self.abi.toolchain
            here = f"{workshop.inside}/rig"
            (work / "rig" / "linebuf.specs").write_text(_SPECS.format(here=here), encoding="utf-8")
            compiled = workshop.run(
                [chain.cc, *chain.cflags, "-O2", "-c", f"{here}/linebuf.c", "-o", f"{here}/linebuf.o"]
            )
            if compiled.status:
                raise SuiteError(f"{chain.cc}: {first_error(compiled.text)}")

    def _command(self, top: str) -> tuple[str, ...]:
        """The make that all goals are asked of. CC is set here because no variable for flags reaches every target; a
        command line's setting also stands above `CC :=` in lib.mk."""
        chain = self.abi.toolchain
        compiler = [chain.cc, *chain.cflags, *_static(self.data, self.abi), "-Wl,--strip-debug"]
        if self.libraries:
            compiler += ["-isystem", f"{top}/rig/include", f"-L{top}/rig/lib"]
        if self.data.line_buffer:
            compiler.append(f"-specs={top}/rig/linebuf.specs")
        selftests = f"{top}/tree/{SELFTESTS}"
        return (
            "make", "-C", f"{selftests}/{self.inputs.target}", f"OUTPUT={top}/build", f"CC={' '.join(compiler)}",
            f"CROSS_COMPILE={chain.triple}-", _arch(self.data, self.abi),
            f"KHDR_INCLUDES=-isystem {top}/tree/usr/include", f"USERCFLAGS={' '.join(self._flags())}",
            # What a failed link leaves behind must not be taken for a program.
            "--eval=.DELETE_ON_ERROR:", "KSFT_KHDR_INSTALL_DONE=1",
            f"SRC_PATH={selftests}", f"OBJ_PATH={top}/installed", NO_MODULES,
            *_variables(self.data),
        )  # fmt: skip

    def _flags(self) -> tuple[str, ...]:
        """Behind the target's own."""
        return (*self.data.cflags, *_no_sanitiser(self.folder / "work" / "tree", self.inputs.target))

    def _absent_helpers(self, workshop: SandboxedFolder, command: tuple[str, ...]) -> list[str]:
        """What the target builds beside its tests, and that was not built. lib.mk puts the folder before each name."""
        names = " ".join(f"$({variable})" for variable in _HELPERS)
        rule = f"--eval=.PHONY: rig-helpers\nrig-helpers: ; @printf 'rig:%s\\n' {names}"
        listed = workshop.run((*command, "-s", rule, "rig-helpers"))
        found = [line.removeprefix("rig:").strip() for line in listed.text.splitlines() if line.startswith("rig:")]
        top = f"{workshop.inside}/build/"
        named = dict.fromkeys(name.removeprefix(top) for name in found if name.startswith(top))
        return [name for name in named if not (workshop.folder / "build" / name).exists()]

    def _why(self, workshop: SandboxedFolder, command: tuple[str, ...], name: str) -> str:
        """The first error of one program that was not built."""
        done = workshop.run((*command, f"{workshop.inside}/build/{name}"))
        if done.status == 0:
            return "the target's Makefile does not install it"
        return first_error(done.text).replace(f"{workshop.inside}/tree/", "").replace(f"{workshop.inside}/build/", "")

    def _add_files(self, work: Path) -> None:
        """The shell functions that scripts take from `../kselftest/`, and what the target's data names."""
        for name, path in (("kselftest", f"{SELFTESTS}/kselftest"), *_brought(self.data)):
            shared, place = work / "tree" / path, work / "installed" / name
            if shared.is_dir():
                shutil.copytree(shared, place, dirs_exist_ok=True, symlinks=True)
            elif shared.is_file() and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(shared, place)

    def _origin(self, tree: Path, name: str) -> str:
        folder = self.inputs.folder
        for candidate in (f"{folder}/{name}.c", f"{folder}/{name}"):
            if (tree / candidate).is_file():
                return candidate
        return folder


def _brought(data: Target) -> tuple[tuple[str, str], ...]:
    """(place in the guest below the selftests, path of the tree) of what the data adds to what is installed."""
    return (*((path, f"{SELFTESTS}/{path}") for path in data.files), *data.tree_files.items())


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]


def _take(installed: Path, files: Path) -> None:
    """Moves what was installed, but no link that leads out of it, and nothing that is neither file, link nor folder."""
    root = installed.resolve()
    for path in _files(installed):
        kind = path.lstat().st_mode
        inside = path.resolve().is_relative_to(root) if stat.S_ISLNK(kind) else stat.S_ISREG(kind)
        if not inside:
            path.unlink()
    installed.rename(files)


def _remove(folder: Path) -> None:
    """Removes a folder in which a Makefile may have taken away its owner's permissions."""
    for root, folders, _names in os.walk(folder):
        for name in folders:
            path = Path(root, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | stat.S_IRWXU)
    shutil.rmtree(folder)
