# SPDX-License-Identifier: GPL-2.0-or-later
"""The grammar of a budget's limit, and the check of two figures against it. The arithmetic is exact: no figure is
converted to a float.

    limit  = "no growth" | op bound
    op     = "<=" | "<" | "==" | ">=" | ">"
    bound  = number [unit] | "base" [("*" | "+" | "-") number [unit]]

`no growth` is `<= base`. A factor has no unit.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

_WORDS = "no growth"
_OPERATORS: dict[str, Callable[[int, Fraction], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
_LIMIT = re.compile(
    r"(?P<op><=|<|==|>=|>)\s*(?:(?P<base>base)(?:\s*(?P<sign>[*+-])\s*(?P<much>\d+(?:\.\d+)?)(?:\s*(?P<of>[a-z]+))?)?"
    r"|(?P<number>\d+(?:\.\d+)?)(?:\s*(?P<unit>(?!base)[a-z]+))?)"
)


@dataclass(frozen=True, slots=True)
class Limit:
    """`figure op base * factor + offset`; absolute where `factor` is None. `unit` is empty where none is named."""

    text: str
    op: str
    factor: Fraction | None
    offset: Fraction
    unit: str = ""

    @property
    def needs_base(self) -> bool:
        return self.factor is not None

    def keeps(self, figure: int, base: int | None) -> bool:
        """Whether `figure` is within the limit. Raises ValueError without the base figure that it needs."""
        bound = self.offset
        if self.factor is not None:
            if base is None:
                raise ValueError(f"`{self.text}` needs the figure of base")
            bound += self.factor * base
        return _OPERATORS[self.op](figure, bound)


def parse_limit(text: str) -> Limit:
    """Raises ValueError that says what a limit looks like."""
    text = " ".join(text.split())
    match = _LIMIT.fullmatch("<= base" if text == _WORDS else text)
    if match is None or (match["sign"] == "*" and match["of"]):
        raise ValueError(f"{text!r} is no limit, such as `<= base`, `<= base * 0.2`, `<= 200 insns` or `no growth`")
    if match["number"]:
        return Limit(text, match["op"], None, Fraction(match["number"]), match["unit"] or "")
    much = Fraction(match["much"] or 0)
    if match["sign"] == "*":
        return Limit(text, match["op"], much, Fraction(0))
    return Limit(text, match["op"], Fraction(1), -much if match["sign"] == "-" else much, match["of"] or "")
