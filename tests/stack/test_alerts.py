"""Rules and runbooks against the running stack: every series they name is there, every link of an alert resolves."""

from collections.abc import Iterator
from typing import Any

import alerts
import pytest
import requests
from clients import Prometheus, Stack, eventually

# Series that only come to be by the event that they count, each with the event.
BY_EVENT = {
    "otelcol_exporter_enqueue_failed_spans_total",  # a full queue before the storage
    "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total",  # a rush, if thinned out
}

EXPRESSIONS = {rule.get("alert") or rule["record"]: str(rule["expr"]) for rule in alerts.rules()}
QUERIES = [
    (path.stem, query) for path in sorted(alerts.RUNBOOKS.glob("*.md")) for query in alerts.runbook_queries(path)
]


def selected(node: Any) -> Iterator[str]:
    """The names of all series in an expression's tree."""
    if isinstance(node, dict):
        if node.get("type") == "vectorSelector" and node["name"]:
            yield node["name"]
        for child in node.values():
            yield from selected(child)
    elif isinstance(node, list):
        for child in node:
            yield from selected(child)


@pytest.fixture(scope="module")
def known(stack: Stack) -> set[str]:
    """The names of all series of the last hour; after the slowest group (5 minutes) has been evaluated once."""

    def names() -> set[str] | None:
        answer = set(stack.prometheus.get("/api/v1/label/__name__/values")["data"])
        return answer if "slo:budget_left:ratio" in answer and "slo:burn_rate:1d" in answer else None

    found = eventually(names, within=420, what="every group of rules evaluated")
    assert found
    return found


def names_in(prometheus: Prometheus, expression: str) -> set[str]:
    """Prometheus's own parser says which series an expression reads."""
    return set(selected(prometheus.get("/api/v1/parse_query", query=expression)["data"]))


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS.items(), ids=EXPRESSIONS.keys())
def test_every_series_of_a_rule_exists(stack: Stack, known: set[str], name: str, expression: str) -> None:
    assert names_in(stack.prometheus, expression) - known - BY_EVENT == set(), name


@pytest.mark.parametrize(("name", "query"), QUERIES, ids=[name for name, _ in QUERIES])
def test_every_query_of_a_runbook_runs(stack: Stack, known: set[str], name: str, query: str) -> None:
    assert names_in(stack.prometheus, query) - known - BY_EVENT == set(), name
    stack.prometheus.query(query)


@pytest.mark.usefixtures("known")  # that is, after every group has been evaluated
def test_every_rule_is_healthy(stack: Stack) -> None:
    groups = stack.prometheus.get("/api/v1/rules")["data"]["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    assert {rule["name"] for rule in found} == set(EXPRESSIONS)
    ill = [(rule["name"], rule.get("lastError")) for rule in found if rule["health"] != "ok"]
    assert not ill


@pytest.mark.parametrize("name", alerts.ALERTS)
def test_the_runbook_is_where_the_alert_says(stack: Stack, name: str) -> None:
    page = requests.get(f"{stack.url('portal', 8080)}/runbooks/{name}", timeout=10)
    assert page.status_code == requests.codes.ok
    assert alerts.ALERTS[name]["annotations"]["summary"] in page.text


def test_the_heartbeat_links_to_its_runbook(stack: Stack) -> None:
    """Watchdog always fires: what it carries to Alertmanager shows that the addresses reach an alert's links."""
    watchdog = stack.alertmanager.get("/api/v2/alerts", filter="alertname=Watchdog")[0]
    assert requests.get(watchdog["annotations"]["runbook_url"], timeout=10).status_code == requests.codes.ok
    assert watchdog["annotations"]["dashboard_url"].endswith("/d/ecommerce-stack")
    assert not {"portal_url", "grafana_url"} & set(watchdog["labels"]), "an address is no part of an alert's identity"


def test_every_target_answers(stack: Stack) -> None:
    def down() -> bool:
        silent = stack.prometheus.query("up == 0")
        assert not silent, silent
        return True

    eventually(down, within=120, what="every target answers")
