"""The series of HTTP requests. Only the middleware writes them."""

import re
from collections.abc import Iterator
from functools import lru_cache
from time import time
from typing import NamedTuple

from prometheus_client import REGISTRY, Gauge
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.samples import Exemplar

from observability.metrics.histogram import Histogram, Observations

UNMATCHED = "unmatched"
"""The route label of every request that matches no route, so that made-up paths cannot make series."""

QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by machines: no span, no log line while they succeed, and no part in alerts, objectives and snapshots."""

SNAPSHOT_PREFIX = "/api/v1/metrics/"
"""Where the snapshots are: questions about the service are no part in what is measured of it."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "QUERY"})
"""Of RFC 9110, RFC 5789 and QUERY; any other is the label `_OTHER`, as in OpenTelemetry's conventions."""

CLIENT_CLOSED_REQUEST = 499
"""nginx's status for a client that left before the answer was complete."""

OTHER_METHOD = "_OTHER"

Trace = int | bytes | None
"""The id of a sampled trace, or the caller's `traceparent`; it is looked at when it may become an exemplar."""

_EXEMPLAR_SECONDS = 1.0
"""A bucket's exemplar stays so long: a scrape reads one of them, and one is as good as another."""

_SAMPLED = (b"-01", b"-03")  # traceparent: sampled, and sampled with a random id
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}").fullmatch

LABELS = ("method", "route", "status_code")

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
RESPONSE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 0.5, 0.7, 1.0, 3.0, 5.0, 7.0, 10.0)


class Seen(NamedTuple):
    """A request that became an exemplar: its duration, when (Unix time), and perf_counter's time then."""

    trace: Trace
    duration: float
    at: float
    end: float


class InProgress:
    """A plain number, read at each scrape: a Gauge's two locks are a tenth of what the middleware costs."""

    count = 0


in_progress = InProgress()
requests_in_progress = Gauge("http_requests_in_progress", "Requests that wait for the last byte of their answer.")
requests_in_progress.set_function(lambda: in_progress.count)


class Series:
    """What is known of one label set. The counter is the durations' count, so the two cannot disagree."""

    __slots__ = ("durations", "exemplars", "responses")

    def __init__(self) -> None:
        self.durations = Observations(DURATION_BUCKETS)
        self.responses = Observations(RESPONSE_BUCKETS)
        self.exemplars: dict[int, Seen] = {}

    def record(self, duration: float, response_time: float, trace: Trace, end: float) -> None:
        """Count one request; `end` is perf_counter's time of its last byte."""
        self.responses.observe(response_time)
        bucket = self.durations.observe(duration)
        if trace:
            seen = self.exemplars.get(bucket)
            if (seen is None or end - seen.end >= _EXEMPLAR_SECONDS) and _sampled(trace):
                self.exemplars[bucket] = Seen(trace, duration, time(), end)


_all: dict[tuple[str, str, str], Series] = {}


# The labels are bounded by the routes, methods and statuses of the service; the limit only stops the absurd.
@lru_cache(maxsize=10_000)
def series(method: str, route: str, status: int) -> Series:
    """Return the series of these labels; made on first use, its counter at 0."""
    return _all.setdefault((method if method in METHODS else OTHER_METHOD, route, str(status)), Series())


class Requests:
    """http_requests_total: a collector for prometheus_client."""

    def collect(self) -> Iterator[Metric]:
        """Give the counter of each label set."""
        family = CounterMetricFamily(
            "http_requests_total",
            "Requests answered, by the status sent; 499 when the client left first, 500 when an answer broke off. "
            "A request that matches no route has the route 'unmatched'.",
            labels=LABELS,
        )
        for labels, found in list(_all.items()):
            family.add_metric(labels, sum(found.durations.counts))
        yield family


def _sampled(trace: Trace) -> bool:
    return not isinstance(trace, bytes) or trace.endswith(_SAMPLED)


def _trace_id(trace: Trace) -> str | None:
    if isinstance(trace, int):
        return f"{trace:032x}"
    found = _TRACEPARENT(trace or b"")
    return found[1].decode() if found else None


def _exemplars(found: Series) -> dict[int, Exemplar]:
    return {
        bucket: Exemplar({"trace_id": trace_id}, seen.duration, seen.at)
        for bucket, seen in list(found.exemplars.items())
        if (trace_id := _trace_id(seen.trace))
    }


requests = Requests()
request_duration = Histogram(
    "http_request_duration_seconds",
    "Time from the request's arrival to the last byte of its answer.",
    LABELS,
    lambda: [(labels, found.durations, _exemplars(found)) for labels, found in list(_all.items())],
)
response_time = Histogram(
    "http_response_time_seconds",
    "Time from the request's arrival to the first byte of its answer.",
    LABELS,
    lambda: [(labels, found.responses, {}) for labels, found in list(_all.items())],
)
for _instrument in (requests, request_duration, response_time):
    REGISTRY.register(_instrument)
