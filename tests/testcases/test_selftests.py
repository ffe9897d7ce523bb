# SPDX-License-Identifier: GPL-2.0-or-later
"""Selftests of a tree in miniature, built with real make, real compilers and the real sandbox."""

import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from configs.model import SuiteChoice
from configs.result import Status
from guests.crash.outcome import End, Outcome, StepOutcome
from guests.qemu.devices import Devices
from initramfs.cpio import Entry
from initramfs.job import GuestJob, encode
from kernels.sandbox.sandbox import SWITCH
from testcases.registry import find_suite
from testcases.selftests import topics
from testcases.selftests.build.inputs import find_inputs
from testcases.selftests.limits import read_timeout, stretch
from testcases.suite import Payload, SelectingSuite, SuiteError
from tests.testcases.selftree import PROGRAM, Laboratory
from util.errors import UserError
from util.stop import Stopped

pytestmark = pytest.mark.slow

MACHINES = {"x86_64": 62, "x32": 62, "i386": 3, "aarch64": 183, "arm": 40}
"""e_machine of each ABI's programs (elf.h)."""


def prepare(
    lab: Laboratory, commit: str, name: str = "selftests/good", abi: str = "x86_64", **choice: object
) -> Payload:
    suite, _ = find_suite(name)
    return suite.prepare(lab.context(commit, name, abi, **choice))


def content(payload: Payload, path: str) -> Entry:
    return next(entry for entry in payload.files if entry.path == path)


@pytest.mark.parametrize("abi", sorted(MACHINES))
def test_programs_are_static_and_of_their_abi(lab: Laboratory, abi: str) -> None:
    payload = prepare(lab, lab.write({}), abi=abi)
    entry = content(payload, "kselftest/good/one")
    assert entry.data[:4] == b"\x7fELF"
    assert entry.data[4] == (2 if abi in ("x86_64", "aarch64") else 1)
    assert int.from_bytes(entry.data[18:20], "little") == MACHINES[abi]
    assert b"/lib64/ld-" not in entry.data and b"/lib/ld-" not in entry.data
    assert stat.S_IMODE(entry.mode) & 0o111
    assert [step.name for step in payload.steps if step.name != "busybox"] == ["one", "two"]
    assert {step.cwd for step in payload.steps[1:]} == {"/kselftest/good"}


def test_a_program_finds_the_headers_of_its_own_tree(lab: Laboratory, tmp_path: Path) -> None:
    commit = lab.write({"include/uapi/linux/fake.h": "#define FAKE 42\n"})
    program = tmp_path / "one"
    program.write_bytes(content(prepare(lab, commit), "kselftest/good/one").data)
    program.chmod(0o755)
    assert "ok 1 value_42_86" in subprocess.run([program], capture_output=True, text=True, check=True).stdout


def test_output_is_passed_on_by_line(lab: Laboratory, tmp_path: Path) -> None:
    text = '#include <stdio.h>\n#include <signal.h>\nint main(void) { puts("ok 1 said"); return raise(SIGKILL); }\n'
    commit = lab.target("dies", {"dies.c": text}, "TEST_GEN_PROGS := dies")
    program = tmp_path / "dies"
    program.write_bytes(content(prepare(lab, commit, "selftests/dies"), "kselftest/dies/dies").data)
    program.chmod(0o755)
    assert subprocess.run([program], capture_output=True, text=True, check=False).stdout == "ok 1 said\n"


def test_nothing_is_built_again_unless_its_inputs_change(lab: Laboratory) -> None:
    first = prepare(lab, lab.write({}))
    assert lab.builds() == ["headers x86", "selftests/good x86_64-linux-gnu"]
    elsewhere = {"kernel/fork.c": "int other;\n", "tools/testing/selftests/other/Makefile": "include ../lib.mk\n"}
    again = prepare(lab, lab.write(elsewhere))
    assert lab.builds() == []
    assert again.digest == first.digest

    version = lab.write({"scripts/changes_nothing.sh": "\n"})
    assert prepare(lab, version).digest == first.digest
    assert lab.builds() == ["headers x86"], "other ways to the same headers compile nothing"

    for path, text in (
        ("include/uapi/linux/fake.h", "#define FAKE 3\n"),
        ("tools/testing/selftests/kselftest.h", "#define KSELFTEST 2\n"),
        ("tools/testing/selftests/good/two.c", PROGRAM + "\n"),
    ):
        prepare(lab, lab.write({path: text}))
        assert "selftests/good x86_64-linux-gnu" in lab.builds(), path


def test_another_targets_file_counts_where_it_is_referred_to(lab: Laboratory) -> None:
    program = '#include "../good/shared.h"\n' + PROGRAM
    lab.write({"tools/testing/selftests/good/shared.h": "/* 1 */\n"})
    commit = lab.target("deep/uses", {"uses.c": program.replace("../good", "../../good")}, "TEST_GEN_PROGS := uses")
    payload = prepare(lab, commit, "selftests/deep/uses")
    assert payload.settled == ()
    lab.builds()
    prepare(lab, lab.write({"tools/testing/selftests/good/shared.h": "/* 2 */\n"}), "selftests/deep/uses")
    assert lab.builds() == ["selftests/deep/uses x86_64-linux-gnu"]


def test_a_file_elsewhere_in_the_tree_counts_where_it_is_referred_to(lab: Laboratory) -> None:
    program = '#include "../../../../lib/open.h"\n#include <more.h>\n' + PROGRAM
    lab.write({"lib/open.h": "/* 1 */\n", "tools/extra/more.h": "/* 1 */\n"})
    makefile = "TEST_GEN_PROGS := far\nCFLAGS += -I$(top_srcdir)/tools/extra"
    commit = lab.target("far", {"far.c": program}, makefile)
    assert prepare(lab, commit, "selftests/far").settled == ()
    lab.builds()
    for path in ("lib/open.h", "tools/extra/more.h"):
        prepare(lab, lab.write({path: "/* 2 */\n"}), "selftests/far")
        assert lab.builds() == ["selftests/far x86_64-linux-gnu"], path


def test_what_the_key_does_not_name_the_build_does_not_see(lab: Laboratory) -> None:
    program = "#define UP ../../../../\n#define S(x) #x\n#define T(x) S(x)\n#include T(UP/lib/hidden.h)\n" + PROGRAM
    lab.write({"lib/hidden.h": "#define HIDDEN 1\n"})
    commit = lab.target("sly", {"sly.c": program.replace("UP ../../../../", "UP ../../../..")}, "TEST_GEN_PROGS := sly")
    assert "lib/hidden.h" not in dict(find_inputs(lab.store, commit, "sly").objects)
    (result,) = prepare(lab, commit, "selftests/sly").settled
    assert result.status is Status.ERROR
    assert "hidden.h: No such file" in result.message


def test_a_program_that_does_not_compile_stops_no_other(lab: Laboratory) -> None:
    files = {"fine.c": PROGRAM, "broken.c": "int main(void) { return nothing; }\n"}
    commit = lab.target("half", files, "TEST_GEN_PROGS := broken fine")
    payload = prepare(lab, commit, "selftests/half")
    assert [step.name for step in payload.steps][1:] == ["fine"]
    (result,) = payload.settled
    assert (result.name, result.status) == ("broken", Status.ERROR)
    assert "broken.c:1:" in result.message and "nothing" in result.message
    assert result.file == "tools/testing/selftests/half/broken.c"


BARE = """
void _start(void) { for (;;) __asm__ volatile ("syscall" : : "a"(60), "D"(0) : "rcx", "r11", "memory"); }
"""


@pytest.mark.parametrize("flags", ["-nostdlib", "-nostartfiles -ffreestanding"])
def test_a_program_without_a_c_library_is_linked_without_ours(lab: Laboratory, flags: str) -> None:
    """The object that passes output on by line needs the C library, and so is none of this program's."""
    commit = lab.target("bare", {"bare.c": BARE}, f"CFLAGS := {flags}\nTEST_GEN_PROGS := bare")
    payload = prepare(lab, commit, "selftests/bare")
    assert [result.message for result in payload.settled] == []


def test_a_sanitiser_does_not_keep_a_program_from_being_static(lab: Laboratory) -> None:
    asked = "CFLAGS += -fsanitize=address -fsanitize=undefined -static-libasan\nTEST_GEN_PROGS := one"
    payload = prepare(lab, lab.target("clean", {"one.c": PROGRAM}, asked), "selftests/clean")
    assert [result.message for result in payload.settled] == []


def test_a_shared_library_of_its_own_is_linked_where_the_data_says_so(lab: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "targets/shared.yaml").write_text("dynamic: true\n")
    rule = (
        "override define RULE\nendef\nTEST_GEN_PROGS := one\nTEST_GEN_FILES := libit.so\n"
        "$(OUTPUT)/libit.so: it.c\n\t$(CC) -shared -fPIC $< -o $@\n"
        "$(OUTPUT)/one: one.c $(OUTPUT)/libit.so\n\t$(CC) $(KHDR_INCLUDES) $< -L$(OUTPUT) -lit -Wl,-rpath=./ -o $@\n"
    )
    files = {"it.c": "int it(void) { return 1; }\n", "one.c": PROGRAM + "int it(void); int (*use)(void) = it;\n"}
    payload = prepare(lab, lab.target("shared", files, rule), "selftests/shared")
    assert [result.message for result in payload.settled] == []
    assert b"/lib64/ld-linux" in content(payload, "kselftest/shared/one").data
    assert payload.packages == ("libc6:amd64",)


def test_what_scripts_take_from_beside_their_target_stands_in_the_guest(lab: Laboratory, tmp_path: Path) -> None:
    lab.target("beside", {"lib.sh": "hello() { :; }\n", "py/__init__.py": "\n", "py/deep/a.py": "a = 1\n"}, "")
    script = ". ../beside/lib.sh\nhello\n"
    commit = lab.target("taker", {"a.sh": f"#!/bin/sh\n{script}"}, "TEST_PROGS := a.sh")
    paths = {entry.path for entry in prepare(lab, commit, "selftests/taker").files}
    assert "kselftest/beside/lib.sh" not in paths
    (tmp_path / "targets/taker.yaml").write_text("files: [beside/lib.sh, beside/py, beside/absent]\n")
    payload = prepare(lab, commit, "selftests/taker")
    assert content(payload, "kselftest/beside/lib.sh").data == b"hello() { :; }\n"
    assert content(payload, "kselftest/beside/py/deep/a.py").data == b"a = 1\n"
    assert not any("absent" in entry.path for entry in payload.files)


def test_the_linkers_own_line_says_why_a_link_failed(lab: Laboratory) -> None:
    commit = lab.target("odd", {"one.c": PROGRAM}, "LDFLAGS := -Wl,--no-such-option\nTEST_GEN_PROGS := one")
    (result,) = prepare(lab, commit, "selftests/odd").settled
    assert "unrecognized option" in result.message and "ld returned" not in result.message


def test_tests_that_a_makefile_builds_and_does_not_name(lab: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "targets/shy.yaml").write_text(
        "programs: [one]\nmake: {SHY: 'no'}\nsetup: [mkdir -p /mnt/x]\nmodules: [C*]\n"
        "memory_mb: 2048\nsmp: 1\nguests: 4\n"
    )
    commit = lab.target("shy", {"one.c": PROGRAM}, "TEST_GEN_FILES := $(if $(filter no,$(SHY)),one)")
    payload = prepare(lab, commit, "selftests/shy")
    assert [step.name for step in payload.steps] == ["busybox", "setup", "one"]
    assert payload.steps[1].argv[-1] == "mkdir -p /mnt/x"
    assert (payload.modules, payload.memory_mb, payload.smp, payload.guests) == (True, 2048, 1, 4)


def test_a_target_that_wants_a_disk_stands_on_one(lab: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "targets/good.yaml").write_text("disk: true\n")
    payload = prepare(lab, lab.write({}))
    assert [step.name for step in payload.steps] == ["busybox", "setup", "one", "two"]
    assert "mount --bind /run/kselftest /kselftest" in payload.steps[1].argv[-1]
    assert payload.packages == ("e2fsprogs", "mount")
    assert {"EXT4_FS", "VIRTIO_BLK"} <= {line.symbol for fragment in payload.wishes for line in fragment.lines}
    assert payload.devices == Devices(disks=1)
    assert "mkfs.ext4 -q /dev/vda" in payload.steps[1].argv[-1]


def test_headers_of_the_kernels_tools_that_refer_to_one_another_are_all_there(lab: Laboratory) -> None:
    program = "#include <asm/errno.h>\n" + PROGRAM
    lab.write({
        "tools/include/uapi/asm/errno.h": '#include "../../../arch/x86/include/uapi/asm/errno.h"\n',
        "tools/arch/x86/include/uapi/asm/errno.h": '#include "../../../../../deep/errno.h"\n',
        "tools/deep/errno.h": "\n",
    })  # fmt: skip
    flags = "top_srcdir = ../../../..\nCFLAGS += -isystem $(top_srcdir)/tools/include/uapi\nTEST_GEN_PROGS := one"
    commit = lab.target("tools", {"one.c": program}, flags)
    assert [result.message for result in prepare(lab, commit, "selftests/tools").settled] == []


def test_a_failed_link_leaves_no_program(lab: Laboratory) -> None:
    """gcc turns a header into a precompiled one under the program's name, and then fails."""
    rule = "TEST_GEN_PROGS := one\nall:\n$(OUTPUT)/one: one.c\n\techo junk > $@; false"
    (result,) = prepare(lab, lab.target("junk", {"one.c": PROGRAM}, rule), "selftests/junk").settled
    assert result.status is Status.ERROR


def test_a_target_of_which_nothing_can_be_said_is_a_suite_error(lab: Laboratory) -> None:
    with pytest.raises(SuiteError, match="selftests/empty names no test to run"):
        prepare(lab, lab.target("empty", {}, "TEST_GEN_PROGS :="), "selftests/empty")


def test_headers_that_cannot_be_made_are_a_suite_error(lab: Laboratory) -> None:
    (lab.folder / "include/uapi/linux/fake.h").unlink()
    with pytest.raises(SuiteError, match=r"headers_install for x86 failed: .*No such file"):
        prepare(lab, lab.write({}))


def test_an_unknown_target_is_the_users_mistake(lab: Laboratory) -> None:
    with pytest.raises(UserError, match="no selftest `seccmop`"):
        prepare(lab, lab.write({}), "selftests/seccmop")
    with pytest.raises(UserError, match="say which one"):
        prepare(lab, lab.write({}), "selftests")


@pytest.mark.parametrize(("kind", "refusal"), [("bwrap", b"No such file"), ("landlock", b"Permission denied")])
def test_a_makefile_cannot_reach_the_host(
    lab: Laboratory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, refusal: bytes
) -> None:
    monkeypatch.setenv(SWITCH, kind)
    mark = tmp_path / "mark"
    makefile = (
        f"TEST_GEN_PROGS := one\nX := $(shell touch {mark} /usr/rig-was-here ; ls {lab.folder} > $(OUTPUT)/seen 2>&1)\n"
        f"TEST_GEN_FILES := seen out\n$(OUTPUT)/out:\n\tln -s {tmp_path} $@\n$(OUTPUT)/seen:\n"
    )
    payload = prepare(lab, lab.target("evil", {"one.c": PROGRAM}, makefile), "selftests/evil")
    assert not mark.exists()
    assert not Path("/usr/rig-was-here").exists()
    (line,) = content(payload, "kselftest/evil/seen").data.splitlines()
    assert line.startswith(b"ls: ") and refusal in line
    assert "kselftest/evil/out" not in [entry.path for entry in payload.files], "a link that leads out is not taken"


SLEEPER = "sleep 98765"


def running_commands() -> str:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def test_stop_ends_the_build_and_keeps_nothing(lab: Laboratory, tmp_path: Path) -> None:
    commit = lab.target("slow", {"one.c": PROGRAM}, f"TEST_GEN_PROGS := one\nX := $(shell {SLEEPER})")
    stopped: list[float] = []

    def stop_the_build() -> None:
        """Once it is under way, however long the machine takes to come so far."""
        until = time.monotonic() + 120
        while SLEEPER not in running_commands() and time.monotonic() < until:
            time.sleep(0.1)
        stopped.append(time.monotonic())
        lab.stop.set()

    threading.Thread(target=stop_the_build).start()
    with pytest.raises(Stopped):
        prepare(lab, commit, "selftests/slow")
    assert time.monotonic() - stopped[0] < 20
    time.sleep(0.3)
    assert SLEEPER not in running_commands()
    folder = tmp_path / "cache/kernel-patch-rig/testcases/selftests"
    assert [path for path in folder.iterdir() if path.suffix != ".lock"] == []


_HARNESS = """#include <stdio.h>
#include <unistd.h>
#define TEST_TIMEOUT_DEFAULT 30
struct test { int timeout; };
static void wait_for(struct test *t) { alarm(t->timeout); }
"""
_USES_HARNESS = """#include "../kselftest_harness.h"
int main(void)
{
\tstruct test own = { .timeout = TEST_TIMEOUT_DEFAULT };
\twait_for(&own);
\tprintf("%u\\n", alarm(0));
\treturn 0;
}
"""


def test_the_limit_of_the_harness_is_stretched_on_a_slow_machine(lab: Laboratory) -> None:
    lab.write({"tools/testing/selftests/kselftest_harness.h": _HARNESS})
    commit = lab.target("limited", {"own.c": _USES_HARNESS}, "TEST_GEN_PROGS := own")
    payload = prepare(lab, commit, "selftests/limited")
    program = lab.folder.parent / "own"
    program.write_bytes(next(entry.data for entry in payload.files if entry.path.endswith("/own")))
    program.chmod(0o755)

    def limit(time_scale: float) -> int:
        """Seconds, in the environment that a guest gives its step."""
        job = encode(GuestJob("n", payload.steps, time_scale)).split(b"\0")
        env = dict(text.decode().split("=", 1) for text in job if text.startswith((b"KSFT_", b"RIG_")))
        assert env.get("KSFT_MACHINE_SLOW") == ("yes" if time_scale > 1 else None)
        return int(subprocess.run([program], env=env, capture_output=True, check=True).stdout)

    assert (limit(1.0), limit(3.2)) == (30, 120)


@pytest.mark.parametrize("use", ["alarm(t->timeout);", "timeout = poll(&poll_child, 1, t->timeout * 1000);"])
def test_every_form_of_the_harness_is_known(tmp_path: Path, use: str) -> None:
    header = tmp_path / "tools/testing/selftests/kselftest_harness.h"
    header.parent.mkdir(parents=True)
    header.write_text(f"#define TEST_TIMEOUT_DEFAULT 30\n\tobject->timeout = tmout;\n\t{use}\n")
    assert stretch(tmp_path)
    assert header.read_text().count("rig_stretched(t->timeout)") == 1
    header.write_text("#define TEST_TIMEOUT_DEFAULT 30\n\tset_limit(timeout_of(t));\n")
    assert not stretch(tmp_path), "an unknown form is said"


def test_timeouts(lab: Laboratory, tmp_path: Path) -> None:
    commit = lab.write({})
    assert {step.timeout for step in prepare(lab, commit).steps if step.name != "busybox"} == {7.0}
    assert {step.timeout for step in prepare(lab, commit, timeout=11).steps if step.name != "busybox"} == {11.0}
    (tmp_path / "targets/good.yaml").write_text("timeouts: {two: 20}\n")
    assert [step.timeout for step in prepare(lab, commit).steps if step.name != "busybox"] == [7.0, 20.0]
    none = lab.write({"tools/testing/selftests/good/settings": "timeout=0\n"})
    assert prepare(lab, none).steps[1].timeout == 3600.0
    (lab.folder / "tools/testing/selftests/good/settings").unlink()
    assert prepare(lab, lab.write({})).steps[1].timeout == 45.0


def test_settings_of_blank_lines_are_read_at_once(tmp_path: Path) -> None:
    (tmp_path / "settings").write_text("\n" * 200_000 + "timeout = 9\r\n")
    began = time.process_time()
    assert read_timeout(tmp_path / "settings") == 9
    assert time.process_time() - began < 10


def test_what_the_rig_knows_of_a_target(lab: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "targets/good.yaml").write_text(
        "commands: false\narguments: {one: ['5']}\ncflags: [-DX]\n"
        "left_out:\n  two: {reason: it takes an hour, abis: [x86_64]}\n"
    )
    commit = lab.write({})
    payload = prepare(lab, commit)
    assert [(step.name, step.argv) for step in payload.steps] == [("one", ("./one", "5"))]
    assert [(result.name, result.status, result.message) for result in payload.settled] == [
        ("two", Status.SKIP, "it takes an hour")
    ]
    assert not payload.shell
    assert [step.name for step in prepare(lab, commit, abi="i386").steps] == ["one", "two"]
    (tmp_path / "targets/good.yaml").write_text(
        "left_out:\n  big: {reason: not built, built: false}\n  gone: {reason: of another version}\n"
    )
    assert [(one.name, one.message) for one in prepare(lab, commit).settled] == [("big", "not built")]
    (tmp_path / "targets/good.yaml").write_text("left_off: {}\n")
    with pytest.raises(UserError, match=r"good.yaml:1: left_off: no such key; did you mean `left_out`"):
        prepare(lab, commit)


def test_what_the_rig_does_for_a_target(lab: Laboratory, tmp_path: Path) -> None:
    commit = lab.target(
        "text", {"a.sh": "#!/bin/sh\n", "b-1.sh": "\n", "b-2.sh": "\n"}, "TEST_PROGS := a.sh b-1.sh b-2.sh"
    )
    plain = prepare(lab, commit, "selftests/text")
    assert (plain.machine, plain.kernel_image, plain.expects_faults) == ("", False, False)
    (tmp_path / "targets/text.yaml").write_text(
        "machine: q35\nkernel_image: true\nexpects_faults: true\nbefore_each: [daemon &, sleep 1]\n"
        "left_out: {'b-*.sh': {reason: all of them}, b-1.sh: {reason: this one}}\narguments: {a.sh: [x y]}\n"
    )
    payload = prepare(lab, commit, "selftests/text")
    assert (payload.machine, payload.kernel_image, payload.expects_faults) == ("q35", True, True)
    assert [step.argv for step in payload.steps[1:]] == [
        ("/bin/sh", "-e", "-c", 'daemon &\nsleep 1\nexec "$@"', "sh", "/bin/sh", "./a.sh", "x y")
    ]
    assert [(result.name, result.message) for result in payload.settled] == [
        ("b-1.sh", "this one"),
        ("b-2.sh", "all of them"),
    ]


def test_scripts(lab: Laboratory) -> None:
    files = {
        "a.sh": "#!/bin/sh -e\n",
        "b.sh": "#!/usr/bin/env dash\n",
        "c.py": "#!/usr/bin/python3\n",
        "d.sh": "echo no first line\n",
        "e.rb": "#!/usr/bin/ruby\n",
    }
    payload = prepare(lab, lab.target("text", files, f"TEST_PROGS := {' '.join(files)}"), "selftests/text")
    assert [step.argv for step in payload.steps] == [
        ("/bin/busybox", "--install", "-s"),
        ("/bin/sh", "-e", "./a.sh"),
        ("/bin/sh", "./b.sh"),
        ("/usr/bin/python3", "./c.py"),
        ("/bin/sh", "./d.sh"),
    ]
    assert payload.shell
    assert payload.packages == ("python3",)
    assert [(result.name, result.status) for result in payload.settled] == [("e.rb", Status.SKIP)]
    assert "needs ruby" in payload.settled[0].message
    assert content(payload, "kselftest/kselftest/runner.sh").data == b"# shared\n"


def test_kconfig(lab: Laboratory, tmp_path: Path) -> None:
    suite, _ = find_suite("selftests/good")
    (tmp_path / "targets/good.config").write_text("CONFIG_D=y\n")
    (tmp_path / "targets/good.yaml").write_text(
        "config_when: [{mentions: FAKE_ARCH, lines: [CONFIG_E=y]}, {mentions: nowhere, lines: [CONFIG_F=y]}]\n"
    )
    # The paths of our own files are shown from the rig's folder.
    pytest.MonkeyPatch().setattr("testcases.selftests.suite.ROOT", tmp_path)
    fragments = suite.fragments(SuiteChoice(name="selftests/good"), lab.folder)
    lines = [line for fragment in fragments for line in fragment.lines]
    assert [(line.symbol, line.value, bool(line.optional)) for line in lines] == [
        ("A", "y", True),
        ("B", "y", True),
        ("C", "y", True),
        ("D", "y", False),
        ("E", "y", False),
    ]
    (tmp_path / "targets/good.yaml").write_text("modules: [C]\nconfig: [CONFIG_G=m]\n")
    kept = [line for part in suite.fragments(SuiteChoice(name="selftests/good"), lab.folder) for line in part.lines]
    assert {line.symbol: line.value for line in kept if line.optional} == {"A": "y", "B": "y", "C": "m", "G": "m"}
    (tmp_path / "targets/good.yaml").unlink()
    assert lines[2].where == "tools/testing/selftests/good/config:4"
    commit = lab.write({})
    wishes = prepare(lab, commit).wishes
    assert [line.symbol for fragment in wishes for line in fragment.lines] == ["A", "B", "C"]


def test_results_of_a_run(lab: Laboratory) -> None:
    suite, _ = find_suite("selftests/good")
    payload = prepare(lab, lab.write({}))
    said = b"TAP version 13\n1..1\nok 1 x\n"
    steps = tuple(StepOutcome(step, "exited", 0, 0.5, said) for step in payload.steps)
    outcome = Outcome(End.FINISHED, "", steps, (), Path("console.log"), (), "tcg", "7.2", 1.0)
    results = suite.read(payload, outcome)
    assert [result.name for result in results] == ["one", "one.x", "two", "two.x"]
    assert {result.file for result in results} == {f"tools/testing/selftests/good/{n}.c" for n in ("one", "two")}
    broken = (StepOutcome(payload.steps[0], "exited", 1), *steps[1:])
    names = [
        result.name
        for result in suite.read(
            payload, Outcome(End.FINISHED, "", broken, (), Path("console.log"), (), "tcg", "7.2", 1.0)
        )
    ]
    assert names[0] == "busybox", "a setup that fails is told"


def test_topics_are_the_folders_that_take_in_lib_mk(lab: Laboratory) -> None:
    lab.target("deep/inner", {}, "")
    lab.write({"tools/testing/selftests/notme/Makefile": "all:\n"})
    assert topics(lab.folder) == ("deep/inner", "good")


def test_commands_by_hand_build_the_same_programs(lab: Laboratory, tmp_path: Path) -> None:
    suite, _ = find_suite("selftests/good")
    context = lab.context(lab.write({}), "selftests/good", "i386")
    for command in suite.commands(context, context.tree, tmp_path / "made"):
        subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "made/installed/one").read_bytes()[:5] == b"\x7fELF\x01"


def test_boot_suite() -> None:
    suite, _ = find_suite("boot")
    payload = Payload((), (), "")
    ends = {End.FINISHED: Status.PASS, End.PANIC: Status.FAIL, End.QEMU_DIED: Status.MISS}
    for end, status in ends.items():
        outcome = Outcome(end, "so it ended", (), (), Path("console.log"), (), "tcg", "7.2", 1.0)
        (result,) = suite.read(payload, outcome)
        assert (result.name, result.status) == ("boot", status)
    with pytest.raises(UserError, match="takes nothing behind its name"):
        suite.folder(SuiteChoice(name="boot/x"))


def test_programs_in_doubt_run_without_the_others(lab: Laboratory) -> None:
    whole = prepare(lab, lab.write({}))
    suite = find_suite("selftests/good")[0]
    assert isinstance(suite, SelectingSuite)
    programs = [name for name, _ in whole.origins]
    assert {"one", "two"} <= set(programs)
    part = suite.select(whole, ("two.some_test",))
    assert part is not None
    assert [step.name for step in part.steps if step.name in programs] == ["two"]
    assert [step for step in part.steps if step.name not in programs] == [
        step for step in whole.steps if step.name not in programs
    ], "what prepares the guest stays"
    assert (part.settled, part.files) == ((), whole.files)
    assert part.digest != whole.digest
    assert suite.select(whole, ("two", "unheard-of")) is None
    assert suite.select(whole, tuple(programs)) is None
