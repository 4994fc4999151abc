"""The series of HTTP requests. Only the middleware writes them."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import accumulate
from time import time

from prometheus_client import REGISTRY, Gauge
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

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
"""The id of a sampled trace, or a `traceparent` that says so; it is made a label at the scrape, not at each request."""

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}").fullmatch

LABELS = ("method", "route", "status_code")

DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
RESPONSE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 0.5, 0.7, 1.0, 3.0, 5.0, 7.0, 10.0)


class InProgress:
    """A plain number, read at each scrape: a Gauge's two locks are a tenth of what the middleware costs."""

    count = 0


in_progress = InProgress()
requests_in_progress = Gauge("http_requests_in_progress", "Requests that wait for the last byte of their answer.")
requests_in_progress.set_function(lambda: in_progress.count)


class Series:
    """What is known of one label set.

    Plain numbers, written by the event loop's thread alone: a counter and two histograms of prometheus_client, with
    their locks and checks, would cost five times as much, and be half of the middleware's price. The counter is the
    durations' sum, so the two cannot disagree.
    """

    __slots__ = ("duration_seconds", "durations", "exemplars", "response_seconds", "responses")

    def __init__(self) -> None:
        self.durations = [0] * (len(DURATION_BUCKETS) + 1)  # by bucket; the last is what is beyond all bounds
        self.duration_seconds = 0.0
        self.responses = [0] * (len(RESPONSE_BUCKETS) + 1)
        self.response_seconds = 0.0
        self.exemplars: dict[int, tuple[Trace, float, float]] = {}

    def record(self, duration: float, response_time: float, trace: Trace) -> None:
        """Count one request."""
        bucket = bisect_left(DURATION_BUCKETS, duration)
        self.durations[bucket] += 1
        self.duration_seconds += duration
        self.responses[bisect_left(RESPONSE_BUCKETS, response_time)] += 1
        self.response_seconds += response_time
        if trace:
            self.exemplars[bucket] = (trace, duration, time())


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
            family.add_metric(labels, sum(found.durations))
        yield family


class RequestHistogram:
    """A histogram of the requests: a collector for prometheus_client."""

    def __init__(
        self,
        name: str,
        documentation: str,
        bounds: tuple[float, ...],
        read: Callable[[Series], tuple[list[int], float, dict[int, tuple[Trace, float, float]]]],
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = [*map(floatToGoString, bounds), "+Inf"]
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """Give the histogram of each label set that was observed; one that never was has no buckets yet."""
        family = HistogramMetricFamily(self._name, self._documentation, labels=LABELS)
        for labels, found in list(_all.items()):
            counts, seconds, seen = self._read(found)
            cumulative = list(accumulate(counts))
            if cumulative[-1]:
                exemplars = {
                    bucket: Exemplar({"trace_id": trace_id}, value, at)
                    for bucket, (trace, value, at) in list(seen.items())
                    if (trace_id := _trace_id(trace))
                }
                buckets = [(bound, cumulative[n], exemplars.get(n)) for n, bound in enumerate(self._bounds)]
                family.add_metric(labels, buckets, seconds)  # type: ignore[arg-type]  # it takes None for an exemplar
        yield family


def _trace_id(trace: Trace) -> str | None:
    if isinstance(trace, int):
        return f"{trace:032x}"
    found = _TRACEPARENT(trace or b"")
    return found[1].decode() if found else None


requests = Requests()
request_duration = RequestHistogram(
    "http_request_duration_seconds",
    "Time from the request's arrival to the last byte of its answer.",
    DURATION_BUCKETS,
    lambda found: (found.durations, found.duration_seconds, found.exemplars),
)
response_time = RequestHistogram(
    "http_response_time_seconds",
    "Time from the request's arrival to the first byte of its answer.",
    RESPONSE_BUCKETS,
    lambda found: (found.responses, found.response_seconds, {}),
)
for _instrument in (requests, request_duration, response_time):
    REGISTRY.register(_instrument)
