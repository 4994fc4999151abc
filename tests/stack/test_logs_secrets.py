"""No planted secret is in any file, stream or index: fifty, through real requests and through the library."""

import base64
import json
import secrets
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from clients import ROOT, TIMEOUT, Stack, compose, eventually
from customer import Customer
from log_proof import shipper

SCRIPT = ROOT / "tests/stack/plant_secrets.py"
BY_LIBRARY = 20


def password() -> str:
    return f"Hunter2{secrets.token_hex(8)}"


def card() -> str:
    """A card number nobody else uses: random, with a right check digit."""
    digits = "4" + "".join(secrets.choice("0123456789") for _ in range(14))
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[::-2])
    return digits + str(-(doubled + sum(map(int, digits[-2::-2]))) % 10)


def jwt() -> str:
    parts = [{"alg": "HS256"}, {"sub": secrets.token_hex(6)}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, secrets.token_urlsafe(16)])


def basic() -> str:
    return base64.b64encode(f"user:{password()}".encode()).decode()


@dataclass(frozen=True)
class Request:
    """One request to the shop that carries a secret."""

    make: Callable[[], str]
    method: str = "GET"
    path: str = "/api/v1/products"
    headers: str = ""  # "name: value", {} is the secret
    body: str = ""


LOGIN, REGISTER, PAY = "/api/v1/sessions", "/api/v1/users", "/api/v1/orders/none/payment"
REQUESTS = {
    "bearer token": Request(password, path="/api/v1/users/me", headers="Authorization: Bearer {}"),
    "jwt as bearer token": Request(jwt, path="/api/v1/users/me", headers="Authorization: Bearer {}"),
    "basic login": Request(basic, path="/api/v1/users/me", headers="Authorization: Basic {}"),
    "proxy's login": Request(basic, headers="Proxy-Authorization: Basic {}"),
    "cookie": Request(password, headers="Cookie: visit=1; session={}"),
    "api key": Request(password, headers="X-API-Key: {}"),
    "token in the referer": Request(password, headers="Referer: https://shop.test/?token={}"),
    "password as request id": Request(password, headers="X-Request-ID: password={}"),
    "password in the baggage": Request(password, headers="baggage: password={}"),
    "token as client address": Request(password, headers="X-Forwarded-For: token={}"),
    "password in the agent": Request(password, headers="User-Agent: app/1 password={}"),
    "bearer token in the agent": Request(password, headers="User-Agent: curl Authorization: Bearer {}"),
    "card in the agent": Request(card, headers="User-Agent: phone {} x"),
    "token in the query": Request(password, path="/api/v1/products?token={}"),
    "password in the query": Request(password, path="/api/v1/products?q=x&password={}&limit=2"),
    "access token in the query": Request(password, path="/api/v1/products?access_token={}"),
    "api key in the query": Request(password, path="/api/v1/products?api_key={}"),
    "jwt in the query": Request(jwt, path="/api/v1/products?q={}"),
    "card in the query": Request(card, path="/api/v1/products?q={}"),
    "card in the path": Request(card, path="/api/v1/products/{}"),
    "jwt in the path": Request(jwt, path="/api/v1/orders/{}"),
    "password in an unknown path": Request(password, path="/wp-login.php?log=admin&pwd={}"),
    "secret in an unknown path": Request(password, path="/reset/secret={}"),
    "token of the fault switches": Request(password, "PUT", "/internal/faults/errors", "Authorization: Bearer {}", "x"),
    "wrong password": Request(password, "POST", LOGIN, body='{{"email": "a@example.com", "password": "{}"}}'),
    "password in a list": Request(password, "POST", LOGIN, body='{{"email": "a@example.com", "password": ["{}"]}}'),
    "password beside a wrong email": Request(password, "POST", LOGIN, body='{{"email": 1, "password": "{}"}}'),
    "password in broken JSON": Request(password, "POST", LOGIN, body='{{"email": "a@example.com", "password": "{}'),
    "password without a name": Request(password, "POST", REGISTER, body='{{"email": "a@", "password": "{}"}}'),
    "unknown secret field": Request(password, "POST", REGISTER, body='{{"email": "a@", "client_secret": "{}"}}'),
    "card of a stranger": Request(card, "POST", PAY, body='{{"card_number": "{}", "expiry": "12/30", "cvc": "123"}}'),
    "card as a number": Request(card, "POST", PAY, body='{{"card_number": {}}}'),
}


@dataclass(frozen=True)
class Planted:
    """The secrets, and a word planted beside them that must be found wherever they must not."""

    values: dict[str, str]
    marker: str
    since: float
    output: str

    def found_in(self, text: str) -> list[str]:
        return [name for name, value in self.values.items() if value in text]


def send(stack: Stack, name: str, request: Request) -> str:
    """Send a request; the secret it carried."""
    secret = request.make()
    headers = {}
    if request.headers:
        key, _, value = request.headers.format(secret).partition(": ")
        headers[key] = value
    if request.body:
        headers["Content-Type"] = "application/json"
    answer = stack.shop.session.request(
        request.method,
        stack.shop.url + request.path.format(secret),
        data=request.body.format(secret) or None,
        headers=headers,
        timeout=TIMEOUT,
    )
    assert answer.status_code < 500, name
    return secret


@pytest.fixture(scope="module")
def planted(stack: Stack) -> Planted:
    since, marker = time.time() - 1, f"marker{uuid.uuid4().hex}"
    values = {name: send(stack, name, request) for name, request in REQUESTS.items()}
    # a customer's own: password, token and a card that is declined
    customer = Customer(stack.shop)
    values["token of a login"] = customer.token
    values["card that paid"] = card()
    order = customer.order()
    assert customer.pay(order.body["id"], values["card that paid"]).status in {200, 402}
    values["token of the notifier"] = password()
    requests.post(
        f"{stack.url('notifier', 9095)}/api/v1/alertmanager",
        headers={"Authorization": f"Bearer {values['token of the notifier']}"},
        json={},
        timeout=TIMEOUT,
    )
    by_library = {f"by the library {number}": (card, password)[number % 3 > 0]() for number in range(BY_LIBRARY)}
    with SCRIPT.open() as script:
        done = subprocess.run(
            [
                *("docker", "compose", "run", "--rm", "-T", "--no-deps", "-e", "LOG_CONSOLE=json"),
                *("app", "python", "-", json.dumps(by_library), marker),
            ],
            cwd=ROOT,
            stdin=script,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    stack.shop.session.get(f"{stack.shop.url}/api/v1/products", params={"q": marker}, timeout=TIMEOUT)
    return Planted(values | by_library, marker, since, done.stdout + done.stderr)


def test_fifty_are_planted(planted: Planted) -> None:
    assert len(set(planted.values.values())) == len(planted.values) >= 50


def folders(stack: Stack, service: str) -> list[str]:
    """Where a service keeps what it reads and writes, queues and notes too: its volumes, less that of its secrets."""
    mounts = stack.config["services"][service]["volumes"]
    targets = {mount["target"] for mount in mounts if mount["type"] == "volume"} - {"/run/secrets"}
    assert "/var/log/ecommerce" in targets
    return sorted(targets)


def test_none_is_in_a_file(stack: Stack, planted: Planted) -> None:
    patterns = "\n".join([planted.marker, *planted.values.values()])
    for service in ("app", shipper()):
        # 1 is grep's "nothing found"
        command = f"grep -rahoF -f - {' '.join(folders(stack, service))} | sort -u"
        found = set(compose("exec", "-T", service, "sh", "-c", command, stdin=patterns).split())
        assert found == {planted.marker}, [name for name, value in planted.values.items() if value in found]


def test_none_is_in_a_stream(planted: Planted) -> None:
    assert planted.marker in planted.output
    assert planted.found_in(planted.output) == []
    since = str(int(planted.since))
    streams = compose("logs", "--no-color", "--no-log-prefix", "--since", since)
    assert planted.marker in streams
    assert planted.found_in(streams) == []


def pages(stack: Stack, since: float) -> Iterator[str]:
    """Every document since then, of logs and then of traces, as text."""
    yield from scrolled(stack, "ecommerce-logs-*", "@timestamp", since)
    yield from scrolled(stack, "jaeger-span-*", "startTimeMillis", since)


def scrolled(stack: Stack, index: str, time_field: str, since: float) -> Iterator[str]:
    """Every document of an index since then, as text."""
    elasticsearch = stack.elasticsearch
    after = {"range": {time_field: {"gte": int(since * 1000)}}}
    answer = elasticsearch.session.post(
        f"{elasticsearch.url}/{index}/_search",
        params={"scroll": "1m"},
        json={"size": 1000, "query": after},
        auth=elasticsearch.auth,
        timeout=30,
    )
    while True:
        assert answer.ok, answer.text
        body: dict[str, Any] = answer.json()
        if not body["hits"]["hits"]:
            return
        yield answer.text
        answer = elasticsearch.session.post(
            f"{elasticsearch.url}/_search/scroll",
            json={"scroll": "1m", "scroll_id": body["_scroll_id"]},
            auth=elasticsearch.auth,
            timeout=30,
        )


def test_none_is_in_an_index(stack: Stack, planted: Planted) -> None:
    def spans_and_lines() -> tuple[str, str]:
        """The documents since then that name the marker: none of one kind, and nothing was looked at."""
        texts = [text for text in pages(stack, planted.since) if planted.marker in text]
        spans = "".join(text for text in texts if '"startTimeMillis"' in text)
        lines = "".join(text for text in texts if '"eventId"' in text)
        return (spans, lines) if spans and lines else ("", "")

    eventually(lambda: all(spans_and_lines()), within=60, what="the marker in a span and in a line", every=2)
    time.sleep(3)  # for what was written beside it
    assert planted.found_in("".join(pages(stack, planted.since))) == []


def test_none_is_in_a_metric(stack: Stack, planted: Planted) -> None:
    page = stack.shop.session.get(f"{stack.shop.url}/metrics", timeout=TIMEOUT)
    assert "http_requests_total" in page.text
    assert planted.found_in(page.text) == []
