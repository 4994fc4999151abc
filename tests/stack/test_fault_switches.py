"""Every fault switch on the running stack: it changes the series that it should, where it should, only while it is on.

Two groups, each of faults that do not hide each other. Nobody else asks the shop for anything: the numbers are exact.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dashboards
import pytest
import requests
from clients import TIMEOUT, Stack, compose, elasticsearch_kept, eventually
from counters import read, wait_for_scrape
from customer import Customer

from ops.faults import FAULTS, Switches

FOLLOW = 1.5  # seconds until every replica has a switch's news
CART, ME, ORDERS, PAGE = "/api/v1/cart", "/api/v1/users/me", "/api/v1/orders", "/api/v1/products/{product_id}"

CALLS: dict[str, dict[str, Any]] = {
    "errors": {"route": CART, "share": 0.5},
    "latency": {"route": ME, "delay": 0.7},
    "payment_declines": {},
    "slow_queries": {"route": ORDERS, "delay": 1.2},
    "cache_loss": {"route": PAGE},
    "orders_stopped": {},
}
CALLS_SECONDS = 30.0
# Full for the shortest time: what ends meanwhile could not say so. Memory stays far from the container's limit.
PROCESS = {"log_volume_full": 10.0, "memory_growth": 16.0, "pool_exhaustion": 26.0}


@dataclass(frozen=True)
class Effect:
    """By how much a series must grow while the same things are asked, without the fault and with it."""

    fault: str
    series: str
    off: tuple[float, float]
    on: tuple[float, float]

    def __str__(self) -> str:
        return f"{self.fault} {self.series}"


CARTS, MES, PAYMENTS, LISTS, PAGES, CREATED = 40, 5, 3, 2, 10, 3
FEW = (8, 32)  # half of 40, by chance: beyond it once in ten thousand runs
EFFECTS = (
    Effect("errors", f'http_requests_total{{route="{CART}",status_code="500"}}', (0, 0), FEW),
    Effect("errors", f'http_requests_total{{route!="{CART}",status_code="500"}}', (0, 0), (0, 0)),
    Effect("latency", f'http_request_duration_seconds_sum{{route="{ME}"}}', (0, 3), (MES * 0.7, 30)),
    Effect("latency", f'http_response_time_seconds_bucket{{route="{ME}",le="0.7"}}', (1, MES), (0, 0)),
    Effect("payment_declines", 'payments_total{result="declined"}', (0, 0), (PAYMENTS, PAYMENTS)),
    Effect("payment_declines", 'payments_total{result="successful"}', (PAYMENTS, PAYMENTS), (0, 0)),
    Effect("payment_declines", 'orders_total{status="payment_failed"}', (0, 0), (PAYMENTS, PAYMENTS)),
    Effect("slow_queries", 'db_slow_queries_total{model="other",operation="select"}', (0, 0), (LISTS, LISTS)),
    Effect("cache_loss", "cache_misses_total", (0, 2), (PAGES, PAGES)),
    Effect("cache_loss", "cache_hits_total", (PAGES - 2, PAGES), (0, 0)),
    Effect("orders_stopped", 'orders_total{status="created"}', (CREATED, CREATED), (0, 0)),
    Effect("orders_stopped", f'http_requests_total{{route="{ORDERS}",status_code="503"}}', (0, 0), (CREATED, CREATED)),
)


@pytest.fixture(scope="module")
def switches(stack: Stack) -> Iterator[Switches]:
    made = Switches(stack.shop.url, stack.secret("faults"))
    made.clear()
    yield made
    made.clear()


def wait_until_over(stack: Stack) -> None:
    """By themselves: nobody clears them."""

    def over() -> bool:
        wait_for_scrape(stack.prometheus, "fault_active")
        return stack.prometheus.value("max(fault_active)") == 0

    eventually(over, within=90, what="the faults end by themselves")


@dataclass(frozen=True)
class Group:
    """What was measured of a group of faults: before, while they ran, and after."""

    begin: float  # Unix seconds
    end: float
    before: dict[str, float]
    during: dict[str, float]
    after: dict[str, float]


@pytest.fixture(scope="module")
def calls(stack: Stack, shoppers_off: None, switches: Switches) -> Group:  # noqa: ARG001 - a fixture takes no mark
    """The faults that hit calls, all at once, each on a route of its own where it could be confused with another."""
    # the last scrape may be from a fault of an earlier test
    eventually(lambda: not stack.prometheus.query("fault_active > 0"), within=30, what="no fault in Prometheus's eyes")
    begin = time.time()
    customer = Customer(stack.shop)
    products = customer.request("GET", "/products?limit=100").body["items"]
    # ordering forgets the page of what is ordered
    looked_at, ordered = [product["id"] for product in products if product["available"]][:2]
    unpaid = [customer.order(ordered).body["id"] for _ in range(3 * PAYMENTS)]
    jobs: list[Callable[[Customer], object]] = [
        lambda who: [who.request("GET", "/cart") for _ in range(CARTS)],
        lambda who: [who.request("GET", "/users/me") for _ in range(MES)],
        lambda who: [who.pay(unpaid.pop()) for _ in range(PAYMENTS)],
        lambda who: [who.request("GET", "/orders") for _ in range(LISTS)],
        lambda who: [who.request("GET", f"/products/{looked_at}") for _ in range(PAGES)],
        lambda who: [who.order(ordered) for _ in range(CREATED)],
    ]
    expressions = [f"sum({effect.series})" for effect in EFFECTS]

    def grown() -> dict[str, float]:
        """How much each series grows while a customer does the same things."""
        start = read(stack.prometheus, expressions)
        with ThreadPoolExecutor(len(jobs)) as pool:
            list(pool.map(lambda job: job(customer.elsewhere()), jobs))
        wait_for_scrape(stack.prometheus, "orders_total")
        end = read(stack.prometheus, expressions)
        return {effect.series: end[name] - start[name] for effect, name in zip(EFFECTS, expressions, strict=True)}

    wait_for_scrape(stack.prometheus, "orders_total")
    before = grown()
    for name, options in CALLS.items():
        switches.start(name, seconds=CALLS_SECONDS, **options)
    time.sleep(FOLLOW)
    during = grown()
    wait_until_over(stack)
    return Group(begin, time.time(), before, during, grown())


@pytest.mark.parametrize("effect", EFFECTS, ids=str)
def test_a_fault_of_calls_changes_its_series_only_while_it_is_on(calls: Group, effect: Effect) -> None:
    lowest, highest = effect.off
    assert lowest <= calls.before[effect.series] <= highest, "before"
    assert lowest <= calls.after[effect.series] <= highest, "after"
    lowest, highest = effect.on
    assert lowest <= calls.during[effect.series] <= highest, "while it is on"


POOL_LEAST = "min(database_connections / database_max_connections)"
POOL_MOST = "max(database_connections / database_max_connections)"
MEMORY = 'min(max_over_time(process_resident_memory_bytes{job="ecommerce-app"}[25s])) / 1048576'
DROPPED = 'sum(log_lines_dropped_total{job="ecommerce-app",reason="write_error"})'
BUSY = f'sum(http_requests_total{{route="{ORDERS}",status_code="503"}})'
LINES = 10  # that are written while the volume is full, at least


@dataclass(frozen=True)
class Process(Group):
    """Of the faults that hit a whole process, with the requests made while they ran, and one after."""

    unwritten: list[str]
    written: str


@pytest.fixture(scope="module")
def process(stack: Stack, shoppers_off: None, switches: Switches) -> Process:  # noqa: ARG001 - a fixture takes no mark
    """The faults that hit a whole process, all at once."""
    customer = Customer(stack.shop)
    levels = (POOL_LEAST, POOL_MOST, MEMORY, DROPPED, BUSY)

    def values() -> dict[str, float]:
        wait_for_scrape(stack.prometheus, "orders_total")
        return read(stack.prometheus, levels)

    before = values()
    begin = time.time()
    for name, seconds in PROCESS.items():
        switches.start(name, seconds=seconds)
    time.sleep(FOLLOW)
    # refused before the database is asked
    unwritten = [customer.request("POST", "/sessions", {}).request_id for _ in range(LINES // 2)]
    answer = requests.get(
        stack.shop.url + ORDERS,
        headers={"Authorization": f"Bearer {customer.token}"},
        timeout=PROCESS["pool_exhaustion"],
    )
    assert answer.status_code == requests.codes.service_unavailable
    assert answer.json()["type"] == "urn:ecommerce:problem:service-busy"
    wait_for_scrape(stack.prometheus, "orders_total")
    during = read(stack.prometheus, levels)
    wait_until_over(stack)
    end = time.time()
    assert customer.request("GET", "/orders").status == requests.codes.ok
    written = customer.request("POST", "/sessions", {}).request_id
    time.sleep(
        max(0.0, begin + PROCESS["memory_growth"] + 28 - time.time())
    )  # until its time is out of MEMORY's window
    return Process(begin, end, before, during, values(), unwritten, written)


@pytest.fixture(scope="module", autouse=True)
def elasticsearch_stays(calls: Group, process: Process) -> Iterator[None]:
    """Only now: what was measured so far is not in Elasticsearch, so that another may stop it meanwhile."""
    assert calls.end < process.begin
    with elasticsearch_kept():
        yield


def test_pool_exhaustion_takes_every_connection(process: Process) -> None:
    assert process.before[POOL_MOST] < 0.5
    assert process.during[POOL_LEAST] == 1
    assert process.after[POOL_MOST] < 0.5
    assert process.during[BUSY] == process.after[BUSY] == process.before[BUSY] + 1


def test_memory_growth_takes_memory_and_gives_it_back(process: Process) -> None:
    assert process.during[MEMORY] - process.before[MEMORY] > 40
    assert process.after[MEMORY] - process.before[MEMORY] < 30


def test_log_volume_full_loses_no_line_but_to_the_files(stack: Stack, process: Process) -> None:
    assert process.during[DROPPED] - process.before[DROPPED] >= LINES
    assert process.after[DROPPED] == process.during[DROPPED]
    eventually(lambda: stack.elasticsearch.lines(requestId=process.written), within=30, what="the line of afterwards")
    on_stderr = compose("logs", "--no-log-prefix", "--since", f"{int(process.begin)}", "app")
    for request_id in process.unwritten:
        assert stack.elasticsearch.lines(requestId=request_id) == []
        assert request_id in on_stderr


def fault_lines(stack: Stack, event: str, group: Group) -> list[dict[str, Any]]:
    """The lines that say that faults have started, or ended."""
    span = {"gte": int(group.begin * 1000), "lte": int(group.end * 1000), "format": "epoch_millis"}
    query = {
        "bool": {
            "filter": [
                {"term": {"meta.event": event}},
                {"range": {"@timestamp": span}},
            ]
        }
    }
    found = stack.elasticsearch.search("ecommerce-logs-*", {"size": 1000, "query": query})
    return [hit["_source"] for hit in found["hits"]["hits"]]


@pytest.mark.parametrize("name", FAULTS)
def test_a_line_says_that_it_starts_and_one_that_it_ends(
    stack: Stack, calls: Group, process: Process, name: str
) -> None:
    """On each replica, once; and between them is the time that was asked for."""
    replicas = stack.prometheus.value(f'count(fault_active{{fault="{name}"}})')
    asked, seconds = CALLS.get(name, {}), PROCESS.get(name, CALLS_SECONDS)
    group = process if name in PROCESS else calls

    def lines(event: str) -> list[dict[str, Any]]:
        return [line for line in fault_lines(stack, event, group) if line["meta"]["name"] == name]

    eventually(lambda: len(lines("fault.ended")) == replicas, within=30, what=f"the line that {name} has ended")
    started, ended = lines("fault.started"), lines("fault.ended")
    assert len(started) == replicas
    assert {line["level"] for line in started + ended} == {"WARN"}
    assert all(asked.items() <= line["meta"].items() for line in started)
    for host in {line["hostname"] for line in started}:
        [first], [last] = ([line for line in lines if line["hostname"] == host] for lines in (started, ended))
        took = (datetime.fromisoformat(last["timestamp"]) - datetime.fromisoformat(first["timestamp"])).total_seconds()
        assert seconds - 1.5 < took < seconds + 5


def test_a_fault_is_drawn_over_the_panels_while_it_runs(stack: Stack, calls: Group) -> None:
    """The dashboards' annotation, by the query that they are shipped with."""
    [expression] = {
        annotation["expr"]
        for board in dashboards.dashboards().values()
        for annotation in board["annotations"]["list"]
        if "fault_active" in annotation["expr"]
    }
    drawn = stack.prometheus.get("/api/v1/query_range", query=expression, start=calls.begin, end=calls.end, step="5s")[
        "data"
    ]["result"]
    times = {series["metric"]["fault"]: [float(at) for at, _ in series["values"]] for series in drawn}
    assert times.keys() >= CALLS.keys()
    for name in CALLS:
        assert CALLS_SECONDS - 15 <= max(times[name]) - min(times[name]) <= CALLS_SECONDS + 15


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}], ids=["no token", "a wrong token"])
def test_without_the_token_nothing_is_switched(stack: Stack, switches: Switches, header: dict[str, str]) -> None:
    url = f"{stack.shop.url}/internal/faults"
    for method, path in (("GET", ""), ("PUT", "/errors"), ("DELETE", "/errors")):
        answer = requests.request(method, url + path, headers=header, json={}, timeout=TIMEOUT)
        assert answer.status_code == requests.codes.unauthorized
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert switches.running() == []


def test_a_fault_can_be_ended_by_hand(stack: Stack, switches: Switches) -> None:
    customer = Customer(stack.shop)
    switches.start("errors", seconds=600, route=ME)
    time.sleep(FOLLOW)
    assert customer.request("GET", "/users/me").status == requests.codes.internal_server_error
    switches.clear("errors")
    time.sleep(FOLLOW)
    assert customer.request("GET", "/users/me").status == requests.codes.ok
    assert switches.running() == []
