"""One order, followed by its order id, its request ids and its trace ids through every product that should know it.

`TELEMETRY` is the contract: who must be seen in which signal, and which calls must be seen in a trace. A service or a
call that is added to the shop belongs into it.
"""

from dataclasses import dataclass
from typing import Any

import pytest
from clients import Stack, eventually
from customer import Answer, Customer


@dataclass(frozen=True)
class Telemetry:
    """What must be seen of one service after one paid order."""

    service: str
    job: str
    moves: str  # a series that the order moves
    logs: bool = True
    traces: bool = True


@dataclass(frozen=True)
class Edge:
    """A span that must hang under another, in the trace of one of the order's two requests."""

    request: str
    parent: tuple[str, str]
    child: tuple[str, str]


TELEMETRY = (
    Telemetry(
        "ecommerce-api",
        "ecommerce-app",
        'sum(http_requests_total{job="ecommerce-app",route="/api/v1/orders",method="POST"})',
    ),
    Telemetry(
        "payments-gateway", "payments-gateway", 'sum(http_requests_total{job="payments-gateway",route="/v1/charges"})'
    ),
)

API, GATEWAY = "ecommerce-api", "payments-gateway"
EDGES = (
    Edge("order", (API, "POST /api/v1/orders"), (API, "createOrder")),
    Edge("payment", (API, "POST /api/v1/orders/{order_id}/payment"), (API, "processPayment")),
    Edge("payment", (API, "POST"), (GATEWAY, "POST /v1/charges")),
)


@dataclass(frozen=True)
class Story:
    """A paid order and everything it can be found by."""

    user_id: str
    order_id: str
    answers: dict[str, Answer]
    before: dict[str, float]


@pytest.fixture(scope="module")
def story(stack: Stack) -> Story:
    customer = Customer(stack.shop)
    before = {row.moves: stack.prometheus.value(row.moves) or 0.0 for row in TELEMETRY}
    order = customer.order()
    assert order.status == 201, order.body
    payment = customer.pay(order.body["id"])
    assert payment.status == 200, payment.body
    return Story(customer.user_id, order.body["id"], {"order": order, "payment": payment}, before)


def spans(stack: Stack, trace_id: str) -> list[dict[str, Any]]:
    """The spans of one trace, each with its service's name beside it."""
    trace = stack.jaeger.trace(trace_id)
    if trace is None:
        return []
    services = {key: process["serviceName"] for key, process in trace["processes"].items()}
    return [{**span, "service": services[span["processID"]]} for span in trace["spans"]]


def test_postgresql_holds_the_order(stack: Stack, story: Story) -> None:
    rows = stack.postgres.rows(f"SELECT status, user_id FROM orders WHERE id = '{story.order_id}'")
    assert rows == [["paid", story.user_id]]


@pytest.mark.parametrize("row", TELEMETRY, ids=lambda row: row.service)
def test_metrics_move(stack: Stack, story: Story, row: Telemetry) -> None:
    eventually(
        lambda: (stack.prometheus.value(row.moves) or 0) > story.before[row.moves], within=30, what=f"{row.moves} grows"
    )
    up = stack.prometheus.query(f'up{{job="{row.job}"}}')
    assert up, f"Prometheus has no target for the job {row.job}"
    assert all(target["value"][1] == "1" for target in up)


@pytest.mark.parametrize("row", [row for row in TELEMETRY if row.logs], ids=lambda row: row.service)
def test_logs_are_searchable_by_trace_id(stack: Stack, story: Story, row: Telemetry) -> None:
    trace_id = story.answers["payment"].trace_id
    eventually(
        lambda: stack.elasticsearch.lines(trace_id=trace_id, service=row.service),
        within=30,
        what=f"log lines of {row.service} with the payment's trace id",
    )


@pytest.mark.parametrize("request_", ["order", "payment"])
def test_logs_are_searchable_by_request_id(stack: Stack, story: Story, request_: str) -> None:
    answer = story.answers[request_]

    def the_two_lines() -> list[dict[str, Any]]:
        lines = stack.elasticsearch.lines(requestId=answer.request_id, service=API)
        found = [line for line in lines if line["meta"].get("event", "").startswith("request.")]
        return found if len(found) >= 2 else []

    started, completed = eventually(the_two_lines, within=30, what="the request's started and completed lines")
    assert answer.headers["X-Request-ID"] == answer.request_id
    assert started["meta"]["event"] == "request.started"
    assert completed["meta"]["event"] == "request.completed"
    assert completed["message"] == f"POST {completed['meta']['url']} {answer.status}"
    assert completed["trace_id"] == answer.trace_id
    assert completed["userId"] == story.user_id
    assert completed["meta"]["responseTime"] > 0


def test_logs_name_the_order(stack: Stack, story: Story) -> None:
    lines = eventually(
        lambda: stack.elasticsearch.lines(**{"meta.orderId": story.order_id}),
        within=30,
        what="lines with the order's id",
    )
    assert {story.answers["order"].trace_id, story.answers["payment"].trace_id} <= {
        line.get("trace_id") for line in lines
    }


def test_no_line_is_indexed_twice(stack: Stack, story: Story) -> None:
    for answer in story.answers.values():
        lines = eventually(
            lambda answer=answer: stack.elasticsearch.lines(requestId=answer.request_id), within=30, what="the lines"
        )
        ids = [line["eventId"] for line in lines]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("edge", EDGES, ids=lambda edge: f"{edge.parent[1]} > {edge.child[1]}")
def test_traces_have_the_edge(stack: Stack, story: Story, edge: Edge) -> None:
    trace_id = story.answers[edge.request].trace_id

    def found() -> bool:
        known = spans(stack, trace_id)
        by_id = {span["spanID"]: (span["service"], span["operationName"]) for span in known}
        return any(
            (span["service"], span["operationName"]) == edge.child
            and any(by_id.get(reference["spanID"]) == edge.parent for reference in span["references"])
            for span in known
        )

    eventually(found, within=30, what=f"{edge.child} under {edge.parent} in the trace {trace_id}")


@pytest.mark.parametrize(
    ("request_", "system"), [("order", "postgresql"), ("order", "redis"), ("payment", "postgresql")]
)
def test_traces_show_the_data_stores(stack: Stack, story: Story, request_: str, system: str) -> None:
    def systems() -> bool:
        tags = [tag for span in spans(stack, story.answers[request_].trace_id) for tag in span["tags"]]
        return any(tag["key"] == "db.system.name" and tag["value"] == system for tag in tags)

    eventually(systems, within=30, what=f"a span of {system} in the {request_}'s trace")


def test_traces_are_found_by_order_id(stack: Stack, story: Story) -> None:
    def found() -> set[str]:
        answer = stack.jaeger.get("/api/traces", service=API, tags=f'{{"order.id":"{story.order_id}"}}', limit=20)
        return {trace["traceID"] for trace in answer["data"]}

    wanted = {answer.trace_id for answer in story.answers.values()}
    eventually(lambda: wanted <= found(), within=30, what=f"both traces by order.id={story.order_id}")
