# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules that are built against a finished build of the kernel in miniature, in the real sandbox."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kernels.build.build import Build, KernelRequest, build_kernel
from kernels.build.external_modules import (
    EXPORTED,
    ExternalModuleError,
    ModuleKernel,
    ModuleSources,
    NoObjectsError,
    build_modules,
)
from kernels.kconfig.fragments import parse_fragment
from tests.kernels.lab import Lab
from util.children.jobserver import Jobserver
from util.errors import MachineError
from util.files.seal import folder_digest
from util.stop import Stop, Stopped

pytestmark = pytest.mark.slow

SOURCES = ModuleSources(
    "selftests/patches",
    (
        ("shared.h", b"#define SHARED 7\n"),
        ("test_modules/Makefile", b"obj-m := one.o two.o\n"),
        (
            "test_modules/one.c",
            b'#include <linux/exported.h>\n#include "../shared.h"\nint one = SHARED + CONFIG_SECCOMP;\n',
        ),
        ("test_modules/two.c", b"int two;\n"),
    ),
    "test_modules",
)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with Jobserver(2) as jobs:
        yield Lab(tmp_path, jobs)
        assert jobs.free() == 2


def kernel(lab: Lab, modules: bool = True) -> tuple[KernelRequest, Build]:
    (lab.source / "include/linux/exported.h").write_text("#define THING 1\n")
    config = ("CONFIG_SECCOMP=y", *(("CONFIG_EXTRA=m",) if modules else ()))
    fragment = parse_fragment("lab", "\n".join(config), "lab", modules=("EX*",))
    request = replace(lab.request(), fragments=(fragment,))
    build = build_kernel(request, lab.store, lab.jobs, lab.events.append, Stop(), None, lab.builds)
    assert build.ok, build.failure
    return request, build


def made(lab: Lab, sources: ModuleSources, request: KernelRequest, build: Build, stop: Stop | None = None) -> Path:
    of = ModuleKernel(request, build, lambda: build)
    return build_modules(sources, of, lab.store, lab.jobs, lab.events.append, stop or Stop())


def with_file(name: str, text: bytes) -> ModuleSources:
    return replace(SOURCES, files=tuple(sorted({**dict(SOURCES.files), f"test_modules/{name}": text}.items())))


def test_they_are_built_with_what_the_kernel_left_and_leave_it_as_it_was(lab: Lab) -> None:
    request, build = kernel(lab)
    before = folder_digest(build.folder / "objects")
    folder = made(lab, SOURCES, request, build)
    assert sorted(path.name for path in folder.rglob("*.ko")) == ["one.ko", "two.ko"]
    assert (folder / "one.ko").read_bytes()[:4] == b"\x7fELF"
    assert folder_digest(build.folder / "objects") == before
    assert not (lab.source / "test_modules").exists()


def test_they_are_built_once_for_a_kernel_and_again_for_others_and_for_other_sources(lab: Lab) -> None:
    request, build = kernel(lab)
    first = made(lab, SOURCES, request, build)
    gone = replace(build, folder=lab.root / "nowhere")
    assert made(lab, SOURCES, request, gone) == first, "what is built needs no objects"
    assert made(lab, with_file("two.c", b"int three;\n"), request, build) != first
    lab.edit("kernel/sched.c", "never_used", "hardly_used")
    other = kernel(lab)
    assert made(lab, SOURCES, *other) != first


def test_one_that_does_not_build_says_the_compilers_line(lab: Lab) -> None:
    request, build = kernel(lab)
    with pytest.raises(ExternalModuleError, match=r"^test_modules/two\.c:1:\d+: .*nothing"):
        made(lab, with_file("two.c", b"int two = nothing;\n"), request, build)
    with pytest.raises(ExternalModuleError, match="make leaves no module in test_modules"):
        made(lab, with_file("Makefile", b"obj-m :=\n"), request, build)
    with pytest.raises(ExternalModuleError, match="Makefile"):
        made(
            lab,
            with_file("Makefile", b"obj-m := one.o\n$(shell touch /src/here || touch /out/here)\n)("),
            request,
            build,
        )
    assert not (build.folder / "objects/here").exists()


def test_a_link_is_no_module(lab: Lab) -> None:
    text = b"obj-m := one.o\nX := $(shell ln -s /usr/bin/env $(M)/two.ko)\n"
    assert [path.name for path in made(lab, with_file("Makefile", text), *kernel(lab)).rglob("*.ko")] == ["one.ko"]


def test_without_what_they_need_it_is_no_fault_of_theirs(lab: Lab) -> None:
    request, build = kernel(lab, modules=False)
    with pytest.raises(MachineError, match=EXPORTED):
        made(lab, SOURCES, request, build)
    with pytest.raises(NoObjectsError, match="bubblewrap"):
        made(lab, SOURCES, request, replace(build, folder=lab.root / "nowhere"))


def test_a_stop_ends_it_and_keeps_nothing(lab: Lab) -> None:
    request, build = kernel(lab)
    stop = Stop()
    timer = threading.Timer(1.0, stop.set)
    timer.start()
    with pytest.raises(Stopped):
        made(lab, with_file("Makefile", b"obj-m := one.o\nX := $(shell sleep 600)\n"), request, build, stop)
    timer.join()
    kept = [path for path in (lab.root / "cache/kernel-patch-rig/modules/external").iterdir() if path.suffix != ".lock"]
    assert kept == []
