"""The books: a thousand scripted orders of every outcome, and every place that counts them agrees, one by one.

PostgreSQL is what happened; Prometheus, Elasticsearch, Jaeger and the payment gateway's own store must say the same of
every order: nothing more, nothing less.
"""

import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from clients import Stack, eventually
from counters import read, wait_for_scrape
from shelf import left
from stories import CREATE, DECLINE, DECLINE_AGAIN, PAY, SOLD_OUT, STORIES, Step, Told, tell_all

PAGE = 200  # traces


@dataclass(frozen=True)
class Count:
    """The totals at a moment when nothing happens."""

    transitions: Counter[str]
    metrics: dict[str, float]
    charges: Counter[str]


@dataclass
class Books:
    """What was done, and the totals around it."""

    told: list[Told]
    begin: float  # Unix seconds
    end: float
    before: Count
    after: Count
    transitions: Counter[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.transitions = Counter(
            (told.order_id, told.step.becomes) for told in self.told if told.order_id and told.step.becomes
        )

    def times(self, *steps: Step) -> int:
        """How often these steps were taken."""
        return sum(told.step in steps for told in self.told)

    def grown(self, metric: str) -> float:
        """The exact difference of a counter, over all replicas."""
        return self.after.metrics[f"sum({metric})"] - self.before.metrics[f"sum({metric})"]


METRICS = (
    *(
        f'orders_total{{status="{status}"}}'
        for status in ("created", "paid", "completed", "cancelled", "payment_failed")
    ),
    *(f'payments_total{{result="{result}"}}' for result in ("successful", "declined", "error")),
    *(f'gateway_charges_total{{status="{status}"}}' for status in ("approved", "declined")),
    "order_value_cents_count",
    "order_value_cents_sum",
    "order_notifications_total",
    "stock_shortages_total",
    "payment_duration_seconds_count",
)


def count(stack: Stack) -> Count:
    """Take the totals between two looks at PostgreSQL that are alike: orders that nobody paid lapse by themselves."""

    def transitions() -> Counter[str]:
        rows = stack.postgres.rows("SELECT status, count(*) FROM order_transitions GROUP BY status")
        return Counter({status: int(number) for status, number in rows})

    def settled() -> Count | None:
        before = transitions()
        wait_for_scrape(stack.prometheus, "orders_total", "gateway_charges_total")
        metrics = read(stack.prometheus, (f"sum({metric})" for metric in METRICS))
        rows = stack.gateway.rows("SELECT status, count(*) FROM charges GROUP BY status")
        now = Count(before, metrics, Counter({status: int(number) for status, number in rows}))
        return now if transitions() == before else None

    found = eventually(settled, within=180, what="a moment without a transition")
    assert found
    return found


@pytest.fixture(scope="module")
def books(stack: Stack, shoppers_off: None) -> Books:  # noqa: ARG001 - a fixture takes no mark
    before = count(stack)
    begin = time.time()
    with left(stack, 0) as sold_out:
        told = tell_all(stack, sold_out)
    end = time.time()
    return Books(told, begin, end, before, count(stack))


def quoted(order_ids: set[str]) -> str:
    return ",".join(f"'{order_id}'" for order_id in order_ids) or "NULL"


def test_a_thousand_stories_were_told(books: Books) -> None:
    assert sum(STORIES.values()) == 1000
    assert len(books.told) == sum(len(story) * times for story, times in STORIES.items())
    assert {status for _, status in books.transitions} == {
        "created",
        "paid",
        "completed",
        "cancelled",
        "payment_failed",
    }


def test_postgresql_holds_what_was_told(stack: Stack, books: Books) -> None:
    orders = {order_id for order_id, _ in books.transitions}
    rows = stack.postgres.rows(f"SELECT order_id, status FROM order_transitions WHERE order_id IN ({quoted(orders)})")
    assert Counter((order_id, status) for order_id, status in rows) == books.transitions
    last = {told.order_id: told.step.becomes for told in books.told if told.step.becomes}
    now = stack.postgres.rows(f"SELECT id, status FROM orders WHERE id IN ({quoted(orders)})")
    assert dict(now) == last


def test_orders_total_counts_each_transition_once(books: Books) -> None:
    """Of everybody: what lapses meanwhile is counted, too."""
    for status in ("created", "paid", "completed", "cancelled", "payment_failed"):
        in_postgresql = books.after.transitions[status] - books.before.transitions[status]
        assert books.grown(f'orders_total{{status="{status}"}}') == in_postgresql, status
        told = sum(becomes == status for _, becomes in books.transitions)
        assert in_postgresql == told or (status == "cancelled" and in_postgresql > told), status


def test_the_money_is_counted_to_the_fen(stack: Stack, books: Books) -> None:
    created = {order_id for order_id, status in books.transitions if status == "created"}
    [[cents]] = stack.postgres.rows(f"SELECT sum(total_cents) FROM orders WHERE id IN ({quoted(created)})")
    assert books.grown("order_value_cents_count") == len(created) == books.times(CREATE)
    assert books.grown("order_value_cents_sum") == int(cents)
    assert books.grown("order_notifications_total") == len(created)
    assert books.grown("stock_shortages_total") == books.times(SOLD_OUT)


def test_the_gateway_charged_what_the_shop_counts(stack: Stack, books: Books) -> None:
    approved, declined = books.times(PAY), books.times(DECLINE, DECLINE_AGAIN)
    orders = quoted({order_id for order_id, _ in books.transitions})
    rows = stack.postgres.rows(f"SELECT status, count(*) FROM payments WHERE order_id IN ({orders}) GROUP BY status")
    assert {status: int(number) for status, number in rows} == {"approved": approved, "declined": declined}
    for result, status, number in (("successful", "approved", approved), ("declined", "declined", declined)):
        assert books.grown(f'payments_total{{result="{result}"}}') == number
        assert books.grown(f'gateway_charges_total{{status="{status}"}}') == number
        assert books.after.charges[status] - books.before.charges[status] == number
    assert books.grown('payments_total{result="error"}') == 0
    assert books.grown("payment_duration_seconds_count") == approved + declined


def test_elasticsearch_has_a_line_for_each_transition(stack: Stack, books: Books) -> None:
    span = {"gte": int(books.begin * 1000), "lte": int(books.end * 1000), "format": "epoch_millis"}
    query = {"bool": {"filter": [{"term": {"logger": "shop.orders.service"}}, {"range": {"@timestamp": span}}]}}

    def lines() -> Counter[tuple[str, str]]:
        found = stack.elasticsearch.search(
            "ecommerce-logs-*", {"size": 10_000, "query": query, "track_total_hits": True}
        )
        metas = [hit["_source"]["meta"] for hit in found["hits"]["hits"]]
        assert found["hits"]["total"]["value"] == len(metas), "more lines than one search gives"
        return Counter((meta["orderId"], meta["status"]) for meta in metas)

    eventually(
        lambda: (books.transitions - lines()).total() == 0, within=60, every=2, what="a line for each transition"
    )
    time.sleep(3)  # time for what must not come
    others = lines() - books.transitions  # of older orders, that lapse by themselves
    order_ids = {order_id for order_id, _ in others}
    lapsed = stack.postgres.rows(
        f"SELECT order_id, status FROM order_transitions WHERE order_id IN ({quoted(order_ids)})"
    )
    assert others - Counter((order_id, status) for order_id, status in lapsed) == Counter()
    assert not order_ids & {order_id for order_id, _ in books.transitions}


def test_jaeger_has_a_span_for_each_request(stack: Stack, books: Books) -> None:
    expected = {told.answer.trace_id: (told.step.span, told.order_id) for told in books.told if told.step.span}
    found: dict[str, list[tuple[str, str | None]]] = {}

    def traces(operation: str, begin: int, end: int) -> None:
        """All of one operation's traces, page by page: a page that is full is parted. Times are microseconds."""
        page = stack.jaeger.get(
            "/api/traces", service="ecommerce-api", operation=operation, start=begin, end=end, limit=PAGE
        )["data"]
        if len(page) < PAGE:
            for trace in page:
                found[trace["traceID"].zfill(32)] = [
                    (
                        span["operationName"],
                        next((tag["value"] for tag in span["tags"] if tag["key"] == "order.id"), None),
                    )
                    for span in trace["spans"]
                    if span["operationName"] in {"createOrder", "processPayment"}
                ]
            return
        half = (begin + end) // 2
        traces(operation, begin, half)
        traces(operation, half, end)

    def all_traces() -> bool:
        found.clear()
        slices = 1 + int((books.end - books.begin) // 5)
        edges = [
            int((books.begin + (books.end - books.begin) * part / slices) * 1_000_000) for part in range(slices + 1)
        ]
        for operation in ("createOrder", "processPayment"):
            for begin, end in pairwise(edges):
                traces(operation, begin, end)
        return found.keys() >= expected.keys()

    eventually(all_traces, within=90, every=3, what="a trace for each request")
    assert found.keys() == expected.keys()
    refused = set()
    for trace_id, (operation, order_id) in expected.items():
        [(name, tagged)] = found[trace_id]  # one span, not none and not two
        assert name == operation
        if order_id is None:
            refused.add(tagged)
        else:
            assert tagged == order_id
    assert len(refused) == books.times(SOLD_OUT)
    in_postgresql = f"SELECT count(*) FROM orders WHERE id IN ({quoted({str(order_id) for order_id in refused})})"
    assert stack.postgres.rows(in_postgresql) == [["0"]], "an order that was refused is there nevertheless"
