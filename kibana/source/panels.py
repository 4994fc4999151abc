"""The panels of 电商系统日志分析: what each asks of Elasticsearch, and how Kibana's Lens writes the same question down.

A panel's `query` is the request body that Lens makes of it, so a test can ask a real Elasticsearch without a Kibana.
"""

from dataclasses import dataclass
from typing import Any

ANSWERED = "meta.event: (request.completed or request.failed)"
"""KQL: a request's last line. Its first one, request.started, would count it twice."""
FAILED = f"{ANSWERED} and meta.status >= 500"
ERRORS = "level: ERROR"

_ANSWERED = {"terms": {"meta.event": ["request.completed", "request.failed"]}}
_FAILED = {"bool": {"filter": [_ANSWERED, {"range": {"meta.status": {"gte": 500}}}]}}
_OVER_TIME = {"date_histogram": {"field": "@timestamp", "fixed_interval": "30s"}}


@dataclass(frozen=True)
class Panel:
    """One panel: a Lens visualization of one layer."""

    id: str
    title: str
    question: str
    kql: str
    kind: str
    """lnsXY or lnsDatatable."""
    columns: dict[str, dict[str, Any]]
    visualization: dict[str, Any]
    grid: tuple[int, int, int, int]
    """x, y, width, height; the dashboard is 48 wide."""
    query: dict[str, Any]
    """The search body that asks the same, without the time range."""


def _count(label: str, kql: str | None = None) -> dict[str, Any]:
    column = {
        "label": label,
        "customLabel": True,
        "dataType": "number",
        "operationType": "count",
        "isBucketed": False,
        "sourceField": "___records___",  # what Lens calls the number of documents
        "params": {"emptyAsNull": False},
    }
    return column | ({"filter": {"query": kql, "language": "kuery"}} if kql else {})


def _over_time() -> dict[str, Any]:
    return {
        "label": "时间",
        "customLabel": True,
        "dataType": "date",
        "operationType": "date_histogram",
        "sourceField": "@timestamp",
        "isBucketed": True,
        "params": {"interval": "auto", "includeEmptyRows": True, "dropPartials": False},
    }


def _top(label: str, field: str, by: str) -> dict[str, Any]:
    return {
        "label": label,
        "customLabel": True,
        "dataType": "string",
        "operationType": "terms",
        "sourceField": field,
        "isBucketed": True,
        "params": {
            "size": 10,
            "orderBy": {"type": "column", "columnId": by},
            "orderDirection": "desc",
            "otherBucket": False,
            "missingBucket": False,
            "parentFormat": {"id": "terms"},
        },
    }


def _percentile(label: str, field: str, percentile: int) -> dict[str, Any]:
    return {
        "label": label,
        "customLabel": True,
        "dataType": "number",
        "operationType": "percentile",
        "sourceField": field,
        "isBucketed": False,
        "params": {"percentile": percentile, "format": {"id": "number", "params": {"decimals": 1, "suffix": " ms"}}},
    }


def _xy(series: str, *accessors: str) -> dict[str, Any]:
    return {
        "legend": {"isVisible": True, "position": "bottom"},
        "valueLabels": "hide",
        "preferredSeriesType": series,
        "layers": [
            {
                "layerId": "layer",
                "layerType": "data",
                "seriesType": series,
                "xAccessor": "time",
                "accessors": list(accessors),
            }
        ],
    }


def _table(*columns: str) -> dict[str, Any]:
    return {"layerId": "layer", "layerType": "data", "columns": [{"columnId": column} for column in columns]}


PANELS = (
    Panel(
        id="error-rate",
        title="错误率 Error rate",
        question="每个时间段里，失败（5xx）的请求占多大比例？",
        kql=ANSWERED,
        kind="lnsXY",
        # Percent of the bar: the two parts are all requests. A formula would hide what it divides.
        columns={
            "time": _over_time(),
            "failed": _count("失败 5xx", "meta.status >= 500"),
            "rest": _count("其余", "not meta.status >= 500"),
        },
        visualization=_xy("bar_percentage_stacked", "failed", "rest"),
        grid=(0, 0, 24, 12),
        query={
            "query": _ANSWERED,
            "aggs": {"time": _OVER_TIME | {"aggs": {"failed": {"filter": _FAILED}}}},
        },
    ),
    Panel(
        id="request-volume",
        title="请求量 Request volume",
        question="每个时间段里完成了多少请求？",
        kql=ANSWERED,
        kind="lnsXY",
        columns={"time": _over_time(), "requests": _count("请求")},
        visualization=_xy("bar_stacked", "requests"),
        grid=(24, 0, 24, 12),
        query={"query": _ANSWERED, "aggs": {"time": _OVER_TIME}},
    ),
    Panel(
        id="slowest-routes",
        title="最慢的路由 Slowest routes",
        question="哪些路由的 p95 响应时间最长？",
        kql=ANSWERED,
        kind="lnsDatatable",
        columns={
            "route": _top("路由", "meta.route", "p95"),
            "p95": _percentile("p95 响应时间", "meta.responseTime", 95),
            "requests": _count("请求"),
        },
        visualization=_table("route", "p95", "requests"),
        grid=(0, 12, 24, 14),
        query={
            "query": _ANSWERED,
            "aggs": {
                "route": {
                    "terms": {"field": "meta.route", "size": 10, "order": {"p95.95": "desc"}},
                    "aggs": {"p95": {"percentiles": {"field": "meta.responseTime", "percents": [95]}}},
                }
            },
        },
    ),
    Panel(
        id="errors-by-type",
        title="错误类型 Errors by type",
        question="ERROR 日志里是哪些异常，在哪些服务里？",
        kql=ERRORS,
        kind="lnsDatatable",
        columns={
            "type": _top("异常", "meta.error.type", "lines"),
            "service": _top("服务", "service", "lines"),
            "lines": _count("行数"),
        },
        visualization=_table("type", "service", "lines"),
        grid=(24, 12, 24, 14),
        query={
            "query": {"term": {"level": "ERROR"}},
            "aggs": {
                "type": {
                    "terms": {"field": "meta.error.type", "size": 10},
                    "aggs": {"service": {"terms": {"field": "service", "size": 10}}},
                }
            },
        },
    ),
)
