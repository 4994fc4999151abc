"""A second shop, asked by nobody else: metrics and spans count the same requests, and its end costs no trace."""

import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from beside import Container, beside
from clients import Http, Stack, eventually
from customer import DECLINED_CARD, Answer, Customer
from trace_outcomes import OUTCOMES
from trace_outline import outline, spans_of

QUIET = {"/healthz", "/readyz", "/metrics"}
AT_ONCE = 8
ROUNDS = 6
LOAD_SECONDS = 5


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Iterator[Container]:
    # no housekeeping: it would be a trace that no request has made
    settings = {"HOUSEKEEPING_INTERVAL_SECONDS": "3600"}
    with beside(stack, "app", ports=[3000], environment=settings, ready="/readyz") as container:
        yield container


def at(shop: Container, customer: Customer) -> Customer:
    """The same customer, but at the second shop, which knows them too: it has the same database."""
    other = Customer.__new__(Customer)
    other.__dict__.update({**customer.__dict__, "shop": Http(shop.http(3000).url)})
    return other


def everything(customer: Customer) -> None:
    """Requests of many kinds and outcomes."""
    product = customer.any_product()
    customer.request("GET", f"/products/{product}")
    customer.request("PUT", f"/cart/items/{product}", {"quantity": 2})
    customer.request("GET", "/cart")
    order = customer.request("POST", "/orders").body["id"]
    customer.pay(order, DECLINED_CARD)
    customer.pay(order)
    customer.request("POST", f"/orders/{order}/completion")
    customer.request("GET", f"/orders/{order}")
    customer.request("GET", "/orders")
    customer.request("POST", "/orders", {"items": []})
    customer.request("GET", "/metrics/application")
    customer.request("GET", "/no/such/route")
    customer.request("DELETE", "/orders")
    for path in QUIET:
        customer.shop.session.get(customer.shop.url + path, timeout=10)


def counted_by_metrics(shop: Container) -> Counter[str]:
    """http_requests_total by what the spans would be named."""
    counts: Counter[str] = Counter()
    for line in requests.get(f"{shop.http(3000).url}/metrics", timeout=10).text.splitlines():
        if line.startswith("http_requests_total{"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            if labels["route"] not in QUIET:
                route = "" if labels["route"] == "unmatched" else f" {labels['route']}"
                counts[labels["method"] + route] += int(float(line.rsplit(" ", 1)[1]))
    return counts


def counted_by_spans(stack: Stack, instance: str) -> Counter[str]:
    """The server spans of one process, as Prometheus has them from Jaeger. `instance` is its service.instance.id."""
    of = f'service_name="ecommerce-api",span_kind="SPAN_KIND_SERVER",exported_instance="{instance}"'
    series = stack.prometheus.query(f"sum by (span_name) (traces_span_metrics_calls_total{{{of}}})")
    return Counter({found["metric"]["span_name"]: int(float(found["value"][1])) for found in series})


def test_spans_count_the_requests_that_metrics_count(stack: Stack, shop: Container) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        customers = [at(shop, Customer(Http(stack.shop.url))) for _ in range(AT_ONCE)]
        for _ in range(ROUNDS):
            list(pool.map(everything, customers))
    metrics = counted_by_metrics(shop)
    assert metrics["POST /api/v1/orders"] == 2 * AT_ONCE * ROUNDS
    assert metrics["GET"] == AT_ONCE * ROUNDS, "no route matches"

    def equal() -> bool:
        assert counted_by_spans(stack, f"{shop.hostname}-1") == metrics
        return True

    # the batch, the connector's interval (twice: a new series begins at 0), the scrape
    eventually(equal, within=75, every=2, what="the same counts from spans")


def test_stopped_under_load_it_loses_no_trace_of_what_it_answered(stack: Stack, shop: Container) -> None:
    stopping = threading.Event()
    customers = [at(shop, Customer(Http(stack.shop.url))) for _ in range(AT_ONCE)]
    products = [product["id"] for product in customers[0].request("GET", "/products?limit=50").body["items"]]

    def order_until_it_stops(customer: Customer, product: str) -> list[Answer]:
        answers: list[Answer] = []
        while True:
            try:
                answers.append(customer.order(product))
            except requests.RequestException:
                assert stopping.is_set(), "no answer before it was stopped"
                return answers

    def stop() -> None:
        threading.Event().wait(LOAD_SECONDS)
        stopping.set()
        shop.stop()

    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        stopped = pool.submit(stop)
        answers = [answer for answers in pool.map(order_until_it_stops, customers, products) for answer in answers]
        stopped.result()
    assert {answer.status for answer in answers} == {201}
    assert len(answers) > AT_ONCE
    (tree,) = OUTCOMES["created"].outlines

    def all_whole() -> bool:
        trees = Counter(outline(spans_of(trace)) if trace else "" for trace in map(trace_of, answers))
        assert set(trees) == {tree}, trees.most_common(3)
        return True

    def trace_of(answer: Answer) -> dict[str, object] | None:
        return stack.jaeger.trace(answer.trace_id)

    eventually(all_whole, within=30, every=2, what=f"{len(answers)} whole traces")
