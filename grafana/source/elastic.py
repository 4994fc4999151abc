"""Queries of the log lines."""

from typing import TYPE_CHECKING, Literal

from grafana_foundation_sdk.builders import elasticsearch as es
from grafana_foundation_sdk.models.elasticsearch import BucketAggregation, TermsOrder

if TYPE_CHECKING:
    from grafana_foundation_sdk.cog.builder import Builder

Query = es.Dataquery

# raw: Grafana would escape the colons and quotes that make it a query
CHOSEN = "service:$service AND level:$level AND (${query:raw})"
"""Lucene: what the logs dashboard's variables choose."""


def per_interval(query: str, by: str | None = None, alias: str = "") -> Query:
    """Count lines over time, in one series or in one for each value of a field."""
    buckets: list[Builder[BucketAggregation]] = [] if by is None else [_terms("2", by)]
    return (
        es.Dataquery()
        .query(query)
        .time_field("@timestamp")
        .alias(alias)
        .bucket_aggs([*buckets, _over_time()])
        .metrics([es.Count().id("1")])
    )


def percentile(query: str, field: str, percent: Literal["50", "95", "99"], alias: str) -> Query:
    """Take a percentile of a field over time."""
    return (
        es.Dataquery()
        .query(query)
        .time_field("@timestamp")
        .alias(alias)
        .bucket_aggs([_over_time()])
        .metrics(
            [es.Percentiles().id("1").field(field).settings(es.ElasticsearchPercentilesSettings().percents([percent]))]
        )
    )


def recent(query: str, limit: int) -> Query:
    """Return the newest lines."""
    return (
        es.Dataquery()
        .query(query)
        .time_field("@timestamp")
        .bucket_aggs([])
        .metrics([es.Logs().id("1").settings(es.ElasticsearchLogsSettings().limit(str(limit)))])
    )


def _terms(id_: str, field: str) -> es.Terms:
    settings = es.ElasticsearchTermsSettings().size("10").order(TermsOrder.DESC).order_by("_count")
    return es.Terms().id(id_).field(field).settings(settings)


def _over_time() -> es.DateHistogram:
    settings = es.ElasticsearchDateHistogramSettings().interval("auto").min_doc_count("0")
    return es.DateHistogram().id("9").field("@timestamp").settings(settings)
