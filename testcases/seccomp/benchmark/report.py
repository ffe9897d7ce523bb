# SPDX-License-Identifier: GPL-2.0-or-later
"""What of the figures goes into a cover letter, into pictures and beside what others published."""

from collections.abc import Iterator

from testcases.benchmark.topic import Curve, Plot, Published, Role, TableRow
from testcases.seccomp.benchmark.items import LENGTHS, PLACES
from testcases.seccomp.benchmark.plan import RUNGS

NO_FILTER = "call/none/getppid/unfiltered"
_MODES = {"interpreted": "", "compiled": ", compiled"}


def _rows() -> Iterator[TableRow]:
    yield TableRow("getppid, no filter", NO_FILTER)
    yield TableRow("close(-1), no filter", "call/none/close/unfiltered")
    for mode, suffix in _MODES.items():
        for place in PLACES:
            yield TableRow(f"list of 330, {place}{suffix}", f"call/list/{place}/{mode}")
        yield TableRow(f"list of 330, absent{suffix}", f"call/list/absent/{mode}")
        yield TableRow(f"binary tree of 330{suffix}", f"call/tree/present/{mode}")
        yield TableRow(f"rule about an argument{suffix}", f"call/argument-rule/{mode}")
        for short in ("container", "service"):
            yield TableRow(f"{short} profile, list{suffix}", f"call/{short}/own-abi/linear/{mode}")
            yield TableRow(f"{short} profile, tree{suffix}", f"call/{short}/own-abi/tree/{mode}")
        yield TableRow(f"service, one filter per ABI{suffix}", f"call/service/per-abi/linear/{mode}")
        yield TableRow(f"service, ABIs merged{suffix}", f"call/service/merged/linear/{mode}")
        for depth in RUNGS[1:]:
            yield TableRow(f"{depth} lists of 330{suffix}", f"call/stack/{depth}/{mode}")
    for mode, suffix in _MODES.items():
        for length in LENGTHS:
            yield TableRow(f"attach {length} instructions{suffix}", f"attach/length/{length}/{mode}")
        yield TableRow(f"attach list of 330{suffix}", f"attach/stack/1/{mode}")
        yield TableRow(f"attach it, for any arch{suffix}", f"attach/any-arch/{mode}")
        yield TableRow(f"attach tree of 330{suffix}", f"attach/tree/{mode}")
        yield TableRow(f"attach the 32nd list{suffix}", f"attach/stack/32/{mode}")
        yield TableRow(f"attach container, list{suffix}", f"attach/container/own-abi/linear/{mode}")
        yield TableRow(f"attach container, merged{suffix}", f"attach/container/merged/linear/{mode}")
    yield TableRow("first call, list of 330", "first/list/interpreted")
    yield TableRow("first call, 4 lists of 330", "first/four-lists/interpreted")
    yield TableRow("first call, container", "first/container/interpreted")
    yield TableRow("fork, no filter", "fork/none/unfiltered")
    yield TableRow("fork, one list", "fork/list/interpreted")
    yield TableRow("attach to 8 threads", "tsync/eight-threads/interpreted")
    yield TableRow("memory of a filter of 4", "memory/filter/interpreted")


ROWS = tuple(_rows())


def _curve(
    label: str, role: Role, pattern: str, places: Iterator[tuple[int, str]] | tuple[tuple[int, str], ...]
) -> Curve:
    return Curve(label, role, tuple((x, pattern.format(word)) for x, word in places))


def _sides(pattern: str, places: tuple[tuple[int, str], ...], label: str = "") -> Iterator[Curve]:
    roles: tuple[Role, Role] = ("base", "judged")
    for role in roles:
        for mode in _MODES:
            yield _curve(" ".join(filter(None, ("{" + role + "}", label, mode))), role, f"{pattern}/{mode}", places)


_POSITIONS = tuple((position, place) for place, position in PLACES.items())
_ENDS = ((1, "tree/present"), (330, "tree/present"))
_DEPTHS = tuple((depth, str(depth)) for depth in RUNGS)
_LENGTHS = tuple((length, str(length)) for length in LENGTHS)
PLOTS = (
    Plot(
        "position",
        "getppid() below an allow-list of 330, by its place in the list",
        "position in the list",
        (
            *_sides("call/list/{}", _POSITIONS, "list"),
            _curve("{base} tree interpreted", "base", "call/{}/interpreted", _ENDS),
        ),
    ),
    Plot(
        "depth",
        "getppid() below stacks of a list of 330",
        "filters in the stack",
        tuple(_sides("call/stack/{}", _DEPTHS)),
        log="xy",
    ),
    Plot(
        "attach",
        "seccomp() by the length of the filter",
        "instructions of the filter",
        tuple(_sides("attach/length/{}", _LENGTHS)),
        log="xy",
    ),
)

_END, _FRONT = "call/list/end/interpreted", "call/list/front/interpreted"
_TREE, _FOUR = "call/tree/present/interpreted", "call/stack/4/interpreted"
_CONTAINER = "attach/container/own-abi/linear/interpreted"
_LIBSECCOMP, _UPSTREAM = "libseccomp", "upstream"
PUBLISHED = (
    Published(_LIBSECCOMP, "end / front of a list", 1942 / 256, ("base", _END), ("base", _FRONT)),
    Published(_LIBSECCOMP, "end of a list / tree", 1942 / 312, ("base", _END), ("base", _TREE)),
    Published(_LIBSECCOMP, "end of a list / no filter", 1942 / 138, ("base", _END), ("base", NO_FILTER)),
    Published(_UPSTREAM, "4 filters / cached", 752 / 675, ("base", _FOUR), ("judged", _FOUR)),
    Published(
        *(_UPSTREAM, "the same, less no filter", (752 - 646) / (675 - 646)),
        *(("base", _FOUR), ("judged", _FOUR), ("base", NO_FILTER)),
    ),
    Published(_UPSTREAM, "attach, emulated / not", 544 / 198, ("judged", _CONTAINER), ("base", _CONTAINER)),
)
"""Their wall time, with other filters and processors, beside our instructions: to be read as orders of magnitude."""
