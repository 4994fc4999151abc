"""Every query of every panel, asked of the real Prometheus and Elasticsearch as Grafana asks; every click followed.

Grafana itself is asked too, where it runs.
"""

import json
import math
import re
import time
import urllib.parse
from typing import Any

import dashboards
import pytest
import requests
from clients import TIMEOUT, Http, Stack, compose, eventually
from dashboards import Target

# A panel has data within a minute of traffic; a rate needs two scrapes before it.
WITHIN = 90

# Series that a healthy stack does not have. Each is a fault's own: were it always there, so would be the fault.
MAY_BE_EMPTY = {
    "ecommerce-logs/错误类型/A": "no error was logged",
    "ecommerce-logs/出错的路由/A": "neither error nor warning was logged",
    "ecommerce-logs/错误与警告/A": "neither error nor warning was logged",
    "ecommerce-logs/无法解析的行/A": "every line was JSON",
}

PROMQL, LUCENE = dashboards.targets("prometheus"), dashboards.targets("elasticsearch")
MINUTE = 60


def values(stack: Stack, target: Target, at: float | None = None) -> list[float]:
    """The numbers that a panel's query gives, now or at a Unix time."""
    series = stack.prometheus.query(target.text, at)
    return [value for one in series if not math.isnan(value := float(one["value"][1]))]


def test_a_new_stack_fills_every_panel_within_a_minute(stack: Stack) -> None:
    """Looked up in the history: a minute after the last part of it had come up, whatever has been tested since."""
    oldest = stack.prometheus.value('prometheus_tsdb_lowest_timestamp_seconds{job="prometheus"}')
    assert oldest is not None
    if time.time() - oldest > 3600:
        pytest.skip("not a new stack: its metrics are older than an hour")
    complete = stack.prometheus.value("max(min by (job) (min_over_time(timestamp(up == 1)[1h:15s])))")
    assert complete is not None
    time.sleep(max(0.0, complete + MINUTE - time.time()))
    empty = [
        str(target)
        for target in PROMQL
        if not values(stack, target, complete + MINUTE) and str(target) not in MAY_BE_EMPTY
    ]
    empty += [
        str(target)
        for target in LUCENE
        if not finds(stack, target, complete + MINUTE) and str(target) not in MAY_BE_EMPTY
    ]
    assert not empty, f"a minute after {complete:.0f}"


def test_the_exceptions_are_panels() -> None:
    assert set(MAY_BE_EMPTY) <= {str(target) for target in PROMQL + LUCENE}


@pytest.mark.parametrize("target", PROMQL, ids=str)
def test_panel_has_metrics(stack: Stack, target: Target) -> None:
    if str(target) in MAY_BE_EMPTY:
        values(stack, target)  # still a query that Prometheus takes
    else:
        eventually(lambda: values(stack, target), within=WITHIN, every=3, what=f"data for {target}: {target.text}")


@pytest.mark.parametrize("target", LUCENE, ids=str)
def test_panel_has_lines(stack: Stack, target: Target) -> None:
    if str(target) in MAY_BE_EMPTY:
        finds(stack, target)
    else:
        eventually(lambda: finds(stack, target), within=WITHIN, every=3, what=f"lines for {target}: {target.text}")


# The marks over all panels, and the series of each that are always there: a healthy stack has no marks.
MARKED = {"触发的告警": 'ALERTS{alertstate="firing", severity="none"}', "打开的故障开关": "fault_active == 0"}


@pytest.mark.parametrize(("name", "text"), dashboards.annotations().items())
def test_marks_can_be_drawn(stack: Stack, name: str, text: str) -> None:
    """The last hour's, as Grafana asks: no mark is fine, an error is not, nor a name that no series has."""
    now = time.time()
    answer = stack.prometheus.get("/api/v1/query_range", query=text, start=now - 3600, end=now, step=60)
    assert answer["data"]["resultType"] == "matrix"
    assert not answer.get("warnings"), answer["warnings"]
    there = MARKED[name]
    assert re.findall(r"\w+", there)[0] in text
    eventually(lambda: stack.prometheus.query(there), within=WITHIN, every=3, what=there)


@pytest.mark.parametrize("uid", dashboards.dashboards())
def test_variables_have_choices(stack: Stack, uid: str) -> None:
    board = dashboards.dashboards()[uid]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query" and variable["datasource"]["type"] == "prometheus":
            asked = re.fullmatch(r"label_values\((.+), (\w+)\)", dashboards.filled_in(variable["query"], board))
            assert asked, variable["query"]
            found = {
                series["metric"].get(asked[2])
                for series in stack.prometheus.query(f"group by ({asked[2]}) ({asked[1]})")
            }
            current = variable["current"]["value"]
            assert found, variable["query"]
            assert current == ["$__all"] or current in found
        elif variable["type"] == "query":
            field = json.loads(variable["query"])["field"]
            body = {"size": 0, "aggs": {"choices": {"terms": {"field": field}}}}
            assert stack.elasticsearch.search(index(), body)["aggregations"]["choices"]["buckets"], field


def test_from_a_metric_to_its_trace_to_its_lines_and_back(stack: Stack) -> None:
    """The clicks from a dot on the latency panel, by the very fields that the data sources are configured with."""
    sources = dashboards.data_sources()
    drawn = next(target for target in PROMQL if str(target) == "ecommerce-red/响应时间 P50 / P95 / P99/B")
    assert drawn.query["exemplar"] is True
    label = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"][0]["name"]

    def trace_ids() -> list[str]:
        # the newest may not be stored yet: the trace's last span, then the sampler's wait
        now = time.time()
        answer = stack.prometheus.get("/api/v1/query_exemplars", query=drawn.text, start=now - 900, end=now - 30)
        dots = [dot for series in answer["data"] for dot in series["exemplars"]]
        return [dot["labels"][label] for dot in sorted(dots, key=lambda dot: float(dot["timestamp"]), reverse=True)]

    def trace() -> dict[str, Any] | None:
        known = (stack.jaeger.trace(trace_id) for trace_id in trace_ids()[:10])
        # of a request whose replica was killed there may be pieces
        return next((found for found in known if found and has_server_span(found)), None)

    found = eventually(trace, within=120, every=3, what="a trace for a dot on the latency panel")
    span = found["spans"][0]

    settings = sources["jaeger"]["jsonData"]["tracesToLogsV2"]
    query = settings["query"].replace("${__span.traceId}", span["traceID"])
    begin = span["startTime"] / 1000
    body = lucene(query, begin - 5 * 60_000, begin + span["duration"] / 1000 + 5 * 60_000)
    assert (settings["spanStartTimeShift"], settings["spanEndTimeShift"]) == ("-5m", "5m")
    hits = eventually(
        lambda: stack.elasticsearch.search(index(), body)["hits"]["hits"], within=30, what=f"lines for {query}"
    )

    links = {link["field"]: link["url"] for link in sources["elasticsearch"]["jsonData"]["dataLinks"]}
    back = links["trace_id"].replace("${__value.raw}", hits[0]["_source"]["trace_id"])
    assert stack.jaeger.trace(back)
    request = next(hit["_source"]["requestId"] for hit in hits if "requestId" in hit["_source"])
    same = urllib.parse.unquote(links["requestId"]).replace("${__value.raw}", request).split("var-query=")[1]
    assert stack.elasticsearch.search(index(), lucene(same, begin - 3_600_000, begin + 3_600_000))["hits"]["hits"]


def has_server_span(trace: dict[str, Any]) -> bool:
    kinds = [tag["value"] for span in trace["spans"] for tag in span["tags"] if tag["key"] == "span.kind"]
    return "server" in kinds


def test_from_a_span_to_the_metrics_of_its_route(stack: Stack) -> None:
    settings = dashboards.data_sources()["jaeger"]["jsonData"]["tracesToMetrics"]
    tags = {"http.route": "/api/v1/products/{product_id}", "http.request.method": "GET"}
    chosen = ", ".join(f'{tag["value"]}="{tags[tag["key"]]}"' for tag in settings["tags"])
    for query in settings["queries"]:
        text = query["query"].replace("$__tags", chosen)
        text = text.replace("${__span.name}", "GET /api/v1/products/{product_id}")
        eventually(lambda text=text: stack.prometheus.query(text), within=WITHIN, every=3, what=text)


@pytest.fixture(scope="module")
def grafana(stack: Stack) -> Http:
    if "grafana" not in compose("ps", "--status", "running", "--services").split():
        pytest.skip("no image: Grafana")
    return Http(stack.url("grafana", 3000), auth=("admin", stack.secret("grafana")))


@pytest.mark.parametrize("uid", dashboards.dashboards())
def test_grafana_has_the_dashboard(grafana: Http, uid: str) -> None:
    answer = grafana.get(f"/api/dashboards/uid/{uid}")
    assert answer["meta"]["provisioned"]
    assert answer["dashboard"]["title"] == dashboards.dashboards()[uid]["title"]


@pytest.mark.parametrize("uid", ["prometheus", "elasticsearch", "jaeger"])  # Alertmanager's has no such check
def test_grafana_reaches_the_data_source(grafana: Http, uid: str) -> None:
    answer = grafana.get(f"/api/datasources/uid/{uid}/health")
    assert answer["status"] == "OK", answer


def test_grafana_lets_nobody_in_without_a_password(grafana: Http) -> None:
    answer = requests.get(f"{grafana.url}/api/dashboards/uid/ecommerce-overview", timeout=TIMEOUT)
    assert answer.status_code == requests.codes.unauthorized


def index() -> str:
    """The indices that the data source asks."""
    name: str = dashboards.data_sources()["elasticsearch"]["jsonData"]["index"]
    return name


def lucene(text: str, begin: float, end: float, limit: int = 500) -> dict[str, Any]:
    """The body of a log panel's search; `begin` and `end` are milliseconds since 1970."""
    span = {"gte": int(begin), "lte": int(end), "format": "epoch_millis"}
    return {
        "size": limit,
        "sort": [{"@timestamp": {"order": "desc", "unmapped_type": "boolean"}}],
        "query": {
            "bool": {
                "filter": [
                    {"range": {"@timestamp": span}},
                    {"query_string": {"analyze_wildcard": True, "query": text}},
                ]
            }
        },
    }


def finds(stack: Stack, target: Target, at: float | None = None) -> bool:
    """Whether a panel's query finds lines in the hour before a Unix time, by default now."""
    answer = stack.elasticsearch.search(index(), search(target, time.time() if at is None else at))
    assert not answer["timed_out"]
    if "aggregations" not in answer:
        return bool(answer["hits"]["hits"])
    return has_documents(answer["aggregations"])


def search(target: Target, at: float) -> dict[str, Any]:
    """The body that Grafana's Elasticsearch data source sends for a panel's query over the hour before a Unix time."""
    now = at * 1000
    metrics = target.query["metrics"]
    if metrics[0]["type"] == "logs":
        return lucene(target.text, now - 3_600_000, now, int(metrics[0]["settings"]["limit"]))
    aggregations: dict[str, Any] = {
        metric["id"]: {"percentiles": {"field": metric["field"], "percents": metric["settings"]["percents"]}}
        for metric in metrics
        if metric["type"] == "percentiles"
    }
    for bucket in reversed(target.query["bucketAggs"]):
        settings = bucket["settings"]
        kinds: dict[str, Any] = {
            "date_histogram": {"field": bucket["field"], "fixed_interval": "10s", "min_doc_count": 0},
            "terms": {
                "field": bucket["field"],
                "size": int(settings.get("size", 10)),
                "order": {settings.get("orderBy", "_key"): settings.get("order", "desc")},
            },
        }
        aggregations = {bucket["id"]: {bucket["type"]: kinds[bucket["type"]], "aggs": aggregations}}
    return {**lucene(target.text, now - 3_600_000, now, 0), "aggs": aggregations}


def has_documents(aggregations: dict[str, Any]) -> bool:
    """Whether any bucket, however deep, holds a document."""
    buckets = [bucket for value in aggregations.values() for bucket in value.get("buckets", [])]
    return any(bucket["doc_count"] for bucket in buckets)
