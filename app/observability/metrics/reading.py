"""Read values back from Prometheus instruments, so that a snapshot cannot disagree with a scrape."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from math import inf

from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

Match = Callable[[dict[str, str]], bool]
"""Decides by its labels whether a series counts."""


def total(instrument: Collector, *, where: Match | None = None, **labels: str) -> float:
    """Return the sum of the instrument's series that carry `labels`; 0 when there is none."""
    return sum(sample.value for sample in _samples(instrument, ("", "_total"), where, labels))


def average(histogram: Collector, *, where: Match | None = None, **labels: str) -> float | None:
    """Return sum over count of the matching series, in the histogram's unit; None when nothing was observed."""
    count = sum(sample.value for sample in _samples(histogram, ("_count",), where, labels))
    return ratio(sum(sample.value for sample in _samples(histogram, ("_sum",), where, labels)), count)


def quantile(q: float, histogram: Collector, *, where: Match | None = None, **labels: str) -> float | None:
    """Return the q-quantile (0..1) as PromQL's histogram_quantile estimates it; None when nothing was observed."""
    buckets: dict[float, float] = defaultdict(float)
    for sample in _samples(histogram, ("_bucket",), where, labels):
        buckets[float(sample.labels["le"])] += sample.value
    bounds = sorted(buckets)
    if not bounds or not buckets[inf]:
        return None
    rank = q * buckets[inf]
    lower = below = 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if bound == inf:
                return lower  # beyond the last bound nothing is known: Prometheus answers that bound
            inside = buckets[bound] - below
            return lower + (bound - lower) * ((rank - below) / inside if inside else 0.0)
        lower, below = bound, buckets[bound]
    return lower


def ratio(part: float, whole: float) -> float | None:
    """Return part over whole; None when whole is 0."""
    return part / whole if whole else None


def _samples(
    instrument: Collector, suffixes: tuple[str, ...], where: Match | None, labels: dict[str, str]
) -> Iterator[Sample]:
    for family in instrument.collect():
        names = {family.name + suffix for suffix in suffixes}
        for sample in family.samples:
            if (
                sample.name in names
                and labels.items() <= sample.labels.items()
                and (where is None or where(sample.labels))
            ):
                yield sample
