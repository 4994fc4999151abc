"""Kibana's panels, asked without Kibana: the same questions to the real Elasticsearch return what was logged."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
from clients import Stack, compose
from log_proof import Writer, arrived, writing

from kibana.source.objects import DASHBOARD, render
from kibana.source.panels import PANELS, Panel

LINES = 1_000
Buckets = list[dict[str, Any]]


@pytest.fixture(scope="module")
def written(stack: Stack) -> Writer:
    with writing("requests", LINES, 1_000) as writer:
        writer.report()
    assert arrived(stack.elasticsearch, writer, LINES) == LINES
    return writer


def failures(buckets: Buckets) -> object:
    """Of every bar, how many failed of how many."""
    return (sum(bar["failed"]["doc_count"] for bar in buckets), sum(bar["doc_count"] for bar in buckets))


def volume(buckets: Buckets) -> object:
    return sum(bar["doc_count"] for bar in buckets)


def slowest(buckets: Buckets) -> object:
    return [(row["key"], row["doc_count"], row["p95"]["values"]["95.0"] > 1_000) for row in buckets]


def errors(buckets: Buckets) -> object:
    return {
        (row["key"], service["key"]): service["doc_count"] for row in buckets for service in row["service"]["buckets"]
    }


EXPECTED: dict[str, tuple[Callable[[Buckets], object], object]] = {
    "error-rate": (failures, (100, LINES)),
    "request-volume": (volume, LINES),
    "slowest-routes": (slowest, [("/slow", 250, True), ("/fast", 750, False)]),
    "errors-by-type": (errors, {("LookupError", "log-proof"): 50, ("ValueError", "log-proof"): 50}),
}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.id)
def test_a_panel_shows_what_was_logged(stack: Stack, written: Writer, panel: Panel) -> None:
    ours = {"bool": {"filter": [panel.query["query"], {"term": {"logger": written.logger}}]}}
    answer = stack.elasticsearch.search("ecommerce-logs-*", {**panel.query, "query": ours, "size": 0})
    (aggregation,) = answer["aggregations"].values()
    read, wanted = EXPECTED[panel.id]
    assert read(aggregation["buckets"]) == wanted


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.id)
def test_a_panel_says_in_kql_what_its_query_asks(stack: Stack, written: Writer, panel: Panel) -> None:
    """KQL's simple forms are Lucene's, too; both must select the same lines."""
    kql = {"query_string": {"query": panel.kql.replace(" or ", " OR ").replace(" and ", " AND ")}}
    found = []
    for query in (kql, panel.query["query"]):
        ours = {"bool": {"filter": [query, {"term": {"logger": written.logger}}]}}
        body = {"query": ours, "size": 0, "track_total_hits": True}
        found.append(stack.elasticsearch.search("ecommerce-logs-*", body)["hits"]["total"]["value"])
    assert found[0] == found[1] > 0


def test_kibana_has_what_was_installed(stack: Stack) -> None:
    if "kibana" not in compose("ps", "--status", "running", "--services").split():
        pytest.skip("no image: kibana")
    exported = requests.post(
        f"{stack.url('kibana', 5601)}/api/saved_objects/_export",
        json={"objects": [{"type": "dashboard", "id": DASHBOARD}], "includeReferencesDeep": True},
        headers={"kbn-xsrf": "true"},
        auth=("elastic", stack.secret("elastic")),
        timeout=60,
    )
    assert exported.ok, exported.text
    found = {(item["type"], item["id"]) for item in map(json.loads, exported.text.splitlines()) if "type" in item}
    assert found == {(item["type"], item["id"]) for item in map(json.loads, render().splitlines())}
