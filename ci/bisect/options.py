# SPDX-License-Identifier: GPL-2.0-or-later
"""Which options make the difference between two configurations of one commit.

The search is QuickXplain (Junker, AAAI 2004), which for m options of n that must be together asks about m log(n/m)
kernels; each kernel is the good configuration with some of the bad one's lines. Kconfig itself settles every mixture:
an option whose dependency is missing does not survive, so that what is found is the smallest difference that Kconfig
allows, dependencies included. Then each option is taken back alone: without it the fault must be gone.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ci.bisect.ends import Ends, EndsCheck
from ci.bisect.facts.asking import Asking
from ci.bisect.facts.oracle import FactSource
from ci.bisect.facts.signature import Sought
from ci.bisect.facts.state import State
from ci.bisect.facts.steps import BisectStep
from ci.bisect.git_driver import Mark
from ci.bisect.proof import witness
from ci.bisect.report.answer import BisectAnswer, BisectResult, Cost, Culprit, Proof, Skipped
from ci.bisect.ruling import Rules, Ruling
from ci.bisect.sequential import STEP_ERROR, doubt
from kernels.kconfig.fragments import config_line, names_of, parse_fragment
from util.errors import UserError
from util.events import Event, Listener, Phase
from util.paths import version

_OPTIONAL = "  # optional: one of two configurations that are compared"


def read_lines(path: Path) -> dict[str, str]:
    """{symbol: value} of a `.config` or a fragment, under the newest name of each. Raises UserError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    return {names_of(line.symbol)[0]: line.value for line in parse_fragment(path.name, text, str(path)).lines}


def different(good: Mapping[str, str], bad: Mapping[str, str]) -> tuple[str, ...]:
    """The symbols whose values differ, in the order of the bad configuration: what belongs together stands together."""
    order = [*bad, *(symbol for symbol in good if symbol not in bad)]
    return tuple(symbol for symbol in order if good.get(symbol, "n") != bad.get(symbol, "n"))


class OptionSearch:
    """The search over `different(good, bad)`."""

    def __init__(
        self, sought: Sought, source: str, good: Mapping[str, str], bad: Mapping[str, str], state: State,
        oracle: FactSource, jobs: int, cells: int, confidence: float, rate: float | None, emit: Listener,
        command: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.symbols = different(good, bad)
        if not self.symbols:
            raise UserError("--good-config and --bad-config say the same")
        self._good, self._bad, self._source, self._emit = good, bad, source, emit
        self._sets: dict[str, tuple[str, ...]] = {}
        self._confidence, self._rate, self._command = confidence, rate, command
        self.asking = Asking(sought, state, oracle, self._step, self._name, jobs, cells)
        self._rulings: dict[str, Ruling] = {}

    def run(self) -> BisectAnswer:
        """Raises UserError, MachineError, Stopped."""
        faulty, clean = self._add(self.symbols), self._add(())
        self._emit(Event("bisect", Phase.START, f"{len(self.symbols)} options differ; first both configurations"))
        ends = EndsCheck(self.asking, faulty, clean, self._confidence, self._rate, self._emit).check()
        if ends.trouble:
            outcome = BisectResult.ALIKE if ends.alike else BisectResult.UNKNOWN
            return self._answer(ends, outcome, ends.trouble)
        rules = Rules(self.asking, ends, faulty, clean)
        found = minimal(self.symbols, lambda chosen: self._shows(rules, chosen, STEP_ERROR))
        error = (1 - self._confidence) / 8
        found, missing = self._checked(rules, found, error)
        return self._found(rules, found, missing)

    def _checked(self, rules: Rules, found: tuple[str, ...], error: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The options without those that turn out not to be needed, and what could not be said about the rest."""
        missing = [] if self._shows(rules, found, error) else ["the options together do not show it every time"]
        for symbol in found:
            rest = tuple(other for other in found if other != symbol)
            if rest != found and self._shows(rules, rest, error):
                return self._checked(rules, rest, error)
            ruling = self._rulings[self._add(rest)]
            if ruling.mark is Mark.SKIP:
                missing.append(f"without CONFIG_{symbol} nothing can be said: {ruling.reason}")
        return found, tuple(missing)

    def _shows(self, rules: Rules, chosen: Sequence[str], error: float) -> bool:
        name = self._add(chosen)
        ruling = rules.rule(name, error)
        self._rulings[name] = ruling
        self._emit(Event("bisect", Phase.NOTE, f"{self._name(name)}: {rules.words(name, ruling)}"))
        return rules.shows(ruling)

    def _found(self, rules: Rules, found: tuple[str, ...], missing: tuple[str, ...]) -> BisectAnswer:
        name, signature = self._add(found), rules.ends.signature
        without = [self._add(tuple(other for other in found if other != symbol)) for symbol in found]
        lines = tuple(self._change(symbol) for symbol in found)
        several = "options that must be together" if len(found) > 1 else "option"
        summary = f"{len(found)} {several} of {len(self.symbols)}: {', '.join(lines)}"
        unsure = 0.0 if rules.ends.rates.exact else sum(
            doubt(rules.ends.rates.ratio(rules.tally(item))) for item in (name, *without) if rules.tally(item).boots
        )  # fmt: skip
        shown = witness(self.asking, signature, name, "with the options found")
        proof = Proof(
            culprit=shown,
            parents=tuple(
                witness(self.asking, signature, item, f"without CONFIG_{symbol}")
                for item, symbol in zip(without, found, strict=True)
            ),
            missing=missing,
        )
        answer = self._answer(rules.ends, BisectResult.DOUBTFUL if missing else BisectResult.FOUND, summary)
        return answer.model_copy(
            update={
                "culprit": Culprit(commit="", name=f"{len(found)} {several}", subject=", ".join(lines), options=lines),
                "proof": proof,
                "confidence": round(1 - min(1.0, unsure), 6),
                "reproduce": shown.evidence.reproduce if shown.evidence else (),
            }
        )

    def _answer(self, ends: Ends, outcome: BisectResult, summary: str) -> BisectAnswer:
        spent = self.asking.spent
        skipped = (
            Skipped(commit=name, name=self._name(name), subject="", reason=ruling.reason, fault=ruling.fault)
            for name, ruling in self._rulings.items()
            if ruling.mark is Mark.SKIP
        )
        return BisectAnswer(
            rig_version=version(),
            outcome=outcome,
            summary=summary,
            sought=self.asking.sought,
            place=self._source,
            good=witness(self.asking, ends.signature, self._add(()), "the good configuration"),
            bad=witness(self.asking, ends.signature, self._add(self.symbols), "the bad configuration"),
            commits=len(self.symbols),
            skipped=tuple(skipped),
            cost=Cost(
                steps=len(spent.step_seconds), builds=spent.builds, warm=spent.warm, boots=spent.boots,
                seconds=spent.seconds,
            ),
            command=self._command,
        )  # fmt: skip

    def _change(self, symbol: str) -> str:
        return config_line(symbol, self._bad.get(symbol, "n"))

    def _lines(self, chosen: Sequence[str]) -> tuple[str, ...]:
        values = {**self._good, **{symbol: self._bad.get(symbol, "n") for symbol in chosen}}
        for symbol in self.symbols:
            values.setdefault(symbol, "n")
        return tuple(config_line(symbol, value) + _OPTIONAL for symbol, value in values.items())

    def _add(self, chosen: Sequence[str]) -> str:
        """The name of a mixture."""
        ordered = tuple(symbol for symbol in self.symbols if symbol in set(chosen))
        digest = hashlib.sha256("\n".join(self._lines(ordered)).encode()).hexdigest()[:16]
        self._sets[f"config-{digest}"] = ordered
        return f"config-{digest}"

    def _step(self, name: str) -> BisectStep:
        return BisectStep(name, name, self._source, config=self._lines(self._sets[name]))

    def _name(self, name: str) -> str:
        chosen = self._sets[name]
        if not chosen or len(chosen) == len(self.symbols):
            return "the bad configuration" if chosen else "the good configuration"
        shown = ", ".join(f"CONFIG_{symbol}" for symbol in chosen[:2])
        return f"{len(chosen)} of {len(self.symbols)} options ({shown}{', ...' if len(chosen) > 2 else ''})"


def minimal(options: tuple[str, ...], shows: Callable[[tuple[str, ...]], bool]) -> tuple[str, ...]:
    """A smallest set of options that shows the fault, each of them needed, where more options never hide it. `shows` is
    asked about sets; all together are known to show it, and none are known not to."""

    def search(held: tuple[str, ...], grown: bool, rest: tuple[str, ...]) -> tuple[str, ...]:
        if grown and shows(held):
            return ()
        if len(rest) == 1:
            return rest
        middle = len(rest) // 2
        first, second = rest[:middle], rest[middle:]
        of_second = search((*held, *first), True, second)
        of_first = search((*held, *of_second), bool(of_second), first)
        return (*of_first, *of_second)

    found = search((), False, options)
    return tuple(option for option in options if option in found)
