"""A histogram for the request's own path: plain numbers, written by the event loop's thread alone.

prometheus_client's own has a lock for each bucket and asks every bound; it costs five times as much, and more than
that behind a database query, where each piece of memory that is touched comes from beyond the processor's caches.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString


class Observations:
    """What was observed of one label set: how many by bucket, and their sum."""

    __slots__ = ("bounds", "counts", "first", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.first = bounds[0]
        self.counts = [0] * (len(bounds) + 1)  # the last is what is beyond all bounds
        self.sum = 0.0

    def observe(self, value: float) -> int:
        """Count one value, and return its bucket."""
        self.sum += value
        # most values are in the first bucket, and this asks one number for it instead of four
        bucket = 0 if value <= self.first else bisect_left(self.bounds, value)
        self.counts[bucket] += 1
        return bucket


Read = Callable[[], Sequence[tuple[tuple[str, ...], Observations, dict[int, Exemplar]]]]
"""Gives the label values, observations and exemplars (by bucket) of each series."""


class Histogram:
    """A collector for prometheus_client: reads the observations at each scrape."""

    def __init__(self, name: str, documentation: str, labels: tuple[str, ...], read: Read) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Give the histogram of each label set that was observed; one that never was has no buckets yet."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, found, exemplars in self._read():
            cumulative = list(accumulate(found.counts))
            if cumulative[-1]:
                bounds = [*map(floatToGoString, found.bounds), "+Inf"]
                buckets = [(bound, cumulative[n], exemplars.get(n)) for n, bound in enumerate(bounds)]
                family.add_metric(labels, buckets, found.sum)  # type: ignore[arg-type]  # it takes None for an exemplar
        yield family
