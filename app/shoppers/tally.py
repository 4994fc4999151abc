"""What the customers have seen: as metrics, and as one line a minute."""

import asyncio
from collections import Counter as Count

from prometheus_client import Counter, Gauge, Histogram

from observability import get_logger

_requests = Counter("shoppers_requests_total", "Requests that customers made, by outcome", ["outcome"])
_visits = Counter("shoppers_visits_total", "Visits, by how they ended", ["end"])
_dropped = Counter("shoppers_visits_dropped_total", "Visits given up because too many others were under way")
_answer_time = Histogram(
    "shoppers_response_seconds",
    "Time until the whole answer was there, as customers see it",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
in_progress = Gauge("shoppers_visits_in_progress", "Visits under way")

OUTCOMES = ("success", "client_error", "server_error", "no_answer")
ENDS = ("browsed", "cart_left", "order_left", "cancelled", "paid", "declined", "failed")
for _outcome in OUTCOMES:
    _requests.labels(_outcome)
for _end in ENDS:
    _visits.labels(_end)

_log = get_logger(__name__)


class Tally:
    """Counts since the last summary."""

    def __init__(self) -> None:
        self.counts: Count[str] = Count()
        self._seconds: list[float] = []

    def answered(self, status: int, seconds: float) -> None:
        """Count an answer."""
        outcome = "success" if status < 400 else "client_error" if status < 500 else "server_error"  # noqa: PLR2004 - HTTP
        self._count(outcome)
        self._seconds.append(seconds)
        _answer_time.observe(seconds)

    def no_answer(self) -> None:
        """Count a request that got none."""
        self._count("no_answer")

    def ended(self, end: str) -> None:
        """Count a visit by how it ended."""
        _visits.labels(end).inc()
        self.counts[end] += 1

    def dropped(self) -> None:
        """Count a visit that did not take place."""
        _dropped.inc()
        self.counts["dropped"] += 1

    def summary(self, seconds: float) -> dict[str, float | int | None]:
        """Return the figures of the last so many seconds, and begin anew."""
        counts, times = self.counts, sorted(self._seconds)
        self.counts, self._seconds = Count(), []
        requests = sum(counts[outcome] for outcome in OUTCOMES)
        return {
            "requests": requests,
            "requestsPerSecond": round(requests / seconds, 2),
            "clientErrors": counts["client_error"],
            "clientErrorPercent": round(100 * counts["client_error"] / requests, 2) if requests else None,
            "serverErrors": counts["server_error"],
            "noAnswer": counts["no_answer"],
            "p95Ms": round(1000 * times[int(0.95 * (len(times) - 1))], 1) if times else None,
            "visits": sum(counts[end] for end in ENDS),
            "visitsDropped": counts["dropped"],
            "paid": counts["paid"],
        }

    async def report(self, every_seconds: float = 60.0) -> None:
        """Log the summary again and again, until cancelled."""
        while True:
            await asyncio.sleep(every_seconds)
            _log.info("Shoppers' minute", **self.summary(every_seconds))

    def _count(self, outcome: str) -> None:
        _requests.labels(outcome).inc()
        self.counts[outcome] += 1
