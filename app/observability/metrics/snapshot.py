"""The application snapshot, computed from the instruments."""

from collections.abc import Mapping

from observability.metrics import cache, database, http
from observability.metrics.models import (
    ApplicationSnapshot,
    CacheDetails,
    CacheMetric,
    DatabaseDetails,
    DatabaseMetric,
    HttpDetails,
    HttpRequests,
)
from observability.metrics.reading import average, quantile, ratio, total

_FIRST_ERROR = 400


def application() -> ApplicationSnapshot:
    """Return what the instruments of requests, database and caches say now."""
    return ApplicationSnapshot(http=_http(), database=_database(), cache=_cache())


def counts(labels: Mapping[str, str]) -> bool:
    """Return whether a request counts: as in the alerts, machines' questions and made-up paths do not."""
    route = labels["route"]
    return route not in http.QUIET_ROUTES and route != http.UNMATCHED and not route.startswith(http.SNAPSHOT_PREFIX)


def _http() -> HttpRequests:
    # Read once: a request that ends meanwhile must not make success and error add up to more than the total.
    success = error = 0
    for family in http.requests.collect():
        for sample in family.samples:
            if sample.name.endswith("_total") and counts(sample.labels):
                if int(sample.labels["status_code"]) < _FIRST_ERROR:
                    success += int(sample.value)
                else:
                    error += int(sample.value)
    duration = http.request_duration
    return HttpRequests(
        value=success + error,
        details=HttpDetails(
            total=success + error,
            success=success,
            error=error,
            success_rate=percent(ratio(success, success + error)),
            average=milliseconds(average(duration, where=counts)),
            p95=milliseconds(quantile(0.95, duration, where=counts)),
            p99=milliseconds(quantile(0.99, duration, where=counts)),
        ),
    )


def _database() -> DatabaseMetric:
    connections = int(total(database.connections))
    maximum = int(total(database.max_connections)) or None
    return DatabaseMetric(
        value=connections,
        details=DatabaseDetails(
            connections=connections,
            maximum=maximum,
            average_query=milliseconds(average(database.query_duration)),
            slow_queries=int(total(database.slow_queries)),
            pool_utilization=percent(ratio(connections, maximum or 0)),
        ),
    )


def _cache() -> CacheMetric:
    hits, misses = int(total(cache.hits)), int(total(cache.misses))
    rate = percent(ratio(hits, hits + misses))
    return CacheMetric(
        value=rate,
        details=CacheDetails(
            hits=hits,
            misses=misses,
            hit_rate=rate,
            evictions=int(total(cache.evictions)),
            utilization=percent(ratio(total(cache.used), total(cache.capacity))),
        ),
    )


def percent(share: float | None) -> float | None:
    """Return a share (0..1) in percent."""
    return None if share is None else round(share * 100, 3)


def milliseconds(seconds: float | None) -> float | None:
    """Return seconds in milliseconds."""
    return None if seconds is None else round(seconds * 1000, 3)
