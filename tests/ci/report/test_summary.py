# SPDX-License-Identifier: GPL-2.0-or-later
"""Text for mails: what it says, what it must not say, and how wide it is."""

from ci.model.results import Run
from ci.model.stages import CellResult
from ci.model.variants import Variant
from ci.report.summary import COVER, REPLY, WIDTH, render
from ci.verdict.conclude import conclude
from configs.result import Cell, Figure, Status, TestResult
from tests.ci.samples import PANIC, TODAY, built, judged, not_run, ran, run_of

GOOD = {"works": Status.PASS, "also": Status.SKIP}
BAD = {"works": Status.FAIL, "also": Status.SKIP}


def good() -> Run:
    cells = [ran(side, GOOD, abi=abi) for abi in ("x86_64", "x32", "i386") for side in ("base", "patched")]
    return judged(cells, [built("base"), built("patched")])


def bad() -> Run:
    return judged(
        [ran("base", GOOD), ran("patched", BAD), *(ran(s, GOOD, abi="x32") for s in ("base", "patched"))],
        [built("base"), built("patched")],
    )


def narrow(text: str) -> None:
    wide = [line for line in text.splitlines() if len(line) > WIDTH]
    assert [line for line in wide if not line.lstrip().startswith("--")] == []


def test_a_cover_letter_says_what_was_built_run_and_found() -> None:
    text = render(good(), COVER)
    narrow(text)
    assert "linux-source-5.10 (5.10.262, c0ffeec0ffee)" in " ".join(text.split())
    assert "x86_64: no new warning" in text
    assert "selftests/seccomp on x86_64, x32, i386: 1 pass, 1 skip, as on base" in " ".join(text.split())
    assert "Result: pass" in text


def test_abis_with_another_answer_have_a_line_of_their_own() -> None:
    text = " ".join(render(bad(), COVER).split())
    assert "selftests/seccomp on x86_64: 1 fail, 1 skip; against base 1 regression" in text
    assert "selftests/seccomp on x32: 1 pass, 1 skip, as on base" in text
    assert "Result: fail" in text


def test_what_did_not_run_is_never_told_as_run() -> None:
    run = judged(
        [ran("base", GOOD), not_run("patched", "the run ended before this cell was finished")], [built("base")]
    )
    text = " ".join(render(run, COVER).split())
    assert "not run (the run ended before this cell was finished)" in text
    assert "pass" not in text.partition("Result:")[0]
    assert "no new warning" not in text


def test_no_trailer_is_ever_written() -> None:
    for run in (good(), bad()):
        for form in (COVER, REPLY):
            assert "-by:" not in render(run, form)


def test_figures_that_changed() -> None:
    def cell(variant: str, size: int) -> CellResult:
        test = TestResult("vmlinux", Status.PASS, figures=(Figure("text", size, "bytes"), Figure("bss", 4, "bytes")))
        return CellResult(cell=Cell(variant, "x86_64", "-", "plain", "size"), tests=(test,))

    run = judged([cell("base", 1000), cell("patched", 1010)], [built("base"), built("patched")])
    assert "x86_64 vmlinux: text 1000 -> 1010 bytes (+10, +1.0 %)" in render(run, COVER)


def test_a_series_that_is_fine_after_every_patch() -> None:
    sides = (Variant(name="base", patches=0), Variant(name="patch-1", patches=1), Variant(name="patched"))
    run = run_of([], [built(side.name) for side in sides], variants=sides).model_copy(update={"each": "boot"})
    text = " ".join(render(conclude(run, today=TODAY), COVER).split())
    assert "after every single patch: builds and passes boot on x86_64" in text
    half = run.model_copy(update={"builds": run.builds[:1]})
    assert "after every patch: not known" in " ".join(render(conclude(half, today=TODAY), COVER).split())


def test_a_reply_names_base_configuration_compiler_and_marks_what_is_new() -> None:
    run = judged(
        [
            ran("base", {"old": Status.FAIL, "works": Status.PASS}),
            ran("patched", {"old": Status.FAIL, "works": Status.FAIL}),
        ],
        [built("base"), built("patched")],
    )
    run = run.model_copy(update={"host": run.host.model_copy(update={"compilers": {"x86_64": "gcc 12.2.0"}})})
    text = render(run, REPLY)
    narrow(text)
    lines = text.splitlines()
    assert [line for line in lines if line.startswith(">> ")] == [
        ">> x86_64 x86_64 selftests/seccomp: works: works said FAIL"
    ]
    assert any(line.startswith("   x86_64 x86_64 selftests/seccomp: old") for line in lines)
    for fact in ("base:     linux-source-5.10", "config:   x86_64 plain", "compiler: gcc 12.2.0", "guest:    x86_64"):
        assert any(line.startswith(fact) for line in lines), fact
    assert "./rig.py check --arch x86_64 --abi x86_64" in text


def test_a_reply_names_abis_with_the_same_finding_once() -> None:
    sides = [
        ran(side, tests, abi=abi) for abi in ("x86_64", "i386") for side, tests in (("base", GOOD), ("patched", BAD))
    ]
    run = judged(sides, [built("base"), built("patched")])
    long = ",".join(["0xffffffffffffffff"] * 6)
    folder = f"/{'very/' * 20}long/reproducers/case"
    told = f"args {long} returned it; minimised: 1 filter in {folder}"
    found = [item.model_copy(update={"message": told if item.cell.abi == "i386" else told.partition(";")[0]})
             for item in run.comparisons]  # fmt: skip
    text = render(run.model_copy(update={"comparisons": tuple(found)}), REPLY)
    narrow(text)
    marked = [line for line in text.splitlines() if line.startswith(">> ")]
    assert len(marked) == 1 and marked[0].startswith(">> x86_64 x86_64,i386 selftests/seccomp: works: args")
    assert "minimised: 1 filter in reproducers/case" in " ".join(text.split())
    _, _, again = text.partition("To reproduce:")
    assert again.count("./rig.py") == 1 and "--abi x86_64,i386" in " ".join(again.replace("\\", "").split())


def test_a_reply_to_a_build_that_fails_quotes_the_compiler() -> None:
    run = judged([], [built("base"), built("patched", ok=False)])
    text = render(run, REPLY)
    assert ">> x86_64 build: kernel: kernel/seccomp.c:42:1: error: expected" in text
    assert "make ARCH=x86_64" in text


def test_a_reply_to_a_crash_has_its_trace() -> None:
    text = render(judged([ran("base", GOOD), ran("patched", {}, end="panic", faults=[PANIC])]), REPLY)
    assert "     do_exit at kernel/exit.c:807" in text


def test_folders_of_this_machine_are_nobodys_business() -> None:
    run = good()
    title = '/home/me/my work/linux at 0123456789ab ("x86/y: z")'.replace(" work", "-work")
    run = run.model_copy(update={"source": run.source.model_copy(update={"title": title})})
    assert 'on linux at 0123456789ab ("x86/y: z")' in " ".join(render(run, COVER).split())


def test_there_is_no_reply_to_a_series_that_passes() -> None:
    assert render(good(), REPLY).startswith("Nothing to reply: the verdict is pass")
