# SPDX-License-Identifier: GPL-2.0-or-later
"""The functions of a report: where it happened, and who called whom."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, takewhile

from configs.loader import load_arch
from configs.names import names

Place = tuple[str, bool]
"""`function+0x1/0x2`, and whether it is a return address."""

UNKNOWN = "unknown function"
_PLACE = r"(?P<place>[A-Za-z_][\w.$]{0,511}\+0x[0-9a-f]{1,16}/0x[0-9a-f]{1,16})"
_ADDRESS, _MAYBE = r"\[<[0-9a-fx]{1,20}>\] ", r"(?P<maybe>\? )?"
_CODE = r"(?: \[[\w-]{1,64}(?: [0-9a-f]{8,64})?\])?(?: \(.{0,80}\))?"
"""A module's name may be followed by its build id (kernel/kallsyms.c)."""


@dataclass(frozen=True, slots=True)
class _Forms:
    """The lines of dumps and traces as all architectures write them."""

    frame: re.Pattern[str]
    counter: re.Pattern[str]
    link: re.Pattern[str]
    no_counter: re.Pattern[str]
    behind: re.Pattern[str]


@cache
def _forms() -> _Forms:
    archs = [load_arch(name).crash for name in names("archs")]

    def either(patterns: Iterable[str]) -> str:
        return "|".join(pattern for pattern in patterns if pattern) or "(?!)"

    before, guess = either(one.frame for one in archs), either(one.guess for one in archs)
    return _Forms(
        frame=re.compile(rf"^ *(?:{before}|{_ADDRESS}|(?P<unsure>{guess}))?{_MAYBE}{_PLACE}(?(unsure)\)){_CODE} *$"),
        counter=re.compile(rf"^(?:{either(one.counter for one in archs)}){_PLACE}"),
        link=re.compile(rf"^(?:{either(one.link for one in archs)}){_PLACE}"),
        no_counter=re.compile(rf"^(?:{either(one.no_counter for one in archs)})"),
        behind=re.compile(rf"^(?:{either(one.behind_trace for one in archs)})"),
    )


_TRACE = re.compile(r"^ *Call [Tt]race:")
_CLONE = re.compile(r"\.(?:isra|constprop|part|cold|llvm)(?:\.\d{1,20})?\b")
_LOOKED_AT = 1024


def places_in(texts: Sequence[str]) -> tuple[Place, ...]:
    """Where it happened, then the frames of the first trace; where there is none, those that follow the first line
    (KMSAN and KFENCE print them so).

    Guesses of the unwinder (`? func`) are left out, unless there is nothing but guesses (CONFIG_UNWINDER_GUESS).
    """
    where: list[Place] = []
    sure: list[Place] = []
    guessed: list[Place] = []
    in_trace = traced = lost = False
    forms = _forms()
    for text in (line[:_LOOKED_AT] for line in texts):
        lost = lost or bool(forms.no_counter.match(text))
        counter = forms.counter.match(text) or (forms.link.match(text) if lost else None)
        if counter and not where:
            where.append((counter["place"], False))
        if _TRACE.match(text):
            in_trace, traced = not traced, True  # the first only
        elif forms.behind.match(text):
            in_trace = False
        elif where and not traced and text.startswith("[<") and forms.frame.match(text):
            in_trace = traced = True  # riscv's register dumps go on with a trace that has no heading
        if in_trace and (frame := forms.frame.match(text)):
            (guessed if frame["maybe"] or frame["unsure"] else sure).append((frame["place"], True))
    return (*where, *(sure or guessed or ([] if traced else _bare(texts))))


def _bare(texts: Sequence[str]) -> list[Place]:
    """The frames that stand directly behind the first line."""
    frames = (_forms().frame.match(text[:_LOOKED_AT]) for text in texts[1:])
    return [(frame["place"], True) for frame in takewhile(bool, frames) if frame]


def function_of(named: Iterable[str], places: Iterable[Place], skip: re.Pattern[str]) -> str:
    """The innermost function that is not one of those that only report, first of the named, then of the places."""
    names = [without_clone(name.partition("+")[0]) for name in chain(named, (place for place, _is_return in places))]
    return next((name for name in names if not skip.match(name)), names[0] if names else UNKNOWN)


def without_clone(name: str) -> str:
    """`func.isra.0` is a compiler's copy of `func`, another one in every build."""
    return _CLONE.sub("", name)
