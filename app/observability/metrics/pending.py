"""Numbers for the request's own path: noted where they arise, and counted later, many at a time.

Behind a database query the processor's caches are cold, and each piece of code and memory that a request touches costs
a wait: counting one value in one of prometheus_client's histograms ten microseconds. Noting it is one append to a list,
and in a loop over many values counting finds everything at hand.
"""

import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Generic, Protocol, Self, TypeVar

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

_MOST = 256
"""So many values wait at most."""
_PATIENCE_SECONDS = 0.0001


class Counted(Protocol):
    """What values become."""

    def add(self, values: Sequence[Any]) -> None:
        """Count the values, those of one event after those of another."""

    def copy(self) -> Self:
        """Return the same in another object."""


C = TypeVar("C", bound=Counted)


class Pending(Generic[C]):
    """What was counted, and the values that wait for it. One thread notes, the event loop's; any thread reads."""

    __slots__ = ("_counted", "_rounds", "_waiting")

    def __init__(self, counted: C) -> None:
        self._counted = counted
        self._rounds = 0  # odd while waiting values are being counted
        self._waiting: list[Any] = []

    def note(self, *values: Any) -> None:
        """Note the values of one event."""
        waiting = self._waiting
        waiting += values
        if len(waiting) >= _MOST:
            self._rounds += 1
            try:
                self._counted.add(waiting)
            finally:  # or whoever reads would wait for ever
                waiting.clear()
                self._rounds += 1

    def read(self) -> C:
        """Return a copy that has everything noted until now."""
        while True:
            before = self._rounds
            counted, waiting = self._counted.copy(), self._waiting.copy()
            if before == self._rounds and before % 2 == 0:
                counted.add(waiting)
                return counted
            time.sleep(_PATIENCE_SECONDS)


class Buckets:
    """How many values were in each bucket of a histogram, and their sum."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)  # the last is what is beyond all bounds
        self.sum = 0.0

    def add(self, values: Sequence[float]) -> None:
        """Count the values."""
        for value in values:
            self.put(value)

    def put(self, value: float) -> int:
        """Count one value; return its bucket."""
        self.sum += value
        bucket = bisect_left(self.bounds, value)
        self.counts[bucket] += 1
        return bucket

    def copy(self) -> "Buckets":
        """Return the same in another object."""
        made = Buckets(self.bounds)
        made.counts, made.sum = self.counts.copy(), self.sum
        return made

    def describe(
        self, family: HistogramMetricFamily, labels: Sequence[str], exemplars: Mapping[int, Exemplar] | None = None
    ) -> None:
        """Add the series to `family`; nothing when no value was counted, for then it has no buckets yet."""
        counts = list(accumulate(self.counts))
        if counts[-1]:
            bounds = [*map(floatToGoString, self.bounds), "+Inf"]
            seen = exemplars or {}
            buckets = [(bound, counts[n], seen.get(n)) for n, bound in enumerate(bounds)]
            family.add_metric(labels, buckets, self.sum)  # type: ignore[arg-type]  # it takes None for an exemplar
