# SPDX-License-Identifier: GPL-2.0-or-later
"""Struct layout, size and checkpatch as cells of tests with figures, one cell for each variant; no guest is in them.

What changed against base stands in the `output` of the judged variant's test. Both variants always report the same
tests: a series may add or remove a struct or an object, and none of that is a test that vanished.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ci.model.stages import CellResult, PatchFinding
from ci.verdict.figures.budget import words
from configs.result import Cell, Figure, Status, TestResult
from kernels.binary.dwarf import Member, StructLayout
from kernels.binary.layout import Layouts, Wanted
from kernels.binary.object_code import Sizes
from kernels.binary.size import ObjectChange, SizeChange, SymbolChange
from kernels.checks import check as patch_check
from kernels.patches.checkpatch import LEVELS, CheckpatchResult
from util.text import counted

VMLINUX = "vmlinux"
"""The test of the suite `size` that stands for the kernel as a whole."""
NO_STRUCT = "this variant has no such struct"
SYMBOL = "symbol:"
"""Prefix of the figures that are the sizes of functions and variables."""
SAME_IMAGE = "the image is the same, byte for byte but for its build id"

Pair = tuple[Cell, Cell]
"""Base's cell and the judged variant's."""


def unmeasured(cells: Pair, names: Sequence[str], status: Status, reason: str) -> list[CellResult]:
    """Both cells where nothing could be measured."""
    tests = tuple(TestResult(name, status, message=reason) for name in names)
    return [CellResult(cell=cell, tests=tests) for cell in cells]


# struct layout -------------------------------------------------------------------------------------------------------


def layout_cells(cells: Pair, before: Layouts, after: Layouts, named: Sequence[Wanted]) -> list[CellResult]:
    """`named` are the structs that the profile names: one that neither kernel has is a MISS, of others a SKIP."""
    tests = [
        _layout_tests(item, before.get(item), after.get(item), item in named) for item in sorted({*before, *after})
    ]
    base, judged = zip(*tests, strict=True)
    return [CellResult(cell=cells[0], tests=base), CellResult(cell=cells[1], tests=judged)]


def _layout_tests(
    item: Wanted, before: StructLayout | None, after: StructLayout | None, named: bool
) -> tuple[TestResult, TestResult]:
    if before is None and after is None:
        status = Status.MISS if named else Status.SKIP
        lost = TestResult(item.name, status, message="nothing that was built defines this struct", file=item.path)
        return lost, lost
    output = "".join(f"{line}\n" for line in layout_changes(before, after))
    return _layout_test(item, before, ""), _layout_test(item, after, output)


def _layout_test(item: Wanted, layout: StructLayout | None, output: str) -> TestResult:
    message = "" if layout else NO_STRUCT
    figures = layout_figures(layout) if layout else ()
    return TestResult(item.name, Status.PASS, message=message, output=output, file=item.path, figures=figures)


def layout_figures(layout: StructLayout) -> tuple[Figure, ...]:
    return (
        Figure("size", layout.size, "bytes"),
        Figure("holes", layout.holes, "holes"),
        Figure("hole_bytes", layout.hole_bytes, "bytes"),
        Figure("hole_bits", layout.hole_bits, "bits"),
        Figure("padding", layout.padding, "bytes"),
        Figure("cache_lines", layout.cache_lines, "lines"),
        Figure("straddlers", len(layout.straddlers), "members"),
    )


def layout_changes(before: StructLayout | None, after: StructLayout | None) -> Iterator[str]:
    """The changes of the members, one line each; none where nothing changed."""
    if before is None or after is None:
        yield "the struct is new" if before is None else "the struct is gone"
        return
    old, new = _by_name(before), _by_name(after)
    for name in [*old, *(name for name in new if name not in old)]:
        one, other = old.get(name), new.get(name)
        if one is None or other is None:
            member = one or other
            assert member is not None
            yield f"{name}: {'added' if one is None else 'removed'} at {_at(member.offset)}, {_at(member.size)} long"
        else:
            moved = f" moved from {_at(one.offset)} to {_at(other.offset)}" if one.offset != other.offset else ""
            grown = f" resized from {_at(one.size)} to {_at(other.size)}" if one.size != other.size else ""
            if moved or grown:
                yield f"{name}:{moved}{',' if moved and grown else ''}{grown}"
    for name in after.straddlers:
        if name not in before.straddlers:
            yield f"{name}: lies in two cache lines now"


def _by_name(layout: StructLayout) -> dict[str, Member]:
    return {member.name: member for member in layout.members}


def _at(bits: int) -> str:
    """`16` bytes, `16.3` where a bitfield begins three bits later."""
    return f"{bits // 8}" if bits % 8 == 0 else f"{bits // 8}.{bits % 8}"


# checkpatch ----------------------------------------------------------------------------------------------------------


def checkpatch_cells(cells: Pair, checked: Sequence[CheckpatchResult]) -> list[CellResult]:
    """One test for each patch. A complaint is a figure and fails nothing by itself: that is for a budget to say."""
    base = tuple(_patch_test(CheckpatchResult(item.patch, ())) for item in checked)
    return [CellResult(cell=cells[0], tests=base), CellResult(cell=cells[1], tests=tuple(map(_patch_test, checked)))]


def _patch_test(item: CheckpatchResult) -> TestResult:
    figures = tuple(Figure(f"{level.lower()}s", item.count(level), "complaints") for level in LEVELS)
    output = "".join(f"{complaint}\n" for complaint in item.complaints)
    return TestResult(f"{item.patch.number:04} {item.patch.subject}", Status.PASS, output=output, figures=figures)


# checks of patches ----------------------------------------------------------------------------------------------------


def check_cells(cells: Pair, checked: Sequence[patch_check.StaticCheckResult]) -> list[CellResult]:
    """One test for each check, over all patches. An error fails it; anything less is a figure for a budget."""
    names = list(dict.fromkeys(item.check.name for item in checked))
    groups = [[item for item in checked if item.check.name == name] for name in names]
    base = tuple(_check_test([replace(item, findings=()) for item in group]) for group in groups)
    judged = tuple(map(_check_test, groups))
    return [CellResult(cell=cells[0], tests=base), CellResult(cell=cells[1], tests=judged)]


def _check_test(group: Sequence[patch_check.StaticCheckResult]) -> TestResult:
    levels = [finding.level for item in group for finding in item.findings]
    lines = [f"patch {item.patch.number}: {finding}\n" for item in group for finding in item.findings]
    skipped = [item for item in group if item.skipped]
    errors = [line.strip() for item in group for line in _errors(item)]
    status = Status.FAIL if errors else Status.SKIP if skipped and not lines else Status.PASS
    remarks = list(dict.fromkeys(item.remark for item in group if item.remark))
    message = errors[0] if errors else skipped[0].skipped if skipped else "; ".join(remarks)
    figures = tuple(Figure(f"{level.value}s", levels.count(level), "findings") for level in patch_check.Level)
    return TestResult(group[0].check.name, status, message=message, output="".join(lines), figures=figures)


def _errors(item: patch_check.StaticCheckResult) -> list[str]:
    errors = (finding for finding in item.findings if finding.level is patch_check.Level.ERROR)
    return [f"patch {item.patch.number}: {finding}" for finding in errors]


def found_in(checked: Sequence[patch_check.StaticCheckResult]) -> list[PatchFinding]:
    """The same for the results model."""
    return [
        PatchFinding(
            patch=item.patch.number,
            check=item.check.name,
            path=finding.path,
            line=finding.line,
            level=finding.level.value,
            kind=finding.kind,
            text=finding.text,
            elsewhere=finding.elsewhere,
        )
        for item in checked
        for finding in item.findings
    ]


# size ----------------------------------------------------------------------------------------------------------------


def size_cells(cells: Pair, change: SizeChange) -> list[CellResult]:
    """One test for the kernel, one for each object that differs."""
    before = [_size_test(VMLINUX, change.before, _totals(())), *(_object_test(item, False) for item in change.objects)]
    after = [_kernel_test(change), *(_object_test(item, True) for item in change.objects)]
    return [CellResult(cell=cells[0], tests=tuple(before)), CellResult(cell=cells[1], tests=tuple(after))]


def _kernel_test(change: SizeChange) -> TestResult:
    symbols = sum(len(item.symbols) for item in change.objects)
    message = (
        SAME_IMAGE
        if change.same
        else f"changed: {counted(len(change.objects), 'object')}, {counted(symbols, 'symbol')} in all"
    )
    return _size_test(VMLINUX, change.after, _totals(change.objects), message)


def _totals(objects: Sequence[ObjectChange]) -> tuple[Figure, ...]:
    """`grown` is what all objects together grew by: the sections of a vmlinux are padded, and hide that."""
    return (
        Figure("grown", sum(item.after.total - item.before.total for item in objects), "bytes"),
        Figure("changed_objects", len(objects), "objects"),
        Figure("changed_symbols", sum(len(item.symbols) for item in objects), "symbols"),
    )


def _size_test(
    name: str, sizes: Sizes, more: tuple[Figure, ...], message: str = "", output: str = "", file: str = ""
) -> TestResult:
    figures = (
        Figure("text", sizes.text, "bytes"),
        Figure("data", sizes.data, "bytes"),
        Figure("bss", sizes.bss, "bytes"),
    )
    return TestResult(name, Status.PASS, message=message, output=output, file=file, figures=(*figures, *more))


def _object_test(item: ObjectChange, judged: bool) -> TestResult:
    sizes = item.after if judged else item.before
    symbols = tuple(
        Figure(f"{SYMBOL}{symbol.name}", (symbol.after if judged else symbol.before) or 0, "bytes")
        for symbol in item.symbols
    )
    output = "".join(f"{line}\n" for line in symbol_lines(item.symbols)) if judged else ""
    return _size_test(item.path, sizes, symbols, output=output)


def symbol_lines(symbols: Sequence[SymbolChange]) -> Iterator[str]:
    """`do_fork: 1724 -> 1868 bytes (+144, +8.4 %)`, as bloat-o-meter tells it; of equal size is `changed`."""
    for symbol in symbols:
        old, new = Figure(symbol.name, symbol.before or 0, "bytes"), Figure(symbol.name, symbol.after or 0, "bytes")
        if symbol.before is None or symbol.after is None:
            yield f"{symbol.name}: {words(old, new)}, {'new' if symbol.before is None else 'gone'}"
        else:
            yield f"{symbol.name}: {words(old, new)}{'' if symbol.growth else ', changed'}"
    if not symbols:
        yield "what differs has no name"
