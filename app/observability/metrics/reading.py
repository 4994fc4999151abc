"""Read values back from Prometheus instruments, so that a snapshot cannot disagree with a scrape."""

from prometheus_client import Counter, Gauge, Histogram


def total(instrument: Counter | Gauge, **labels: str) -> float:
    """Return the sum of the instrument's series that carry `labels`; 0 when there is none."""
    raise NotImplementedError(instrument, labels)


def average(histogram: Histogram, **labels: str) -> float | None:
    """Return sum over count of the matching series, in the histogram's unit; None when nothing was observed."""
    raise NotImplementedError(histogram, labels)


def quantile(q: float, histogram: Histogram, **labels: str) -> float | None:
    """Return the q-quantile (0..1) as PromQL's histogram_quantile estimates it; None when nothing was observed."""
    raise NotImplementedError(q, histogram, labels)


def ratio(part: float, whole: float) -> float | None:
    """Return part over whole; None when whole is 0."""
    return part / whole if whole else None
