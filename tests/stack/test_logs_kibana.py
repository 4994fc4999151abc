"""Kibana's panels and searches, asked without Kibana: Elasticsearch answers the same questions with what was logged."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
from clients import Stack, compose
from log_proof import Writer, arrived, count, writing

from kibana.source.objects import DASHBOARD, render
from kibana.source.panels import PANELS, Panel
from kibana.source.searches import SEARCHES, Search

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


def lucene(kql: str) -> dict[str, Any]:
    """The same in the query language that Elasticsearch reads itself; of KQL's forms, those that we use."""
    text = re.sub(r"\b(and|or|not)\b", lambda word: word[0].upper(), kql)
    return {"query_string": {"query": re.sub(r" (>=|<=|>|<) ", r":\1", text)}}


def selected(stack: Stack, written: Writer, *queries: dict[str, Any]) -> int:
    """How many of the lines all the queries select."""
    return count(stack.elasticsearch, {"bool": {"filter": [{"term": {"logger": written.logger}}, *queries]}})


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.id)
def test_a_panel_says_in_kql_what_its_query_asks(stack: Stack, written: Writer, panel: Panel) -> None:
    found = [selected(stack, written, query) for query in (lucene(panel.kql), panel.query["query"])]
    assert found[0] == found[1] > 0


FILTERED = {
    (panel.id, name): (panel.kql, column["filter"]["query"])
    for panel in PANELS
    for name, column in panel.columns.items()
    if "filter" in column
}
COUNTED = {("error-rate", "failed"): 100, ("error-rate", "rest"): 900}


@pytest.mark.parametrize("column", FILTERED, ids="-".join)
def test_a_column_counts_what_its_filter_selects(stack: Stack, written: Writer, column: tuple[str, str]) -> None:
    assert selected(stack, written, *map(lucene, FILTERED[column])) == COUNTED[column]


FOUND = {"ecommerce-logs-errors": 100, "ecommerce-logs-failed-requests": 100, "ecommerce-logs-orders": 200}


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: search.id)
def test_a_saved_search_finds_what_was_logged(stack: Stack, written: Writer, search: Search) -> None:
    assert selected(stack, written, lucene(search.kql)) == FOUND[search.id]


def test_kibana_has_what_was_installed(stack: Stack) -> None:
    if "kibana" not in compose("ps", "--status", "running", "--services").split():
        pytest.skip("no image: kibana")
    exported = requests.post(
        f"{stack.url('kibana', 5601)}/api/saved_objects/_export",
        json={
            "objects": [
                {"type": "dashboard", "id": DASHBOARD},
                *({"type": "search", "id": search.id} for search in SEARCHES),
            ],
            "includeReferencesDeep": True,
        },
        headers={"kbn-xsrf": "true"},
        auth=("elastic", stack.secret("elastic")),
        timeout=60,
    )
    assert exported.ok, exported.text
    found = {(item["type"], item["id"]) for item in map(json.loads, exported.text.splitlines()) if "type" in item}
    assert found == {(item["type"], item["id"]) for item in map(json.loads, render().splitlines())}
