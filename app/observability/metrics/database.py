"""The series of the database. Only the hooks in observability.database write them."""

from collections.abc import Iterator

from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import HistogramMetricFamily, Metric

from observability.metrics.pending import Buckets, Pending

LABELS = ("model", "operation")
OPERATIONS = ("select", "insert", "update", "delete", "other")

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.3, 0.5, 1.0, 2.0, 5.0)

durations: dict[tuple[str, str], Pending[Buckets]] = {}
"""By labels."""


class QueryDuration:
    """A collector for prometheus_client."""

    def collect(self) -> Iterator[Metric]:
        """Give the histogram."""
        family = HistogramMetricFamily(
            "db_query_duration_seconds",
            "Time of a statement in the database, failed ones too. model is the (first) table, operation the verb.",
            labels=LABELS,
        )
        for labels, found in list(durations.items()):
            found.read().describe(family, labels)
        yield family


query_duration = QueryDuration()
REGISTRY.register(query_duration)
slow_queries = Counter("db_slow_queries_total", "Statements that took DB_SLOW_QUERY_SECONDS or longer.", LABELS)
query_errors = Counter("db_query_errors_total", "Statements that the database or its driver refused.", LABELS)
connections = Gauge("database_connections", "Connections of this process's pools that are in use.")
max_connections = Gauge(
    "database_max_connections", "Connections that this process's pools may open: size and overflow."
)
