"""Medians with their 95 % intervals, by bootstrap over the rounds."""

import random
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple, TypeVar

_RESAMPLES = 2_000
T = TypeVar("T")


class Estimate(NamedTuple):
    """A value and the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    def format(self, digits: int = 0) -> str:
        """Return `value (low to high)`."""
        return f"{self.value:,.{digits}f} ({self.low:,.{digits}f} to {self.high:,.{digits}f})"


def estimate(rounds: Sequence[T], statistic: Callable[[Sequence[T]], float]) -> Estimate:
    """Return the statistic of the rounds; its interval is what it gives when the rounds are drawn again and again.

    Whole rounds are drawn: what was measured close together in time stays together.
    """
    chance = random.Random(1)  # the same rounds always give the same table
    drawn = sorted(statistic(chance.choices(rounds, k=len(rounds))) for _ in range(_RESAMPLES))
    return Estimate(statistic(rounds), drawn[int(0.025 * _RESAMPLES)], drawn[int(0.975 * _RESAMPLES)])


def median_of(pick: Callable[[T], float]) -> Callable[[Sequence[T]], float]:
    """Return the statistic "median over the rounds of what `pick` takes from each"."""
    return lambda rounds: median(map(pick, rounds))


def quotient(
    above: Callable[[Sequence[T]], float], below: Callable[[Sequence[T]], float]
) -> Callable[[Sequence[T]], float]:
    """Return the statistic "one statistic over another"."""
    return lambda rounds: above(rounds) / below(rounds)
