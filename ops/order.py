"""Places one real order over HTTP and times its way into metrics, logs and traces."""

import base64
import http
import http.client
import json
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ops import secrets as passwords
from ops.console import OpsError, item
from ops.urls import address

_ANSWER_SECONDS = 10.0
_ARRIVAL_SECONDS = 60.0  # metrics take the longest: scraped every 10 s
_POLL_SECONDS = 0.25


class RefusedError(OSError):
    """The shop, or a product, answered and said no."""

    def __init__(self, what: str, status: int, said: str) -> None:
        super().__init__(f"{what} answered {status}: {said}")
        self.status = status


@dataclass(frozen=True)
class Placed:
    """An order, and what to look for."""

    order_id: str
    request_id: str  # of the payment, as is the trace's
    trace_id: str
    prometheus_time: float | None  # Unix seconds by Prometheus's own clock, after the payment
    at: float  # monotonic seconds


def ask(url: str, body: Any = None, headers: dict[str, str] | None = None, *, method: str | None = None) -> Any:
    """Ask for JSON, by POST when there is a body. Raises OSError or ValueError when there is no good answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - our own addresses
        url, data, {"Content-Type": "application/json", **(headers or {})}, method=method
    )
    try:
        # never through a proxy: these are this machine's own ports
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_ANSWER_SECONDS) as answer:
            return None if answer.status == http.HTTPStatus.NO_CONTENT else json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(500).decode(errors="replace")
        raise RefusedError(f"{request.get_method()} {url}", error.code, said) from error
    except http.client.HTTPException as error:
        raise OSError(f"{request.get_method()} {url}: {error!r}") from error


def follow(resolved: dict[str, Any]) -> None:
    """Place an order, print after how many seconds it stood in each place; raise OpsError where it does not arrive."""
    shop = address(resolved, "portal", 3000)
    if shop is None:
        raise OpsError("docker-compose.yml publishes no port of the shop", "restore the ports of portal")
    prometheus, jaeger, elasticsearch = (
        address(resolved, service, port)
        for service, port in (("prometheus", 9090), ("jaeger", 16686), ("elasticsearch", 9200))
    )
    try:
        placed = place(shop, prometheus)
    except (OSError, ValueError, KeyError) as error:
        raise OpsError(
            "the shop took no order",
            "docker compose logs app payments-gateway",
            repr(error) if isinstance(error, KeyError) else str(error),
        ) from error
    item(f"order {placed.order_id}, paid; trace {placed.trace_id}")
    looks: dict[str, tuple[Callable[[], bool], str]] = {}
    if prometheus and placed.prometheus_time:
        since = placed.prometheus_time
        looks["metrics (Prometheus)"] = (lambda: in_metrics(prometheus, since), "docker compose logs prometheus")
    if elasticsearch:
        looks["logs (Elasticsearch)"] = (
            lambda: in_logs(elasticsearch, placed.request_id),
            "docker compose logs elasticsearch, and of the shipper: rsyslog or logstash",
        )
    if jaeger:
        looks["traces (Jaeger)"] = (lambda: in_traces(jaeger, placed.trace_id), "docker compose logs jaeger")
    _wait_for(looks, placed.at)


def place(shop: str, prometheus: str | None) -> Placed:
    """Register, log in, choose a product, order and pay: what a customer does."""
    api = f"{shop}/api/v1"
    email, password = f"make-up-{secrets.token_hex(6)}@example.com", secrets.token_urlsafe(12)
    ask(f"{api}/users", {"email": email, "password": password, "name": "make up"})
    token = ask(f"{api}/sessions", {"email": email, "password": password})["token"]
    login = {"Authorization": f"Bearer {token}"}
    order_id = _order(api, login)
    request_id, trace_id = uuid.uuid4().hex, secrets.token_hex(16)
    marked = {
        **login,
        "Idempotency-Key": uuid.uuid4().hex,
        "X-Request-ID": request_id,
        "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
    }
    card = {"card_number": "4242424242424242", "expiry": "12/40", "cvc": "123"}  # the gateway's approved test card
    ask(f"{api}/orders/{order_id}/payment", card, marked)
    at = time.monotonic()
    since = float(ask(f"{prometheus}/api/v1/query?query=time()")["data"]["result"][0]) if prometheus else None
    return Placed(order_id, request_id, trace_id, since, at)


def _order(api: str, login: dict[str, str]) -> str:
    """Order one piece of the first product that is really there: the list is seconds old, and customers are busy."""
    products = ask(f"{api}/products?limit=100", headers=login)["items"]
    for product in products:
        if product["available"]:
            wanted = {"items": [{"product_id": product["id"], "quantity": 1}]}
            try:
                return str(ask(f"{api}/orders", wanted, {**login, "Idempotency-Key": uuid.uuid4().hex})["id"])
            except RefusedError as error:
                if error.status != http.HTTPStatus.CONFLICT:
                    raise
    raise OSError(f"none of {len(products)} products is in stock: make clean starts with full shelves")


def in_metrics(prometheus: str, since: float) -> bool:
    """Tell whether every replica was scraped after the payment, and paid orders are counted.

    Only what Prometheus scrapes now counts: series of containers that are gone stand in its answers for five minutes.
    """
    replicas = ask(f"{prometheus}/api/v1/targets?state=active&scrapePool=ecommerce-app")["data"]["activeTargets"]
    paid = 'orders_total{status="paid"}'
    fresh = f"timestamp({paid}) > {since}"
    query = f"count({fresh}) and sum({paid} and {fresh}) > 0"
    found = ask(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}")["data"]["result"]
    return bool(replicas and found) and int(found[0]["value"][1]) >= len(replicas)


def in_logs(elasticsearch: str, request_id: str) -> bool:
    """Tell whether a line of the payment can be found by its request id."""
    user = base64.b64encode(f"reader:{passwords.read('elasticsearch_reader')}".encode()).decode()
    query = {"query": {"term": {"requestId": request_id}}}
    found = ask(f"{elasticsearch}/ecommerce-logs-*/_search", query, {"Authorization": f"Basic {user}"})
    return bool(found["hits"]["hits"])


def in_traces(jaeger: str, trace_id: str) -> bool:
    """Tell whether the payment's trace is there."""
    return bool(ask(f"{jaeger}/api/traces/{trace_id}")["data"])


def _wait_for(looks: dict[str, tuple[Callable[[], bool], str]], since: float) -> None:
    waiting = dict(looks)
    last: dict[str, str] = {}
    while waiting:
        for place_, (look, _) in list(waiting.items()):
            try:
                if look():
                    del waiting[place_]
                    item(f"✓ in {place_:<22}{time.monotonic() - since:>5.1f} s")
            except (OSError, ValueError, KeyError) as error:
                last[place_] = str(error)
        if waiting and time.monotonic() - since > _ARRIVAL_SECONDS:
            raise OpsError(
                f"after {_ARRIVAL_SECONDS:.0f} s the order is not in {', '.join(waiting)}",
                "; ".join(remedy for _, remedy in waiting.values()),
                "\n".join(last[place_] for place_ in waiting if place_ in last),
            )
        time.sleep(_POLL_SECONDS)
