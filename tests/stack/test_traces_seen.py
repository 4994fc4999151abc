"""What a person does with a trace: follow its links, look at the Monitor tab, and find it by what was carried along."""

import json
import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import dashboards
import pytest
import requests
from clients import TIMEOUT, Stack, compose, eventually
from customer import Answer, Customer
from trace_outline import Span, spans_of

from kibana.source.__main__ import FILE

API, GATEWAY = "ecommerce-api", "payments-gateway"


@dataclass(frozen=True)
class Paid:
    """A payment, its trace, and the baggage that its request carried."""

    order_id: str
    answer: Answer
    spans: list[Span]
    tenant: str


@pytest.fixture(scope="module")
def paid(stack: Stack) -> Paid:
    customer = Customer(stack.shop)
    order = customer.order().body["id"]
    tenant = secrets.token_hex(4)
    customer.shop.session.headers["baggage"] = f"tenant.id={tenant},coupon=not-asked-for"
    try:
        answer = customer.pay(order)
    finally:
        del customer.shop.session.headers["baggage"]
    assert answer.status == 200, answer.body

    def whole() -> list[Span]:
        trace = stack.jaeger.trace(answer.trace_id)
        spans = spans_of(trace) if trace else []
        assert {span.service for span in spans} == {API, GATEWAY}
        assert spans[0].kind == "server"
        return spans

    return Paid(order, answer, eventually(whole, within=30, what="the payment's trace"), tenant)


@pytest.fixture(scope="module")
def links(stack: Stack) -> list[dict[str, str]]:
    """The links that the running Jaeger shows."""
    assert stack
    found: list[dict[str, str]] = json.loads(compose("exec", "-T", "jaeger", "cat", "/tmp/ui.json"))["linkPatterns"]
    return found


def filled_in(url: str, values: dict[str, str]) -> str:
    """The link as Jaeger's UI makes it; a value that the trace has not got is an error."""
    return re.sub(r"#\{([\w.]+)\}", lambda match: values[match[1]], url)


def test_from_a_trace_to_its_lines_and_back(stack: Stack, links: list[dict[str, str]], paid: Paid) -> None:
    trace_id = paid.answer.trace_id
    urls = [filled_in(link["url"], {"traceID": trace_id}) for link in links if link["type"] == "traces"]
    settings = stack.config["services"]["jaeger"]["environment"]
    assert [url.split("/", 3)[:3] for url in urls] == [
        settings[name].split("/", 3)[:3] for name in ("KIBANA_URL", "GRAFANA_URL")
    ], "they lead to this stack"
    kibana, grafana = map(unquote, urls)
    found = re.search(r"dataViewId:([\w-]+),.*query:'(.+)'\)\)$", kibana)
    assert found, kibana
    objects = map(json.loads, FILE.read_text(encoding="utf-8").splitlines())
    (view,) = [item for item in objects if (item.get("type"), item.get("id")) == ("index-pattern", found[1])]
    board = dashboards.dashboards()[urlsplit(grafana).path.removeprefix("/d/")]
    (query,) = parse_qs(urlsplit(grafana).query)["var-query"]
    assert "query" in {variable["name"] for variable in board["templating"]["list"]}
    for index, text in ((view["attributes"]["title"], found[2]), ("ecommerce-logs-*", query)):
        lines = eventually(lambda index=index, text=text: lines_of(stack, index, text), within=30, what=text)
        assert {line["service"] for line in lines} == {API, GATEWAY}
        for line in lines:
            assert line["span_id"] in {span.id for span in paid.spans}
            assert line["trace_id"] == trace_id
    assert stack.jaeger.trace(lines[0]["trace_id"])


def lines_of(stack: Stack, index: str, text: str) -> list[dict[str, Any]]:
    body = {"size": 100, "query": {"query_string": {"query": text}}}
    return [hit["_source"] for hit in stack.elasticsearch.search(index, body)["hits"]["hits"]]


def test_from_a_span_to_all_traces_of_its_order(stack: Stack, links: list[dict[str, str]], paid: Paid) -> None:
    (link,) = [link for link in links if link["type"] == "tags"]
    span = next(span for span in paid.spans if link["key"] in span.tags)
    asked = parse_qs(urlsplit(filled_in(link["url"], {link["key"]: str(span.tags[link["key"]])})).query)
    traces = stack.jaeger.get("/api/traces", service=asked["service"][0], tags=asked["tags"][0], limit=20)["data"]
    assert paid.answer.trace_id in {trace["traceID"] for trace in traces}
    assert len(traces) >= 2, "the order's creation, too"


def test_baggage_goes_on_and_into_the_lines_that_may_have_it(stack: Stack, paid: Paid) -> None:
    def lines() -> list[dict[str, Any]]:
        found = stack.elasticsearch.lines(trace_id=paid.answer.trace_id)
        assert {line["service"] for line in found} == {API, GATEWAY}
        return found

    for line in eventually(lines, within=30, what="lines of both processes"):
        assert line["meta"]["baggage"] == {"tenant.id": paid.tenant}, line
    found = lines_of(stack, "ecommerce-logs-*", f'meta_all.baggage.tenant.id:"{paid.tenant}"')
    assert found, "and it can be searched for"


def test_the_monitor_tab_shows_what_prometheus_has(stack: Stack) -> None:
    end = int(time.time())
    lookback, step, rate = 600, 60, 600  # seconds
    asked: dict[str, Any] = {"service": API, "endTs": end * 1000, "lookback": lookback * 1000, "step": step * 1000}
    asked |= {"ratePer": rate * 1000, "spanKind": "server", "groupByOperation": "true"}
    expression = (
        'sum by (span_name) (rate(traces_span_metrics_calls_total{service_name="ecommerce-api",'
        f'span_kind="SPAN_KIND_SERVER"}}[{rate}s]))'
    )

    def shown() -> dict[str, float]:
        answer = stack.jaeger.get("/api/metrics/calls", **asked)
        points = {
            next(label["value"] for label in metric["labels"] if label["name"] == "operation"): metric["metricPoints"]
            for metric in answer["metrics"]
        }
        return {name: float(found[-1]["gaugeValue"]["doubleValue"]) for name, found in points.items() if found}

    seen = eventually(shown, within=60, every=3, what="request rates in the Monitor tab")
    answer = stack.prometheus.get("/api/v1/query", query=expression, time=end)["data"]["result"]
    wanted = {series["metric"]["span_name"]: float(series["value"][1]) for series in answer}
    name = "GET /api/v1/products/{product_id}"
    assert seen[name] == pytest.approx(wanted[name], rel=0.1)
    latencies = stack.jaeger.get("/api/metrics/latencies", quantile=0.95, **asked)["metrics"]
    # where nobody asked, it is the text "NaN"
    values = [float(point["gaugeValue"]["doubleValue"]) for metric in latencies for point in metric["metricPoints"]]
    assert any(value > 0 for value in values)
    assert "metrics" in stack.jaeger.get("/api/metrics/errors", **asked)


def test_old_days_are_deleted_and_this_one_is_kept(stack: Stack) -> None:
    days = int(stack.config["services"]["elasticsearch-retention"]["environment"]["TRACE_RETENTION_DAYS"])
    today = datetime.now(UTC).date()
    old, young = (f"jaeger-span-{today - timedelta(days=age)}" for age in (days + 1, days - 1))
    made = [name for name in (old, young) if not exists(stack, name)]
    for name in made:
        answer = requests.put(f"{stack.elasticsearch.url}/{name}", auth=stack.elasticsearch.auth, timeout=TIMEOUT)
        assert answer.ok, answer.text
    try:
        said = compose("exec", "-T", "elasticsearch-retention", "sh", "/setup/delete-old-indices.sh", "once")
        assert f"deleted {old}" in said
        assert [exists(stack, name) for name in (old, young, f"jaeger-span-{today}")] == [False, True, True]
    finally:
        for name in made:
            requests.delete(f"{stack.elasticsearch.url}/{name}", auth=stack.elasticsearch.auth, timeout=TIMEOUT)


def exists(stack: Stack, index: str) -> bool:
    return requests.head(f"{stack.elasticsearch.url}/{index}", auth=stack.elasticsearch.auth, timeout=TIMEOUT).ok


def test_a_chat_robots_password_is_in_no_trace(stack: Stack) -> None:
    """It stands in the address that the notifier posts to, so a client span would have it."""
    since, name = time.time_ns() // 1_000_000, f"Try{secrets.token_hex(4)}"
    alert = {"status": "firing", "labels": {"alertname": name}, "annotations": {}, "fingerprint": secrets.token_hex(8)}
    alert |= {"startsAt": "2026-11-24T02:03:04Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": ""}
    common = {"groupLabels": {"alertname": name}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": ""}
    answer = requests.post(
        f"{stack.url('notifier', 9095)}/api/v1/alertmanager",
        headers={"Authorization": f"Bearer {stack.secret('webhook')}"},
        json={"version": "4", "groupKey": name, "truncatedAlerts": 0, "status": "firing", "receiver": "webhook"}
        | {"alerts": [alert], **common},
        timeout=TIMEOUT,
    )
    assert answer.status_code == 202, answer.text
    posted = {"bool": {"filter": [{"term": {"tags.key": "url.full"}}, {"wildcard": {"tags.value": "*/send?*"}}]}}
    body = {
        "size": 100,
        "query": {
            "bool": {
                "filter": [
                    {"range": {"startTimeMillis": {"gte": since}}},
                    {"nested": {"path": "tags", "query": posted}},
                ]
            }
        },
    }

    def addresses() -> list[str]:
        hits = stack.elasticsearch.search("jaeger-span-*", body)["hits"]["hits"]
        found = [tag["value"] for hit in hits for tag in hit["_source"]["tags"] if tag["key"] == "url.full"]
        assert {urlsplit(one).path for one in found} == {"/cgi-bin/webhook/send", "/robot/send"}
        return found

    for address in eventually(addresses, within=30, what="the spans of both chats"):
        query = parse_qs(urlsplit(address).query)
        assert {query.get("key", query.get("access_token"))[0]} == {"[REDACTED]"}, address
        assert query.get("sign", ["[REDACTED]"]) == ["[REDACTED]"], address
