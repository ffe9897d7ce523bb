# SPDX-License-Identifier: GPL-2.0-or-later
"""A build of the kernel in miniature, with real make, real compilers and the real sandbox."""

import errno
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kernels.build.build import build_kernel, build_key
from kernels.build.diagnostics import BuildWarning
from kernels.build.modules import MODULES, unpack_modules
from kernels.kconfig.fragments import parse_fragment
from kernels.sandbox.sandbox import probe
from tests.kernels.lab import Lab, same_outputs
from util.children.jobserver import Jobserver
from util.errors import MachineError, UserError
from util.events import Phase
from util.files.seal import forget
from util.stop import Stop, Stopped


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Jobserver(2) as jobs:
        yield Lab(tmp_path, jobs)
        assert jobs.free() == 2  # whatever happened, no token is lost


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_a_build_yields_outputs_warnings_and_commands(lab: Lab, arch: str) -> None:
    lab.arch = arch
    build = lab.build()
    assert build.ok and not build.cached and build.failure == ""
    for name in ("image", "vmlinux", "System.map", "config", "log"):
        assert build.output(name).stat().st_size > 0
    text = "'never_used' defined but not used"
    assert build.warnings == (BuildWarning("kernel/sched.c", 4, text, "-Wunused-function"),)
    assert "CONFIG_SECCOMP=y\n" in build.output("config").read_text()
    assert build.commands[-1][:3] == ("env", "-i", "bwrap")


@pytest.mark.slow
def test_a_module_that_was_asked_for_is_among_the_outputs(lab: Lab) -> None:
    assert not lab.build().output(MODULES).exists()
    lab.config = ("CONFIG_SECCOMP=y", "CONFIG_EXTRA=m")
    request = replace(lab.request(), fragments=(parse_fragment("lab", "\n".join(lab.config), "lab", modules=("EX*",)),))
    build = build_kernel(request, lab.store, lab.jobs, lab.events.append, Stop(), None, lab.builds)
    assert build.ok, build.failure
    # The link to the build folder leads out of it, and is not packed.
    assert unpack_modules(build.output(MODULES)) == {"lib/modules/5.10.0/kernel/lib/extra.ko": b"a module\n"}
    assert not list((build.folder / "objects").glob("rig-modules*"))
    again = build_kernel(request, lab.store, lab.jobs, lab.events.append, Stop(), None, lab.builds)
    assert again.cached and again.output(MODULES).is_file()


@pytest.mark.slow
def test_nothing_changed_comes_from_the_cache(lab: Lab) -> None:
    first = lab.build()
    second = lab.build()
    assert second.cached and second.folder == first.folder and second.warnings == first.warnings
    assert lab.events[-1].phase is Phase.DONE


@pytest.mark.slow
def test_the_commands_repeat_the_build(lab: Lab) -> None:
    build = lab.build()
    for command in build.commands:
        subprocess.run(command, check=True, capture_output=True)
    again = build.folder / "repeat" / "arch/x86/boot/bzImage"
    assert again.read_bytes() == build.output("image").read_bytes()


@pytest.mark.slow
def test_the_command_is_known_before_the_build_starts(lab: Lab) -> None:
    build = lab.build()
    start = next(event for event in lab.events if event.phase is Phase.START and event.command)
    assert start.command == build.commands[-1]
    progress = [event for event in lab.events if event.phase is Phase.PROGRESS]
    assert lab.events.index(start) < lab.events.index(progress[0])


@pytest.mark.slow
def test_a_compile_error_is_a_result_and_is_remembered(lab: Lab) -> None:
    lab.edit("kernel/seccomp.c", "return nr;", "return nr")
    lab.config = ("CONFIG_SECCOMP=y", "CONFIG_CACHE=n")
    build = lab.build()
    assert not build.ok
    assert build.failure.startswith("kernel/seccomp.c:10:") and "expected ';'" in build.failure
    assert build.output("log").exists() and not (build.folder / "image").exists()
    again = lab.build()
    assert again.cached and again.failure == build.failure


def test_a_broken_kconfig_is_a_result(lab: Lab) -> None:
    lab.edit("Kconfig", 'bool "Filters"', "nonsense")
    build = lab.build()
    assert not build.ok and build.failure == "Kconfig:10: syntax error at nonsense"


@pytest.mark.slow
def test_an_output_that_is_missing_or_a_link_is_a_failure(lab: Lab) -> None:
    lab.edit("Makefile", "@$(OBJCOPY) -S -R .note.gnu.build-id $< $@", "@ln -sf /etc/passwd $@")
    build = lab.build()
    assert not build.ok and "left no arch/x86/boot/bzImage" in build.failure


@pytest.mark.slow
def test_a_lost_symbol_names_line_and_dependency(lab: Lab) -> None:
    lab.config = ("CONFIG_SECCOMP=y", "CONFIG_UNIX=y")
    with pytest.raises(UserError, match=r"^lab:2: `CONFIG_UNIX=y` .*: CONFIG_NET is n \(Kconfig:7\)"):
        lab.build()
    lab.config = ("CONFIG_SECCOMP=y", "CONFIG_UNIX=y  # optional: an example")
    assert lab.build().ok


@pytest.mark.slow
def test_two_ways_to_ask_for_one_configuration_are_one_build(lab: Lab) -> None:
    first = lab.build()
    lab.config = ("CONFIG_NET=n", "CONFIG_SECCOMP=y")
    second = lab.build()
    assert second.cached and second.key == first.key


def test_the_key_knows_what_matters(lab: Lab) -> None:
    first = build_key(lab.request(label="one"))
    assert build_key(lab.request(label="two")) == first
    lab.config = ("CONFIG_SECCOMP=y", "CONFIG_SLOW=y")
    second = build_key(lab.request())
    lab.add("kernel/slow.c", "int slower;\n")
    assert len({first, second, build_key(lab.request())}) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("cc1: fatal error: error writing to /tmp/x.s: No space left on device", "disk is full"),
        ("gcc: fatal error: Killed signal terminated program cc1", "was killed"),
        ("make[1]: *** [Makefile:5: lib] Error 143", "someone ended a part of the build"),
        ("virtual memory exhausted: Cannot allocate memory", "out of memory"),
    ],
)
def test_the_machines_fault_is_not_the_kernels(lab: Lab, line: str, reason: str) -> None:
    lab.edit("lib/Makefile", "obj-y := crc.o\n", f"obj-y := crc.o\n$(shell echo '{line}' >&2)$(error stop)\n")
    with pytest.raises(MachineError, match=reason):
        lab.build()
    assert not any((lab.builds.root / "work").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_make_that_someone_ended_says_nothing_of_the_kernel(lab: Lab, number: signal.Signals) -> None:
    """All of them get it, as when a session ends, in any order: the one at the top cannot say why any more, unless it
    hears of a child's end before its own."""
    each = f"grep -qs ^make $$each/comm && kill -{number} $${{each##*/}}"
    everyone = f"$(shell for each in /proc/[0-9]*; do {each}; done)"
    lab.edit("lib/Makefile", "obj-y := crc.o\n", f"obj-y := crc.o\n{everyone}\n")
    with pytest.raises(MachineError, match=f"{number.name}|someone ended a part of the build|was killed"):
        lab.build()
    assert not list(lab.builds.all())
    lab.edit("lib/Makefile", everyone, "")
    assert lab.build().ok


def test_a_full_disk_is_the_machines_fault(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")

    monkeypatch.setattr("kernels.sandbox.room.run_logged", no_space)
    with pytest.raises(MachineError, match="no space left on the disk of somewhere"):
        lab.build()


@pytest.mark.slow
def test_the_sandbox_keeps_a_build_in_its_room(lab: Lab, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    spy = (
        f"$(shell echo broken > {outside}; echo x > $(srctree)/planted; echo x > /usr/planted; cat /proc/net/route"
        f" > seen; echo HOME=$$HOME USER=$$USER >> seen; ls /home /root /etc/shadow {outside} >> seen 2>&1)"
    )
    lab.edit("lib/Makefile", "obj-y := crc.o\n", f"obj-y := crc.o\n{spy}\n")
    lab.edit("Makefile", "\t@$(CROSS_COMPILE)nm -n $@ > System.map", "\t@cp seen System.map")
    build = lab.build()
    assert build.ok
    assert outside.read_text() == "untouched"
    assert not Path(lab.request().commit, "planted").exists() and not Path("/usr/planted").exists()
    seen = build.output("System.map").read_text()
    assert seen.count("No such file or directory") == 4 and "HOME=/tmp USER=\n" in seen
    assert "eth" not in seen and "ens" not in seen


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bwrap", "landlock"])
def test_a_token_of_the_caller_does_not_come_out_in_a_failure(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    if problem := probe(kind):
        pytest.skip(f"{kind}: {problem}")
    monkeypatch.setenv("RIG_SANDBOX", kind)
    monkeypatch.setenv("CI_JOB_TOKEN", "glpat-0123456789")
    told = "\t@echo \"init/main.c:1:1: error: `cat /proc/*/environ | tr '\\\\0' ' '`\"; false\n"
    lab.edit("Makefile", "\t@$(LD) -r", told + "\t@$(LD) -r")
    build = lab.build()
    assert not build.ok and build.failure.startswith("init/main.c:1:1:")
    written = [path for path in lab.root.rglob("*") if path.is_file() and not path.is_relative_to(lab.root / "trees")]
    assert written and not [path for path in written if b"glpat-" in path.read_bytes()]


@pytest.mark.slow
def test_without_a_sandbox_only_when_told(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = lab.build()
    monkeypatch.setenv("RIG_SANDBOX", "none")
    build = lab.build()
    assert build.ok and not build.cached and build.sandbox == "none" and build.commands[-1][0] == "env"
    assert build.output("image").read_bytes() == inside.output("image").read_bytes()
    monkeypatch.setenv("RIG_SANDBOX", "maybe")
    with pytest.raises(UserError, match="RIG_SANDBOX=maybe"):
        lab.build()


@pytest.mark.slow
def test_landlock_builds_the_same_kernel(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    if problem := probe("landlock"):
        pytest.skip(f"landlock: {problem}")
    inside = lab.build()
    monkeypatch.setenv("RIG_SANDBOX", "landlock")
    build = lab.build()
    assert build.ok and not build.cached and build.sandbox == "landlock" and not lab.builds.objects.has(build.key)
    assert build.output("image").read_bytes() == inside.output("image").read_bytes()
    assert build.warnings == inside.warnings


@pytest.mark.slow
def test_a_stop_ends_the_build_and_the_next_one_goes_on(lab: Lab) -> None:
    lab.config = ("CONFIG_SECCOMP=y", "CONFIG_SLOW=y")
    stop = Stop()
    threading.Timer(1.2, stop.set).start()
    with pytest.raises(Stopped):
        lab.build(stop)
    assert lab.jobs.free() == 2
    build = lab.build()
    assert build.ok and "goes on where it was interrupted" in lab.texts()
    assert same_outputs(build, lab.clean_build())


@pytest.mark.slow
def test_what_was_made_before_an_interruption_is_not_waited_for_again(lab: Lab) -> None:
    lab.config = ("CONFIG_SECCOMP=y", "CONFIG_SLOW=y")
    whole = lab.build()
    shutil.rmtree(whole.folder / "objects")  # the next one starts from nothing, but its size is known
    lab.edit("drivers/null.c", "DRIVER", "1 + DRIVER")
    stop = Stop()
    lab.events.clear()

    def stop_when_something_was_made() -> None:
        while not any(event.done for event in lab.events):
            time.sleep(0.02)
        stop.set()

    threading.Thread(target=stop_when_something_was_made).start()
    with pytest.raises(Stopped):
        lab.build(stop)
    expected = {event.total for event in lab.events if event.total}
    (out,) = lab.root.glob("builds/work/*/out")
    for path in out.rglob("*"):  # as if it had been made long before the interruption, and is believed
        os.utime(path, (1e9, 1e9))
    (out / "last").touch()
    lab.events.clear()
    assert lab.build().ok
    left = next(event.total for event in lab.events if event.total)
    assert left < min(expected)


def test_a_stop_does_not_wait_for_the_build(lab: Lab) -> None:
    lab.edit("kernel/Makefile", "sleep 2", "sleep 60")
    lab.config = ("CONFIG_SECCOMP=y", "CONFIG_SLOW=y")
    stop = Stop()
    stopped = []

    def stop_while_it_sleeps() -> None:
        while not list(lab.root.glob("builds/work/*/out/init/main.o")):
            time.sleep(0.05)
        stopped.append(time.monotonic())
        stop.set()

    threading.Thread(target=stop_while_it_sleeps).start()
    with pytest.raises(Stopped):
        lab.build(stop)
    assert time.monotonic() - stopped[0] < 15


@pytest.mark.slow
def test_two_at_once_share_one_build(lab: Lab) -> None:
    found = []
    threads = [threading.Thread(target=lambda: found.append(lab.build())) for _ in range(3)]
    request = lab.request()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3 and {build.key for build in found} == {found[0].key}
    assert sorted(build.cached for build in found) == [False, True, True]
    assert lab.builds.requested(build_key(request))


@pytest.mark.slow
def test_a_damaged_build_is_made_again(lab: Lab) -> None:
    first = lab.build()
    os.truncate(first.output("image"), 10)
    second = lab.build()
    assert not second.cached and second.output("image").stat().st_size > 10


@pytest.mark.slow
@pytest.mark.parametrize("name", ["image", "vmlinux", "System.map", "config", "log", "manifest.json", "digests.json"])
def test_a_build_that_lost_a_bit_is_made_again_with_a_word(lab: Lab, name: str) -> None:
    first = lab.build()
    whole = first.output("image").read_bytes()
    path = first.folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    times = path.stat()
    path.unlink()  # outputs are links to the objects
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    forget(first.folder)  # as another process sees it
    second = lab.build()
    assert second.ok and not second.cached and second.output("image").read_bytes() == whole
    assert [text for text in lab.texts() if "is damaged" in text and name in text]
    assert lab.build().cached


@pytest.mark.slow
def test_a_build_does_not_start_from_objects_that_lost_a_bit(lab: Lab) -> None:
    first = lab.build()
    path = next(path for path in sorted((first.folder / "objects").rglob("*.o")))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    times = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as a disk does it: make would believe it
    lab.edit("kernel/sched.c", "return 1", "return 5")
    second = lab.build()
    assert second.ok and not second.started_from
    assert [text for text in lab.texts() if "objects is damaged" in text and "does not start from it" in text]
    assert not lab.builds.objects.has(first.key)
    assert same_outputs(second, lab.clean_build())
    lab.edit("kernel/sched.c", "return 5", "return 6")
    assert lab.build().started_from == second.key


@pytest.mark.slow
def test_a_build_does_not_start_from_objects_without_a_digest(lab: Lab) -> None:
    first = lab.build()
    (first.folder / "objects.sha256").unlink()
    lab.edit("kernel/sched.c", "return 1", "return 5")
    assert not lab.build().started_from
    assert not lab.builds.objects.has(first.key)
    assert [text for text in lab.texts() if "objects is damaged" in text]


@pytest.mark.slow
def test_a_build_without_digests_is_made_again(lab: Lab) -> None:
    first = lab.build()
    (first.folder / "digests.json").unlink()
    assert not lab.build().cached
    assert [text for text in lab.texts() if "digests.json is damaged" in text]
    assert lab.build().cached


@pytest.mark.slow
def test_clean_counts_and_removes(lab: Lab) -> None:
    build = lab.build()
    ((name, size, _),) = lab.builds.usage()
    assert name == f"fake {build.key[:12]}" and size > 10_000
    assert lab.builds.remove_older(3600) == 0
    assert lab.builds.remove_older(-1) == size
    assert lab.builds.usage() == [] and not lab.build().cached


@pytest.mark.slow
def test_objects_of_old_builds_are_dropped(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernels.build.store.objects.KEEP_OBJECTS", 2)
    monkeypatch.setattr(
        "kernels.build.store.objects.MIN_OWN_SHARE", 0.9
    )  # the fake kernel is small: everything is a large part of it
    keys = []
    for number in range(4):
        lab.add("kernel/slow.c", f"int slow = {number};\n")
        keys.append(lab.build().key)
    assert [lab.builds.objects.has(key) for key in keys] == [True, False, False, True]  # the dear one, the newest
    assert json.loads((lab.builds.folder(keys[0]) / "manifest.json").read_text())["ok"]
