"""The series of HTTP requests. Only the middleware writes them."""

from functools import lru_cache
from typing import NamedTuple

from prometheus_client import Counter, Gauge, Histogram

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

LABELS = ("method", "route", "status_code")


class InProgress:
    """A plain number, read at each scrape: a Gauge's two locks are a tenth of what the middleware costs."""

    count = 0


in_progress = InProgress()
requests_in_progress = Gauge("http_requests_in_progress", "Requests that wait for the last byte of their answer.")
requests_in_progress.set_function(lambda: in_progress.count)
requests = Counter(
    "http_requests_total",
    "Requests answered, by the status sent; 499 when the client left first, 500 when an answer broke off. "
    "A request that matches no route has the route 'unmatched'.",
    LABELS,
)
request_duration = Histogram(
    "http_request_duration_seconds",
    "Time from the request's arrival to the last byte of its answer.",
    LABELS,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2, 5, 10),
)
response_time = Histogram(
    "http_response_time_seconds",
    "Time from the request's arrival to the first byte of its answer.",
    LABELS,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 0.5, 0.7, 1, 3, 5, 7, 10),
)


class Series(NamedTuple):
    """The children of one label set: looked up once, not at each request."""

    requests: Counter
    duration: Histogram
    response_time: Histogram


# The labels are bounded by the routes, methods and statuses of the service; the limit only stops the absurd.
@lru_cache(maxsize=10_000)
def series(method: str, route: str, status: int) -> Series:
    """Return the series of these labels; made on first use."""
    labels = (method if method in METHODS else "_OTHER", route, str(status))
    return Series(requests.labels(*labels), request_duration.labels(*labels), response_time.labels(*labels))
