from __future__ import annotations

import random
from statistics import median

from benchmarks.intervals import Estimate, estimate, median_of, quotient


def test_the_value_is_the_statistic_of_the_rounds_and_lies_in_its_interval() -> None:
    rounds = [{"a": float(number)} for number in (5, 1, 4, 2, 3)]
    found = estimate(rounds, median_of(lambda one: one["a"]))
    assert found.value == 3
    assert 1 <= found.low <= found.value <= found.high <= 5


def test_rounds_that_agree_have_no_spread() -> None:
    assert estimate([2.0] * 10, median_of(float)) == Estimate(2, 2, 2)


def test_the_same_rounds_give_the_same_interval() -> None:
    rounds = [random.Random(seed).random() for seed in range(12)]
    assert estimate(rounds, median_of(float)) == estimate(rounds, median_of(float))


def test_the_interval_holds_the_true_median_about_as_often_as_it_says() -> None:
    chance, held = random.Random(2), 0
    for _ in range(60):
        found = estimate([chance.gauss(10, 3) for _ in range(15)], median)
        held += found.low <= 10 <= found.high
    assert held >= 51  # 95 % of 60 are 57; the bootstrap of a median of few rounds is known to be a little narrow


def test_a_quotient_is_taken_of_two_statistics_of_the_same_rounds() -> None:
    rounds = [(number, 2.0 * number) for number in (1.0, 2.0, 3.0)]
    above, below = median_of(lambda one: one[0]), median_of(lambda one: one[1])
    assert estimate(rounds, quotient(above, below)) == Estimate(0.5, 0.5, 0.5)


def test_a_figure_shows_its_interval() -> None:
    assert Estimate(1234.56, 1000.0, 2000.4).format(1) == "1,234.6 (1,000.0 to 2,000.4)"
