# SPDX-License-Identifier: GPL-2.0-or-later
"""A build that starts from the objects of another gives exactly what a clean one gives, whatever was changed."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernels.build.build import Build
from kernels.build.reuse import inside, relevant, surgery
from kernels.build.work_folder import _drop_recent
from tests.kernels.lab import Lab, same_outputs
from util.children.jobserver import Jobserver
from util.events import Phase
from util.stop import Stop, Stopped

pytestmark = pytest.mark.slow

Edit = Callable[[Lab], None]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with Jobserver(2) as jobs:
        yield Lab(tmp_path, jobs)


def _c_file(lab: Lab) -> None:
    lab.edit("kernel/seccomp.c", "nr & SECCOMP_MASK", "nr | SECCOMP_MASK")


def _same_length_and_size(lab: Lab) -> None:
    lab.edit("include/linux/kernel.h", "42", "43")


def _header_that_shadows(lab: Lab) -> None:
    lab.add("lib/limits.h", "#define LIMIT 2\n")


def _header_that_shadows_no_more(lab: Lab) -> None:
    lab.delete("lib/limits.h")


def _new_source(lab: Lab) -> None:
    lab.add("kernel/fresh.c", "int fresh = 1;\n")
    lab.edit("kernel/Makefile", "obj-y := sched.o", "obj-y := sched.o fresh.o")


def _dropped_source(lab: Lab) -> None:
    lab.delete("drivers/extra.c")
    lab.edit("drivers/Makefile", "null.o extra.o", "null.o")


def _flags(lab: Lab) -> None:
    lab.edit("drivers/Makefile", "-DDRIVER=1", "-DDRIVER=2")


def _rule_without_record(lab: Lab) -> None:
    lab.edit("lib/Makefile", "factor := 3", "factor := 5")


def _generator(lab: Lab) -> None:
    lab.edit("lib/gentable.c", "value * ", "value + ")


def _table(lab: Lab) -> None:
    lab.edit("lib/table.txt", "2", "9")


def _generated_becomes_source(lab: Lab) -> None:
    lab.add("lib/table.h", "static const int table[] = { 7, 7, 7 };\n")
    lab.edit("lib/Makefile", "extra-deps := $(obj)/table.h\n", "")


def _configuration(lab: Lab) -> None:
    lab.config = ("CONFIG_SECCOMP=y", "CONFIG_CACHE=y")


def _kconfig(lab: Lab) -> None:
    lab.edit("Kconfig", 'bool "Networking"', 'bool "Networking"\n\tdefault y')


def _build_system(lab: Lab) -> None:
    lab.edit("scripts/Makefile.build", "-O2", "-O1")


def _warning_gone(lab: Lab) -> None:
    lab.edit("kernel/sched.c", "static int never_used", "int never_used")


def _new_warning_in_a_header(lab: Lab) -> None:
    lab.edit(
        "include/linux/kernel.h", "int check_nr", "static inline int odd(void) { int unused; return 1; }\nint check_nr"
    )


def _nothing_that_matters(lab: Lab) -> None:
    (lab.source / "Documentation").mkdir()
    lab.add("Documentation/new.rst", "text\n")


CHANGES: list[Edit] = [
    _c_file,
    _same_length_and_size,
    _header_that_shadows,
    _header_that_shadows_no_more,
    _new_source,
    _dropped_source,
    _flags,
    _rule_without_record,
    _generator,
    _table,
    _generated_becomes_source,
    _configuration,
    _kconfig,
    _build_system,
    _warning_gone,
    _new_warning_in_a_header,
    _nothing_that_matters,
]


def _prepare(lab: Lab, change: Edit) -> None:
    if change is _header_that_shadows_no_more:
        lab.add("lib/limits.h", "#define LIMIT 2\n")
    if change is _dropped_source:
        lab.add("drivers/extra.c", "int extra = 1;\n")
        lab.edit("drivers/Makefile", "null.o", "null.o extra.o")
    lab.config = ("CONFIG_SECCOMP=y", "CONFIG_CACHE=n")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_equal_to_a_clean_build_there_and_back(lab: Lab, change: Edit) -> None:
    _prepare(lab, change)
    first = lab.build()
    assert first.ok, first.failure
    change(lab)
    second, clean = lab.build(), lab.clean_build()
    assert second.ok and clean.ok, (second.failure, clean.failure)
    assert same_outputs(second, clean)
    assert bool(second.started_from) == (change is not _build_system)


def _compiled(build: Build) -> list[str]:
    lines = build.output("log").read_text().splitlines()
    return sorted(line.split()[-1] for line in lines if line.startswith("  CC "))


def test_only_what_changed_is_built(lab: Lab) -> None:
    whole = lab.build()
    lab.edit("drivers/null.c", "DRIVER +", "DRIVER -")
    part = lab.build()
    assert part.started_from == whole.key
    assert _compiled(part) == ["drivers/null.o"]
    assert part.warnings == whole.warnings != ()  # those of kernel/sched.o came with it
    assert "# kernel/sched.o was not made again" in part.output("log").read_text()
    assert 0 < part.objects_built < whole.objects_built


def test_warnings_are_handed_on_as_long_as_nobody_touches_what_printed_them(lab: Lab) -> None:
    whole = lab.build()
    for number in range(2):
        lab.edit("drivers/null.c", "DRIVER", f"{number} + DRIVER")
        part = lab.build()
        assert "kernel/sched.o" not in _compiled(part)
        assert part.warnings == whole.warnings != ()
    _warning_gone(lab)
    mended = lab.build()
    assert "kernel/sched.o" in _compiled(mended)
    assert mended.warnings == lab.clean_build().warnings == ()


def test_a_checkout_newer_than_the_objects_changes_nothing(lab: Lab) -> None:
    """The source's own times never matter: here the second checkout is younger than everything built before."""
    lab.build()
    _c_file(lab)
    for path in lab.source.rglob("*"):
        path.touch()
    part = lab.build()
    assert _compiled(part) == ["kernel/seccomp.o"]
    assert same_outputs(part, lab.clean_build())


def test_a_source_deleted_but_still_named_fails_as_a_clean_build_does(lab: Lab) -> None:
    lab.build()
    lab.delete("drivers/null.c")
    part, clean = lab.build(), lab.clean_build()
    assert not part.ok and not clean.ok
    assert part.failure == clean.failure and "null.o" in part.failure
    assert any(event.phase is Phase.NOTE and "clean folder" in event.text for event in lab.events)


def test_the_nearest_build_is_chosen(lab: Lab) -> None:
    lab.build()
    lab.edit("include/linux/kernel.h", "42", "44")
    near = lab.build()
    _c_file(lab)
    assert lab.build().started_from == near.key


def test_the_nearest_build_is_chosen_also_before_the_wish(lab: Lab) -> None:
    base = lab.build()
    lab.edit("include/linux/kernel.h", "42", "44")
    near = lab.build()
    _c_file(lab)
    assert lab.build(nearest=base).started_from == near.key


def test_another_configuration_is_far_away(lab: Lab) -> None:
    asked = lab.config
    one = lab.build()
    _configuration(lab)
    _c_file(lab)
    lab.build()
    lab.config = asked
    lab.edit("drivers/null.c", "DRIVER +", "DRIVER -")
    assert lab.build().started_from == one.key


def test_of_other_configurations_the_most_alike_is_the_nearest(lab: Lab) -> None:
    """A flavour asks for many options more, and its objects were used last."""
    asked = lab.config
    _c_file(lab)
    near = lab.build()
    lab.config = (*asked, "CONFIG_NET=y", "CONFIG_UNIX=y", "CONFIG_CHOSEN=y")
    far = lab.build()
    lab.config = (*asked, "CONFIG_NET=y")
    lab.edit("drivers/null.c", "DRIVER +", "DRIVER -")
    assert near.key != far.key
    assert lab.builds.load(far.key)  # and marks it as used
    assert lab.build().started_from == near.key


def test_objects_of_a_foreign_series_serve_only_itself(lab: Lab) -> None:
    base = lab.build()
    _same_length_and_size(lab)
    foreign = lab.build(taint="somebody")
    assert foreign.started_from == base.key
    _c_file(lab)
    assert lab.build(taint="another").started_from == base.key
    lab.edit("drivers/null.c", "DRIVER +", "DRIVER -")
    assert lab.build().started_from == base.key
    lab.edit("init/main.c", "7", "8")
    assert lab.build(taint="somebody").started_from != base.key


def test_another_toolchain_starts_clean(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.build()
    _c_file(lab)
    monkeypatch.setattr("kernels.build.make.compiler.version", lambda tool: f"{tool} of tomorrow")
    assert lab.build().started_from == ""


def test_what_counts_as_a_change() -> None:
    assert relevant([("M", "Documentation/x.rst"), ("A", "tools/testing/selftests/seccomp/new.c")]) == []
    assert relevant([("M", "kernel/seccomp.c")]) == [("M", "kernel/seccomp.c")]
    for path in ("Makefile", "scripts/Makefile.build", "tools/objtool/check.c", "arch/x86/Makefile", "kernel/gen.sh"):
        assert relevant([("M", path)]) is None, path
    assert relevant([("M", f"kernel/{number}.c") for number in range(500)]) is None


def test_surgery_never_leaves_the_folder(tmp_path: Path) -> None:
    """A hostile build may leave links in its objects; cleaning up in a copy of them must not follow these."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "null.c").write_text("precious")
    out = tmp_path / "out"
    out.mkdir()
    (out / "drivers").symlink_to(victim)
    surgery(out, [("A", "drivers/null.c"), ("M", "drivers/Makefile")], ["drivers/null.c", "../victim/null.c"])
    assert (victim / "null.c").read_text() == "precious"
    assert inside(out, "drivers/null.c") is None and inside(out, "kernel") == out / "kernel"


def test_an_interrupted_build_from_other_objects_goes_on_from_them(lab: Lab) -> None:
    """Twice: what the first attempt to go on leaves behind is worth as much to the second."""
    whole = lab.build()
    lab.edit("drivers/null.c", "DRIVER +", "DRIVER -")
    pause = "$(obj)/null.o: $(obj)/pause\n$(obj)/pause:\n\t@sleep 2; mkdir -p $(obj); touch $@\n"
    lab.edit("drivers/Makefile", "obj-y", f"{pause}obj-y")
    for _ in range(2):
        stop = Stop()
        threading.Timer(1.0, stop.set).start()
        with pytest.raises(Stopped):
            lab.build(stop)
    part = lab.build()
    assert part.started_from == whole.key and lab.texts().count("goes on where it was interrupted") == 2
    assert _compiled(part) == ["drivers/null.o"]
    assert same_outputs(lab.build(), lab.clean_build())


def test_what_options_say_by_their_time_outlives_an_interruption(tmp_path: Path) -> None:
    names = ("include/config/auto.conf", "include/config/FOO", "include/config/auto.conf.cmd", "init/main.o", "old.o")
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    os.utime(tmp_path / "old.o", ns=(5, 5))
    _drop_recent(tmp_path, moment=5)
    assert [name for name in names if (tmp_path / name).exists()] == [names[0], names[1], names[4]]
