"""The series of HTTP requests. Only the middleware writes them."""

import re
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter, time
from typing import Any

from prometheus_client import REGISTRY, Gauge
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.samples import Exemplar

from observability.metrics.pending import Buckets, Pending

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
"""The id of a sampled trace, or the caller's `traceparent`; it is looked at when the request is counted."""

_SAMPLED = (b"-01", b"-03")  # traceparent: sampled, and sampled with a random id
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


class Counted:
    """What is known of one label set. The counter is the durations' count, so the two cannot disagree."""

    __slots__ = ("durations", "exemplars", "responses")

    def __init__(self) -> None:
        self.durations = Buckets(DURATION_BUCKETS)
        self.responses = Buckets(RESPONSE_BUCKETS)
        self.exemplars: dict[int, tuple[Trace, float, float]] = {}
        """By the durations' buckets: trace, duration and perf_counter's time of the end."""

    def add(self, values: Sequence[Any]) -> None:
        """Count requests: of each the duration, the response time, the trace and perf_counter's time of its end."""
        events = iter(values)
        for duration, response_time, trace, end in zip(events, events, events, events, strict=True):
            bucket = self.durations.put(duration)
            self.responses.put(response_time)
            if trace and (not isinstance(trace, bytes) or trace.endswith(_SAMPLED)):
                self.exemplars[bucket] = (trace, duration, end)

    def copy(self) -> "Counted":
        """Return the same in another object."""
        made = Counted()
        made.durations, made.responses = self.durations.copy(), self.responses.copy()
        made.exemplars = self.exemplars.copy()
        return made


Series = Pending[Counted]

series: dict[tuple[str, str, int], Series] = {}
"""By method, route and status, as far as they were asked for: `new_series` makes what is not there."""

_all: dict[tuple[str, str, str], Series] = {}


def new_series(method: str, route: str, status: int) -> Series:
    """Return the series of these labels; made on first use, its counter at 0.

    The labels are bounded by the routes, methods and statuses of the service.
    """
    known = method in METHODS
    found = _all.setdefault((method if known else OTHER_METHOD, route, str(status)), Series(Counted()))
    if known:
        series[method, route, status] = found
    return found


_Read = list[tuple[tuple[str, str, str], Counted]]


def _read() -> _Read:
    return [(labels, found.read()) for labels, found in list(_all.items())]


def _requests(read: _Read) -> Metric:
    family = CounterMetricFamily(
        "http_requests_total",
        "Requests answered, by the status sent; 499 when the client left first, 500 when an answer broke off. "
        "A request that matches no route has the route 'unmatched'.",
        labels=LABELS,
    )
    for labels, counted in read:
        family.add_metric(labels, sum(counted.durations.counts))
    return family


def _durations(read: _Read) -> Metric:
    family = HistogramMetricFamily(
        "http_request_duration_seconds",
        "Time from the request's arrival to the last byte of its answer.",
        labels=LABELS,
    )
    since = time() - perf_counter()
    for labels, counted in read:
        exemplars = {
            bucket: Exemplar({"trace_id": trace_id}, duration, since + end)
            for bucket, (trace, duration, end) in counted.exemplars.items()
            if (trace_id := _trace_id(trace))
        }
        counted.durations.describe(family, labels, exemplars)
    return family


def _responses(read: _Read) -> Metric:
    family = HistogramMetricFamily(
        "http_response_time_seconds",
        "Time from the request's arrival to the first byte of its answer.",
        labels=LABELS,
    )
    for labels, counted in read:
        counted.responses.describe(family, labels)
    return family


def _trace_id(trace: Trace) -> str | None:
    if isinstance(trace, int):
        return f"{trace:032x}"
    found = _TRACEPARENT(trace or b"")
    return found[1].decode() if found else None


class Families:
    """A collector for prometheus_client."""

    def __init__(self, *families: Callable[[_Read], Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Give the families, all of one moment."""
        read = _read()
        for family in self._families:
            yield family(read)


requests, request_duration, response_time = Families(_requests), Families(_durations), Families(_responses)
REGISTRY.register(Families(_requests, _durations, _responses))
