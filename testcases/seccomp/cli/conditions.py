# SPDX-License-Identifier: GPL-2.0-or-later
"""For which arguments a value is returned, as people write it: ranges of 64 bits, masks, alternatives."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from testcases.seccomp.bpf.call import field_name
from testcases.seccomp.bpf.instruction import WORD, ByteOrder
from testcases.seccomp.bpf.seccomp_data import IP, SIZE
from testcases.seccomp.prove.box_domain import Box
from testcases.seccomp.prove.u32set import ALL, MaskedRange, NumberSet, numbers

_WIDE = (1 << 64) - 1
_ZERO = numbers((0,))
_FIELDS = tuple(range(IP, SIZE, 8))
_MOST_PIECES = 256
"""A field with more ranges than this is shown by its halves."""

Spans = tuple[tuple[int, int], ...]
"""Inclusive ranges of 64 bits, disjoint and sorted."""


@dataclass(frozen=True, slots=True)
class _Clause:
    """What one box asks: by the offset of a field its ranges, and as text what is not made of ranges."""

    spans: tuple[tuple[int, Spans], ...]
    texts: tuple[str, ...]

    def written(self) -> str:
        """`args[0] == 0x10 and args[2] <= 0x8`."""
        parts = [_written(_name(field), spans) for field, spans in self.spans]
        return " and ".join((*parts, *self.texts))


def clauses(boxes: Iterable[Box], *, wide: bool = True, order: ByteOrder = "little") -> list[str]:
    """The alternatives, each a line. Not `wide`: the ABI is one of 32 bits, whose upper halves are zero."""
    found = _joined([_clause(box, wide=wide, order=order) for box in boxes])
    return sorted((clause.written() for clause in found), key=lambda text: (len(text), text))


def plain(text: str) -> bool:
    """Whether a person can read this alternative: no masks within ranges."""
    return " with " not in text


def _clause(box: Box, *, wide: bool, order: ByteOrder) -> _Clause:
    """From here on the halves of a field are where a little-endian machine has them."""
    words = dict(box) if order == "little" else {at ^ 4 if at >= IP else at: values for at, values in box}
    spans: list[tuple[int, Spans]] = []
    texts: list[str] = []
    for field in _FIELDS:
        low, high = words.get(field, ALL), words.get(field + 4, ALL)
        if field not in words and field + 4 not in words:
            continue
        if not wide and 0 in high:
            high = _ZERO
        both = _wide(low, high)
        if both is None:
            texts += _halves(field, low, high)
        elif both != ((0, _WIDE),):
            spans.append((field, both))
    return _Clause(tuple(spans), tuple(texts))


def _wide(low: NumberSet, high: NumberSet) -> Spans | None:
    """The field's values as ranges, None if they would be too many."""
    if not (low.plain and high.plain):
        return None
    whole = low == ALL
    pieces = len(high.blocks) if whole else len(high) * len(low.blocks)
    if pieces > _MOST_PIECES:
        return None
    if whole:
        return _merged((part.low << 32, part.high << 32 | WORD) for part in high.blocks)
    return _merged((top << 32 | part.low, top << 32 | part.high) for top in high for part in low.blocks)


def _halves(field: int, low: NumberSet, high: NumberSet) -> Iterator[str]:
    mask = _mask(low, high)
    if mask is not None and not (high == ALL and low.plain):
        yield f"{_name(field)} & {mask[0]:#x} == {mask[1]:#x}"
        return
    for offset, values in ((field, low), (field + 4, high)):
        name = field_name(offset)
        if values != ALL and values.plain:
            yield _written(name, tuple((part.low, part.high) for part in values.blocks), WORD)
        elif values != ALL:
            parts = " or ".join(_block(name, part) for part in values.blocks)
            yield f"({parts})" if len(values.blocks) > 1 else parts


def _mask(low: NumberSet, high: NumberSet) -> tuple[int, int] | None:
    """Mask and value, if that is all that is asked of both halves."""
    found = [_half_mask(part) for part in (low, high)]
    if None in found:
        return None
    (low_mask, low_value), (high_mask, high_value) = (one for one in found if one is not None)
    return high_mask << 32 | low_mask, high_value << 32 | low_value


def _half_mask(values: NumberSet) -> tuple[int, int] | None:
    if values == ALL:
        return 0, 0
    if len(values.blocks) != 1:
        return None
    part = values.blocks[0]
    if part.low == part.high:
        return WORD, part.low
    whole = part.low == part.value and part.high == part.value | WORD & ~part.mask
    return (part.mask, part.value) if part.mask and whole else None


def _block(name: str, part: MaskedRange) -> str:
    text = _written(name, ((part.low, part.high),), WORD)
    return f"{text} with {name} & {part.mask:#x} == {part.value:#x}" if part.mask else text


def _merged(pairs: Iterable[tuple[int, int]]) -> Spans:
    found: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)


_MOST_JOINED = 400


def _joined(found: list[_Clause]) -> list[_Clause]:
    """Alternatives that differ in one field alone are one."""
    found = list(dict.fromkeys(found))
    changed = len(found) <= _MOST_JOINED
    while changed:
        changed = False
        for field in _FIELDS:
            by_rest: dict[tuple[object, ...], list[Spans]] = {}
            for clause in found:
                own = dict(clause.spans)
                spans = own.pop(field, ((0, _WIDE),))
                by_rest.setdefault((tuple(own.items()), clause.texts), []).append(spans)
            if len(by_rest) < len(found):
                changed = True
                found = [_with(rest, field, _merged(chain(*many))) for rest, many in by_rest.items()]
    return found


def _with(rest: tuple[object, ...], field: int, spans: Spans) -> _Clause:
    others, texts = rest
    assert isinstance(others, tuple) and isinstance(texts, tuple)
    whole = spans == ((0, _WIDE),)
    return _Clause(tuple(sorted((*others, *(() if whole else ((field, spans),))))), texts)


def _name(field: int) -> str:
    return field_name(field).removesuffix(" low")


_MOST_SPANS = 40


def _written(name: str, spans: Spans, top: int = _WIDE) -> str:
    """`x == 0x8`, `x <= 0x25`, `x in 0x1-0x3, 0x7`, or what it is not if that is shorter."""
    gaps = _gaps(spans, top)
    if len(gaps) < len(spans) or (len(gaps) == 1 and len(spans) == 2):
        return _listed(name, gaps, top, "!=", "not in")
    return _listed(name, spans, top, "==", "in")


def _listed(name: str, spans: Spans, top: int, equal: str, within: str) -> str:
    if len(spans) == 1:
        low, high = spans[0]
        if low == high:
            return f"{name} {equal} {low:#x}"
        if equal == "==" and low == 0:
            return f"{name} <= {high:#x}"
        if equal == "==" and high == top:
            return f"{name} >= {low:#x}"
    shown = [f"{low:#x}" if low == high else f"{low:#x}-{high:#x}" for low, high in spans[:_MOST_SPANS]]
    more = f", ... and {len(spans) - _MOST_SPANS} more ranges" if len(spans) > _MOST_SPANS else ""
    return f"{name} {within} {', '.join(shown)}{more}"


def _gaps(spans: Spans, top: int) -> Spans:
    found, start = [], 0
    for low, high in spans:
        if start < low:
            found.append((start, low - 1))
        start = high + 1
    return (*found, (start, top)) if start <= top else tuple(found)
