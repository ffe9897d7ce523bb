# SPDX-License-Identifier: GPL-2.0-or-later
"""Configurations that differ in 40 options, down to those that must be together. Kconfig is told, the search real."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ci.bisect.facts.signature import Boot, read_boot
from ci.bisect.facts.state import BisectKernel, State
from ci.bisect.facts.steps import BisectStep
from ci.bisect.options import OptionSearch, different, minimal, read_lines
from ci.bisect.report.answer import BisectResult
from configs.result import Status
from tests.ci.bisect.told import OF_A
from tests.ci.samples import ran
from util.errors import UserError
from util.events import silent

GOOD = {f"OPTION_{number}": "n" for number in range(40)}
BAD = {f"OPTION_{number}": "y" for number in range(40)}


@dataclass
class Kconfig:
    """The fault shows where all of `together` are set. An option whose dependency is missing does not survive."""

    together: tuple[int, ...]
    depends: dict[int, int] = field(default_factory=dict)
    unbuilt: tuple[int, ...] = ()
    builds: list[str] = field(default_factory=list)
    boots: int = 0

    def ahead(self, steps: object) -> None: ...

    def narrow(self, spots: object) -> None: ...

    def build(self, step: BisectStep) -> BisectKernel:
        self.builds.append(step.commit)
        chosen = self._final(step)
        if self.unbuilt and set(self.unbuilt) <= chosen and not set(self.together) <= chosen:
            return BisectKernel(failure="it does not link")
        digest = hashlib.sha256(repr(sorted(chosen)).encode()).hexdigest()
        return BisectKernel(binary=digest, kernel=digest)

    def boot(self, step: BisectStep, first: int, count: int) -> list[Boot]:  # noqa: ARG002
        self.boots += count
        shows = set(self.together) <= self._final(step)
        cell = ran("base", {"a": Status.FAIL if shows else Status.PASS})
        return [read_boot(OF_A, [cell])] * count

    def _final(self, step: BisectStep) -> set[int]:
        lines = [re.match(r"CONFIG_OPTION_(\d+)=y", line) for line in step.config]
        assert all("# optional:" in line for line in step.config)
        asked = {int(match[1]) for match in lines if match}
        return {number for number in asked if self.depends.get(number, number) in asked}


def search(folder: Path, kconfig: Kconfig) -> OptionSearch:
    return OptionSearch(OF_A, "source", GOOD, BAD, State(folder), kconfig, 2, 1, 0.99, None, silent)


@pytest.mark.parametrize("together", [(23,), (7, 31), (0, 39), (3, 17, 18)])
def test_the_options_that_must_be_together(tmp_path: Path, together: tuple[int, ...]) -> None:
    kconfig = Kconfig(together)
    answer = search(tmp_path, kconfig).run()
    assert answer.outcome is BisectResult.FOUND, answer.summary
    assert answer.culprit and answer.culprit.options == tuple(f"CONFIG_OPTION_{number}=y" for number in together)
    assert len(kconfig.builds) <= 3 + len(together) * 12
    assert all(parent.failures == 0 < parent.boots for parent in answer.proof.parents)
    assert answer.confidence >= 0.99


def test_a_dependency_belongs_to_the_difference(tmp_path: Path) -> None:
    answer = search(tmp_path, Kconfig((7, 31), depends={31: 12})).run()
    assert answer.culprit and answer.culprit.options == tuple(f"CONFIG_OPTION_{number}=y" for number in (7, 12, 31))


def test_what_is_known_is_not_asked_again(tmp_path: Path) -> None:
    first, second = Kconfig((7, 31)), Kconfig((7, 31))
    one, other = search(tmp_path, first).run(), search(tmp_path, second).run()
    assert one.culprit == other.culprit
    assert (second.builds, second.boots) == ([], 0)


def test_a_mixture_that_does_not_build_blames_nobody_and_is_said(tmp_path: Path) -> None:
    answer = search(tmp_path, Kconfig((7, 31), unbuilt=(7,))).run()
    assert answer.culprit and answer.culprit.options == ("CONFIG_OPTION_7=y", "CONFIG_OPTION_31=y")
    assert answer.outcome is BisectResult.DOUBTFUL
    assert "it does not link" in answer.proof.missing[0]


def test_two_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('CONFIG_X=y\n# CONFIG_Y is not set\nCONFIG_NAME="a"\n')
    (tmp_path / "b").write_text('CONFIG_X=y\nCONFIG_Y=y\nCONFIG_NAME="b"\nCONFIG_Z=3\n')
    good, bad = read_lines(tmp_path / "a"), read_lines(tmp_path / "b")
    assert different(good, bad) == ("Y", "NAME", "Z")
    with pytest.raises(UserError, match="say the same"):
        OptionSearch(OF_A, "s", good, good, State(tmp_path), Kconfig(()), 2, 1, 0.99, None, silent)


def test_minimal_asks_few_questions() -> None:
    asked = []

    def shows(chosen: tuple[str, ...]) -> bool:
        asked.append(chosen)
        return {"b", "y"} <= set(chosen)

    letters = tuple("abcdefghijklmnopqrstuvwxyz")
    assert minimal(letters, shows) == ("b", "y")
    assert len(asked) <= 20
