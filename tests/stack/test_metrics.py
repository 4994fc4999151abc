"""Every series that the shop exposes, in the real Prometheus; the snapshots and the exemplars against what it says.

`MOVES` and `MAY_REST` are the contract: a series that is added to the shop belongs in one of them.
"""

import random
import re
import string
import time
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from clients import TIMEOUT, Stack, eventually
from customer import DECLINED_CARD, Customer

JOB = 'job="ecommerce-app"'
WITHIN = 60  # seconds: a minute of traffic, in which Prometheus scrapes the shop every ten
BUSY_SECONDS = 22  # two scrapes' distance
BROWSERS = 8

HTTP_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2, 5, 10)
KNOWN_METHODS = 10  # and `_OTHER`

# Each selector must be above zero: the labels beside the name are values that traffic must have reached.
MOVES = (
    # what the process and its machine are
    *("process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes"),
    *("process_start_time_seconds", "process_open_fds", "process_max_fds", "python_info", "service_info"),
    *("python_gc_collections_total", "python_gc_objects_collected_total", "python_gc_pause_seconds_count"),
    *("event_loop_lag_seconds_count", "asyncio_tasks"),
    *(f'cpu_usage_percent{{mode="{mode}"}}' for mode in ("user", "system", "idle", "total")),
    *(f'memory_usage_bytes{{kind="{kind}"}}' for kind in ("total", "used", "free", "cached")),
    "memory_utilization_percent",
    *(f'network_traffic_bytes_per_second{{direction="{way}"}}' for way in ("rx", "tx")),
    *(f'network_traffic_packets_per_second{{direction="{way}"}}' for way in ("rx", "tx")),
    # requests
    *(f'http_requests_total{{status_code="{status}"}}' for status in ("200", "201", "402", "404")),
    *("http_request_duration_seconds_count", "http_request_duration_seconds_sum"),
    *("http_response_time_seconds_count", "http_response_time_seconds_sum", "http_requests_in_progress"),
    # database and cache
    *(f'db_query_duration_seconds_count{{operation="{word}"}}' for word in ("select", "insert", "update")),
    *(f'db_query_duration_seconds_count{{model="{table}"}}' for table in ("orders", "products", "payments", "users")),
    *("db_query_duration_seconds_sum", "database_connections", "database_max_connections"),
    *('cache_hits_total{cache_type="redis"}', 'cache_misses_total{cache_type="redis"}'),
    *(f'cache_operation_duration_seconds_count{{operation="{word}"}}' for word in ("get", "set")),
    *('cache_used{cache_type="redis"}', 'cache_capacity{cache_type="redis"}', "redis_max_connections"),
    # business
    *("active_users", "users_registered_total", "visitor_sessions_total", "order_value_cents_count"),
    *(f'orders_total{{status="{status}"}}' for status in ("created", "paid", "completed", "cancelled")),
    *('orders_total{status="payment_failed"}', "order_notifications_total", "payment_duration_seconds_count"),
    *('payments_total{result="successful"}', 'payments_total{result="declined"}'),
    *('user_logins_total{result="success"}', 'user_logins_total{result="failure"}'),
    # the other two signals
    *('log_lines_written_total{level="INFO"}', 'log_lines_written_total{level="WARN"}', "trace_spans_exported_total"),
)
MAY_REST = {
    "python_gc_objects_uncollectable_total": "an object that cannot be collected is a defect",
    "db_slow_queries_total": "no statement of a healthy shop takes a second",
    "db_query_errors_total": "the database refuses nothing",
    "cache_evictions_total": "Redis has room",
    "redis_connections": "a command lasts half a millisecond, and a scrape that meets one is chance",
    "log_lines_dropped_total": "a dropped line is a fault's own",
    "trace_spans_dropped_total": "a dropped span is a fault's own",
    "fault_active": "no fault runs",
    "stock_shortages_total": "until the customers have bought a product out",
    "gateway_charges_total": "the gateway is a process of its own here; without containers it is in the shop's",
}


@pytest.fixture(scope="module")
def busy(stack: Stack) -> None:
    """Do what moves every series once, beside what the shoppers do, and then keep the shop busy past a scrape."""
    customer = Customer(stack.shop)
    credentials = {"email": customer.email, "password": "wrong-password"}
    assert customer.request("POST", "/sessions", credentials).status == 401
    assert customer.request("GET", "/no-such-page").status == 404
    orders = [customer.order() for _ in range(3)]
    assert [order.status for order in orders] == [201] * 3
    paid, declined, unwanted = (order.body["id"] for order in orders)
    assert customer.pay(paid).status == 200
    assert customer.request("POST", f"/orders/{paid}/completion").status == 200
    assert customer.pay(declined, DECLINED_CARD).status == 402
    assert customer.request("POST", f"/orders/{unwanted}/cancellation").status == 200
    until = time.monotonic() + BUSY_SECONDS

    def look_around(number: int) -> None:
        with requests.Session() as session:
            page = 0
            while time.monotonic() < until:  # a new search each time, so that none comes out of the cache
                page += 1
                session.get(f"{stack.shop.url}/api/v1/products?q={number}-{page}", timeout=TIMEOUT)

    with ThreadPoolExecutor(BROWSERS) as pool:  # connections are in use when Prometheus looks
        list(pool.map(look_around, range(BROWSERS)))


@pytest.mark.parametrize("series", MOVES)
@pytest.mark.usefixtures("busy")
def test_series_moves(stack: Stack, series: str) -> None:
    name, _, labels = series.partition("{")
    selector = f"{name}{{{JOB},{labels or '}'}"
    # The most of the last minutes: what is in use at the moment of one scrape may be nothing.
    asked = f"max(max_over_time({selector}[3m]))"
    eventually(lambda: (stack.prometheus.value(asked) or 0) > 0, within=WITHIN, every=2, what=f"{asked} above zero")


def families(stack: Stack) -> set[str]:
    text = requests.get(f"{stack.shop.url}/metrics", timeout=TIMEOUT).text
    return set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))


@pytest.mark.usefixtures("busy")
def test_every_series_of_the_shop_is_in_the_contract(stack: Stack) -> None:
    named = {re.sub(r"_(count|sum)$", "", series.partition("{")[0]) for series in MOVES} | set(MAY_REST)
    assert named == families(stack)


@pytest.mark.parametrize("name", MAY_REST)
def test_series_at_rest_is_there_before_it_moves(stack: Stack, name: str) -> None:
    eventually(lambda: stack.prometheus.query(f"{name}{{{JOB}}}"), within=WITHIN, every=2, what=name)


@pytest.mark.parametrize(("q", "field"), [(0.95, "p95"), (0.99, "p99")])
@pytest.mark.usefixtures("busy")
def test_the_snapshots_quantile_is_prometheuss_within_one_bucket(stack: Stack, q: float, field: str) -> None:
    left_out = r"/healthz|/readyz|/metrics|/api/v1/metrics/.*|unmatched"
    buckets = f'http_request_duration_seconds_bucket{{{JOB},route!~"{left_out}"}}'

    def bucket(seconds: float) -> int:
        return bisect_left(HTTP_BOUNDS, seconds)

    def agree() -> bool:
        # The snapshot is one replica's, whichever the portal asked.
        ours = stack.shop.get("/api/v1/metrics/application")["http"]["details"][field] / 1000
        found = stack.prometheus.query(f"histogram_quantile({q}, sum by (instance, le) ({buckets}))")
        theirs = [float(series["value"][1]) for series in found]
        assert theirs
        return any(abs(bucket(ours) - bucket(other)) <= 1 for other in theirs)

    eventually(agree, within=30, every=2, what=f"{field} of the snapshot and of Prometheus")


@pytest.mark.usefixtures("busy")
def test_the_snapshots_know_what_prometheus_knows(stack: Stack) -> None:
    """Nothing that a busy shop must know is null, over HTTP as in the scrape."""
    application = stack.shop.get("/api/v1/metrics/application")
    infrastructure = stack.shop.get("/api/v1/metrics/infrastructure")
    business = stack.shop.get("/api/v1/metrics/business")
    assert not [path for path in nulls(application) if path != "http.details.success_rate"]
    assert not nulls(infrastructure)
    assert not nulls(business)


def nulls(value: Any, path: str = "") -> list[str]:
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in nulls(item, f"{path}.{key}".lstrip("."))]
    return [path] if value is None else []


@pytest.mark.usefixtures("busy")
def test_an_exemplar_is_a_request_that_jaeger_knows(stack: Stack) -> None:
    """Its trace has the server span of the exemplar's own route, and that span took as long as the exemplar says."""
    asked = f'http_request_duration_seconds_bucket{{{JOB},route="/api/v1/products",status_code="200"}}'

    def same_request() -> bool:
        answer = stack.prometheus.get("/api/v1/query_exemplars", query=asked, **last_minutes(stack, 10))
        dots = [(series["seriesLabels"], dot) for series in answer["data"] for dot in series["exemplars"]]
        dots.sort(key=lambda found: float(found[1]["timestamp"]), reverse=True)
        for labels, dot in dots[:20]:
            trace_id = dot["labels"]["trace_id"]
            assert re.fullmatch("[0-9a-f]{32}", trace_id)
            trace = stack.jaeger.trace(trace_id)
            for span in trace["spans"] if trace else []:
                tags = {tag["key"]: tag["value"] for tag in span["tags"]}
                if tags.get("http.route") == labels["route"] and tags.get("span.kind") == "server":
                    took, said = span["duration"] / 1e6, float(dot["value"])
                    assert abs(took - said) < 0.005 + said / 5, (took, said)
                    return True
        return False

    eventually(same_request, within=WITHIN, every=3, what="an exemplar whose trace Jaeger knows")


def last_minutes(stack: Stack, minutes: int) -> dict[str, float]:
    now = stack.prometheus.value("vector(time())") or 0.0
    return {"start": now - 60 * minutes, "end": now}


def test_made_up_requests_add_a_handful_of_series(stack: Stack) -> None:
    """Random paths, and random methods as far as the way there lets them through."""
    dice = random.Random(6)

    def label_sets() -> set[tuple[str, str, str]]:
        return {
            tuple(series["metric"][name] for name in ("method", "route", "status_code"))  # type: ignore[misc]
            for series in stack.prometheus.query(f"http_requests_total{{{JOB}}}")
        }

    def counted() -> float:
        return stack.prometheus.value(f'sum(http_requests_total{{{JOB},route="unmatched"}})') or 0.0

    before, unmatched = label_sets(), counted()
    arrived = 0
    with requests.Session() as session:
        for _ in range(400):
            method = dice.choice(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "MKCOL", "BREW"])
            path = "/" + "/".join("".join(dice.choices(string.ascii_letters, k=8)) for _ in range(dice.randint(1, 4)))
            answer = session.request(method, stack.shop.url + path, timeout=TIMEOUT)
            arrived += answer.status_code in {404, 405}
    assert arrived > 300
    eventually(lambda: counted() >= unmatched + arrived, within=30, every=2, what="the made-up requests in Prometheus")
    made_up = {labels for labels in label_sets() - before if labels[1] == "unmatched"}
    assert len(made_up) <= KNOWN_METHODS + 1
    assert {labels[1] for labels in label_sets() - before} <= {"unmatched"} | known_routes(stack)


def known_routes(stack: Stack) -> set[str]:
    """What the shoppers may ask for the first time meanwhile."""
    return set(stack.shop.get("/openapi.json")["paths"]) | {"/healthz", "/readyz", "/metrics", "/openapi.json"}
