# SPDX-License-Identifier: GPL-2.0-or-later
"""gdb and the guest it is for: which gdb, what it is told, and guests that do not start."""

import os
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from configs.loader import load_arch
from guests.run import debug
from guests.run.debug import debug_guest, gdb_command, gdb_of, source_prefix
from tests.guests.support import fake_request
from util.errors import MachineError, UserError

UNIT = "int here(void) { return 1; }\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree" / "init").mkdir(parents=True)
    (tmp_path / "tree" / "init" / "main.c").write_text(UNIT)
    return tmp_path / "tree"


def compiled(tree: Path, *options: str) -> Path:
    """An object of `init/main.c`, compiled under its real path."""
    made = tree.parent / "vmlinux"
    subprocess.run(["gcc", *options, "-c", "-o", str(made), str(tree / "init" / "main.c")], check=True)
    return made


def test_the_source_is_found_below_any_path(tree: Path) -> None:
    vmlinux = compiled(tree, "-g1", f"-ffile-prefix-map={tree}=/src")
    assert source_prefix(vmlinux, tree) == "/src"
    assert source_prefix(compiled(tree, "-g1"), tree) == str(tree)
    assert source_prefix(vmlinux, tree.parent / "another") is None


def test_without_debug_information_there_is_no_source(tree: Path) -> None:
    assert source_prefix(compiled(tree), tree) is None
    (tree / "text").write_text("no kernel")
    assert source_prefix(tree / "text", tree) is None


def test_what_gdb_is_told() -> None:
    command = gdb_command("gdb", Path("/v/vmlinux"), Path("/s/stub"), ("/src", Path("/t")), ["break x", "continue"])
    told = [word for before, word in pairwise(command) if before == "-ex"]
    assert told[-4:] == ["set substitute-path /src /t", "target remote /s/stub", "break x", "continue"]
    assert command[-1] == "/v/vmlinux"
    assert "substitute-path" not in " ".join(gdb_command("gdb", Path("/v"), Path("/s"), None, ()))


def test_a_gdb_that_knows_only_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arch = load_arch("aarch64")
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "gdb").write_text("#!/bin/sh\n")
    (tmp_path / "gdb").chmod(0o755)
    with pytest.raises(MachineError, match="gdb-multiarch is not installed"):
        gdb_of(arch.model_copy(update={"native_machine": "another"}))
    assert gdb_of(arch.model_copy(update={"native_machine": os.uname().machine})) == str(tmp_path / "gdb")


def test_a_guest_that_does_not_start_is_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    qemu = tmp_path / "qemu"
    qemu.write_text('#!/bin/sh\n[ "$1" = --version ] || { echo "qemu: no such thing" >&2; exit 1; }\n')
    qemu.chmod(0o755)
    monkeypatch.setattr(debug, "gdb_of", lambda _arch: "true")
    request = fake_request(tmp_path, "gdb", vmlinux=tmp_path / "vmlinux")
    request = fake_request(
        tmp_path, "gdb", vmlinux=tmp_path / "none", arch=request.arch.model_copy(update={"qemu": str(qemu)})
    )
    with pytest.raises(MachineError, match="qemu: no such thing"):
        debug_guest(request, tmp_path / "log", tmp_path, ())
    with pytest.raises(UserError, match="name another file by --console"):
        debug_guest(request, qemu / "log", tmp_path, ())
    qemu.write_text('#!/bin/sh\n[ "$1" = --version ] || exec sleep 60\n')
    monkeypatch.setattr(debug, "_PATIENCE", 0.2)
    with pytest.raises(MachineError, match="did not open its debugging stub"):
        debug_guest(request, tmp_path / "log", tmp_path, ())
