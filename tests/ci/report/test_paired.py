# SPDX-License-Identifier: GPL-2.0-or-later
"""The statistics of paired rounds, on figures whose answer is known."""

import math
import random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.model.stats import ERROR, Shown, compare, least_rounds, order

FIGURES = st.floats(min_value=1.0, max_value=1e6)
PAIRS = st.lists(st.tuples(FIGURES, FIGURES), min_size=1, max_size=40)


def columns(pairs: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


@given(st.lists(FIGURES, min_size=6, max_size=40), st.floats(min_value=0.01, max_value=100))
def test_a_constant_ratio_is_that_ratio_with_an_interval_of_no_width(base: list[float], ratio: float) -> None:
    found = compare(base, [value * ratio for value in base], ERROR)
    assert found.low is not None
    assert found.high is not None
    assert found.value == pytest.approx(ratio)
    assert found.high / found.low == pytest.approx(1.0)


@given(PAIRS)
def test_swapped_sides_invert(pairs: list[tuple[float, float]]) -> None:
    base, judged = columns(pairs)
    one, other = compare(base, judged, ERROR), compare(judged, base, ERROR)
    assert one.value == pytest.approx(1 / other.value)
    if one.low is None or one.high is None:
        assert (other.low, other.high) == (None, None)
    else:
        assert other.high == pytest.approx(1 / one.low)
        assert other.low == pytest.approx(1 / one.high)
    mirror = {Shown.FASTER: Shown.SLOWER, Shown.SLOWER: Shown.FASTER}
    assert other.shown is mirror.get(one.shown, one.shown)


@given(PAIRS, st.randoms())
def test_the_order_of_rounds_says_nothing(pairs: list[tuple[float, float]], chance: random.Random) -> None:
    shuffled = list(pairs)
    chance.shuffle(shuffled)
    assert compare(*columns(pairs), ERROR) == compare(*columns(shuffled), ERROR)


def test_the_interval_of_ten_rounds_is_that_of_the_tables() -> None:
    """Second smallest to second largest: 1 - 2 * 11 / 1024 = 97.9 %, as tables for the sign test have it."""
    ratios = [0.90, 0.95, 0.96, 0.97, 0.98, 0.99, 1.00, 1.01, 1.02, 1.50]
    found = compare([1.0] * 10, ratios, ERROR)
    assert found.low == pytest.approx(0.95)
    assert found.high == pytest.approx(1.02)
    assert found.value == pytest.approx(math.sqrt(0.98 * 0.99))
    assert found.shown is Shown.NOTHING


@pytest.mark.parametrize(
    ("ratios", "shown"),
    [
        ([0.9] * 6, Shown.FASTER),
        ([1.1] * 6, Shown.SLOWER),
        ([1.0] * 6, Shown.NOTHING),
        ([0.9] * 5 + [1.1], Shown.NOTHING),
        ([0.9] * 8 + [1.1], Shown.FASTER),  # one round in nine may be the other way
        ([0.5] * 5, Shown.TOO_FEW),
    ],
)
def test_what_is_shown(ratios: list[float], shown: Shown) -> None:
    assert compare([1.0] * len(ratios), ratios, ERROR).shown is shown


def test_rounds_that_are_too_few_for_a_table() -> None:
    assert least_rounds(ERROR) == 6
    assert least_rounds(ERROR / 60) == 12
    assert compare([1.0] * 11, [0.1] * 11, ERROR / 60).shown is Shown.TOO_FEW
    assert compare([1.0] * 12, [0.1] * 12, ERROR / 60).shown is Shown.FASTER


def test_noise_alone_shows_a_difference_no_oftener_than_it_says() -> None:
    """2000 tables of one row whose true ratio is 1, with a noise of heavy tails: at most 5 % of the intervals miss."""
    chance, missed = random.Random(1), 0
    for _ in range(2000):
        sides = [[math.exp(0.05 * chance.gauss(0, 1) ** 3) for _ in range(20)] for _ in range(2)]
        missed += compare(sides[0], sides[1], ERROR).shown is not Shown.NOTHING
    spread = math.sqrt(2000 * ERROR * (1 - ERROR))
    assert 0 < missed <= 2000 * ERROR + NormalDist().inv_cdf(0.999) * spread


@given(st.integers(1, 60), st.integers(0, 10**6))
def test_the_order_is_balanced_and_follows_the_seed(rounds: int, seed: int) -> None:
    first = order(rounds, seed)
    assert len(first) == rounds
    assert abs(2 * sum(first) - rounds) <= 1
    assert order(rounds, seed) == first


def test_seeds_give_different_orders() -> None:
    assert len({order(20, seed) for seed in range(20)}) > 15
