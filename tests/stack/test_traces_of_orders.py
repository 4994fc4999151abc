"""Orders of every outcome: what their traces look like in Jaeger, and what their log lines carry."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import opentelemetry.semconv.attributes
import pytest
from clients import Stack, eventually
from trace_outcomes import OUTCOMES
from trace_outline import Span, outline, spans_of
from trace_stories import Told, tell

ORDERS = 200
API, GATEWAY = "ecommerce-api", "payments-gateway"

# The attributes that each kind of span must have: what the conventions require, and what one searches by.
HTTP = {"http.request.method", "http.response.status_code", "server.address", "server.port"}
DATABASE = {"db.system.name", "db.namespace", "db.operation.name", "server.address", "server.port"}
REQUIRED = {
    "server": HTTP | {"http.route", "url.path", "url.scheme", "client.address", "user_agent.original"},
    "client POST": (HTTP - {"http.response.status_code"}) | {"url.full"},
    "client redis": DATABASE,
    "client postgresql": DATABASE | {"db.query.text"},
    "internal createOrder": {"order.id", "user.id"},
    "internal sendOrderNotification": {"order.id", "user.id"},
    "internal processPayment": {"order.id", "user.id"},
    "internal chargeCard": {"order.id", "app.amount_cents", "app.charge.status"},
    "internal updateOrderStatus": {"order.id", "app.status"},
}
RESOURCE = {"service.version", "service.instance.id", "deployment.environment.name", "telemetry.sdk.language"}
# Not of the stable conventions: user.id is in development; Jaeger writes kind and status as tags.
ELSE = {"user.id", "span.kind", "error", "otel.status_code", "otel.status_description"}
OWN = ("order.", "app.")


@pytest.fixture(scope="module")
def told(stack: Stack) -> list[Told]:
    return tell(stack)


@pytest.fixture(scope="module")
def traces(stack: Stack, told: list[Told]) -> dict[str, list[Span]]:
    """Every trace, once all of its spans should be there: by trace id."""
    wanted = {one.answer.trace_id: min(map(spans_in, OUTCOMES[one.outcome].outlines)) for one in told}

    def all_there() -> bool:
        return all(count >= wanted[trace_id] for trace_id, count in stored(stack, list(wanted)).items())

    eventually(all_there, within=30, what="every span in Elasticsearch")
    time.sleep(2)  # one too many would come later than the last that is wanted
    found = {trace_id: list[Span]() for trace_id in wanted}
    for some in batched(wanted, 40):
        for trace in stack.jaeger.get("/api/traces", traceID=some)["data"]:
            found[trace["traceID"]] = spans_of(trace)
    return found


def spans_in(text: str) -> int:
    return text.count("\n") + 1


def stored(stack: Stack, trace_ids: list[str]) -> dict[str, int]:
    """How many spans of each trace Elasticsearch holds: Jaeger itself would show one that stands there twice once."""
    counts = dict.fromkeys(trace_ids, 0)
    body = {
        "size": 0,
        "query": {"terms": {"traceID": trace_ids}},
        "aggs": {"traces": {"terms": {"field": "traceID", "size": len(trace_ids)}}},
    }
    buckets = stack.elasticsearch.search("jaeger-span-*", body)["aggregations"]["traces"]["buckets"]
    return counts | {bucket["key"]: bucket["doc_count"] for bucket in buckets}


def test_every_outcome_is_among_enough_orders(told: list[Told]) -> None:
    assert {one.outcome for one in told} == set(OUTCOMES)
    created = {one.answer.body["id"] for one in told if one.answer.status == 201}
    assert len(created) >= ORDERS


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_trace_has_exactly_this_tree(told: list[Told], traces: dict[str, list[Span]], name: str) -> None:
    outcome = OUTCOMES[name]
    found = [one.answer for one in told if one.outcome == name]
    assert {answer.status for answer in found} == {outcome.status}
    trees = Counter(outline(traces[answer.trace_id]) for answer in found)
    for tree in trees:
        if tree not in outcome.outlines:
            assert tree == outcome.outlines[0]  # shows the difference


def test_no_span_is_stored_twice(stack: Stack, traces: dict[str, list[Span]]) -> None:
    assert stored(stack, list(traces)) == {trace_id: len(spans) for trace_id, spans in traces.items()}


def test_the_server_span_says_what_was_answered(told: list[Told], traces: dict[str, list[Span]]) -> None:
    for one in told:
        root = traces[one.answer.trace_id][0]
        assert root.tags["http.response.status_code"] == one.answer.status
        assert root.tags.get("user.id") == one.user_id
        assert (root.error is not None) == (one.answer.status >= 500)


def test_attributes_are_the_conventions_own(traces: dict[str, list[Span]]) -> None:
    current = ELSE | stable_attributes()
    unknown = {
        (span.kind, span.name, key)
        for span in every(traces)
        for key in span.tags
        if key not in current and not key.startswith(OWN)
    }
    assert not unknown


def test_every_kind_of_span_has_what_one_looks_for(traces: dict[str, list[Span]]) -> None:
    missing = set()
    for span in every(traces):
        names = (span.kind, f"{span.kind} {span.name}", f"{span.kind} {span.tags.get('db.system.name')}")
        wanted = set().union(*(REQUIRED.get(name, set()) for name in names))
        missing |= {(span.name, key) for key in wanted - set(span.tags)}
        missing |= {(span.service, key) for key in RESOURCE - set(span.resource)}
        if span.error:
            missing |= {(span.name, "error.type")} - {(span.name, key) for key in span.tags}
    assert not missing


def test_every_log_line_carries_the_ids(stack: Stack, told: list[Told], traces: dict[str, list[Span]]) -> None:
    def lines() -> dict[str, list[dict[str, Any]]]:
        found = defaultdict(list)
        for line in lines_of(stack, "requestId", [one.answer.request_id for one in told]):
            found[line["requestId"]].append(line)
        for one in told:
            events = [line["meta"].get("event") for line in found[one.answer.request_id]]
            assert "request.started" in events, events
            assert {"request.completed", "request.failed"} & set(events), events
        return found

    found = eventually(lines, within=30, what="first and last line of every request")
    for one in told:
        spans = {span.id for span in traces[one.answer.trace_id]}
        for line in found[one.answer.request_id]:
            assert line["trace_id"] == one.answer.trace_id, line
            assert line["span_id"] in spans, line
            if line["meta"].get("event") != "request.started":  # written before anybody has read who it is
                assert line.get("userId") == one.user_id, line


def test_the_gateways_log_lines_carry_the_trace_and_the_user_of_their_payment(stack: Stack, told: list[Told]) -> None:
    charged = {"paid", "declined", "declined once more"}
    wanted = {one.answer.trace_id: one.user_id for one in told if one.outcome in charged}

    def all_there() -> bool:
        lines = lines_of(stack, "trace_id", sorted(wanted))
        of_gateway = [line for line in lines if line["service"] == "payments-gateway"]
        for line in of_gateway:
            if line["meta"].get("event") != "request.started":  # see above
                assert line.get("userId") == wanted[line["trace_id"]], line
        charges = Counter(line["trace_id"] for line in of_gateway if line["logger"] == "payments_gateway.api")
        assert set(charges.values()) == {1}, charges
        return set(charges) == set(wanted)

    eventually(all_there, within=30, what="one line of the gateway for each charge")


def batched(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = list(ids)
    while rest:
        yield rest[:size]
        del rest[:size]


def every(traces: dict[str, list[Span]]) -> Iterator[Span]:
    for spans in traces.values():
        yield from spans


def stable_attributes() -> set[str]:
    """The names of the stable semantic conventions, from the package that OpenTelemetry publishes them in."""
    package = opentelemetry.semconv.attributes
    modules = [import_module(f"{package.__name__}.{module.name}") for module in iter_modules(package.__path__)]
    return {value for module in modules for name, value in vars(module).items() if name.isupper()}


def lines_of(stack: Stack, field: str, ids: list[str]) -> list[dict[str, Any]]:
    body = {"size": 10_000, "query": {"terms": {field: ids}}}
    return [hit["_source"] for hit in stack.elasticsearch.search("ecommerce-logs-*", body)["hits"]["hits"]]
