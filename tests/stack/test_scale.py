"""Three replicas of the shop beside each other, and back to one: nothing collides, nothing is lost, nobody notices."""

import json
import re
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from clients import TIMEOUT, Stack, compose, eventually
from customer import Customer
from log_proof import shipper

from ops.faults import Switches

REPLICAS = 3
REQUESTS = 40  # that none of three is asked by chance: 3 × (2/3)^40, once in four million times

# Run inside one replica, about itself: a request as a customer sends it, and its own gauges.
ASK = """
import json, re, urllib.error, urllib.request
def get(path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:3000{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""
metrics = get("/metrics")[1]
print(json.dumps({
    "status": get("/api/v1/users/me")[0],
    "active_users": float(re.search("^active_users (.+)$", metrics, re.M)[1]),
}))
"""
NOT_LOGGED_IN = 401


def containers() -> dict[str, str]:
    """The id of each running container, by its name."""
    listed = (json.loads(line) for line in compose("ps", "--format", "json").splitlines())
    return {container["Name"]: container["ID"] for container in listed}


def scale(replicas: int) -> None:
    """What docs/guides/machines.md says."""
    compose("up", "--detach", "--no-recreate", "--scale", f"app={replicas}", "app")


def healthy() -> int:
    listed = (json.loads(line) for line in compose("ps", "app", "--format", "json").splitlines())
    return sum(container["Health"] == "healthy" for container in listed)


def targets(stack: Stack) -> list[str]:
    """The addresses of the replicas that Prometheus scrapes now, with success."""
    found = stack.prometheus.get("/api/v1/targets", scrapePool="ecommerce-app", state="active")["data"]["activeTargets"]
    return [target["labels"]["instance"] for target in found if target["health"] == "up"]


@dataclass
class Visitor:
    """Asks for the catalogue again and again, from a thread of its own, with ids that can be found again."""

    shop: str
    marker: str = field(default_factory=lambda: uuid.uuid4().hex)
    sent: int = 0
    refused: list[Any] = field(default_factory=list)
    pause: float = 0.05
    _end: threading.Event = field(default_factory=threading.Event)

    def visit(self) -> None:
        """One request."""
        headers = {"X-Request-ID": f"{self.marker}-{self.sent}"}
        self.sent += 1
        try:
            answer = requests.get(f"{self.shop}/api/v1/products?limit=1", headers=headers, timeout=TIMEOUT)
            if answer.status_code != requests.codes.ok:
                self.refused.append((answer.status_code, answer.text[:200]))
        except requests.RequestException as error:
            self.refused.append(error)

    def keep_visiting(self) -> None:
        """Until `end`."""
        while not self._end.wait(self.pause):
            self.visit()

    def end(self) -> None:
        """No more visits."""
        self._end.set()


def lines_of(stack: Stack, marker: str) -> dict[str, set[str]]:
    """The requests whose lines have arrived, by the host that wrote them."""
    body = {
        "size": 10_000,
        "_source": ["requestId", "hostname"],
        "query": {"prefix": {"requestId": {"value": marker}}},
    }
    found: dict[str, set[str]] = {}
    for hit in stack.elasticsearch.search("ecommerce-logs-*", body)["hits"]["hits"]:
        found.setdefault(hit["_source"]["hostname"], set()).add(hit["_source"]["requestId"])
    return found


def ask_replica(number: int) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(compose("exec", "-T", "--index", str(number), "app", "python", "-ISc", ASK))
    return answer


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    return containers()


@pytest.fixture(scope="module")
def three(stack: Stack, before: dict[str, str]) -> Iterator[Stack]:
    """The stack with three replicas; with one again afterwards, whatever happens."""
    assert len([name for name in before if "-app-" in name]) == 1
    try:
        scale(REPLICAS)
        eventually(lambda: healthy() == REPLICAS, within=60, what="three healthy replicas")
        yield stack
    finally:
        scale(1)


def test_nothing_else_is_made_anew(three: Stack, before: dict[str, str]) -> None:  # noqa: ARG001 - the replicas run
    now = containers()
    assert before.items() <= now.items(), "a container that was there is another one now"
    assert sorted(name.rsplit("-", 2)[1] for name in now.keys() - before.keys()) == ["app", "app"]


def test_prometheus_scrapes_all_three(three: Stack) -> None:
    eventually(lambda: len(targets(three)) == REPLICAS, within=60, what="three targets that answer", every=1)


def test_all_three_serve_and_the_lines_of_all_three_arrive(three: Stack) -> None:
    visitor = Visitor(three.shop.url)

    def hosts() -> dict[str, set[str]]:
        """The gateway learns of a new replica within five seconds."""
        for _ in range(REQUESTS):
            visitor.visit()
        found = lines_of(three, visitor.marker)
        return found if len(found) == REPLICAS else {}

    eventually(hosts, within=40, what="lines of three hosts", every=1)
    assert not visitor.refused
    wanted = {f"{visitor.marker}-{number}" for number in range(visitor.sent)}
    eventually(
        lambda: set().union(*lines_of(three, visitor.marker).values()) == wanted,
        within=30,
        what=f"the lines of all {len(wanted)} requests",
    )
    # grep -H: each line after the name of its file
    found = compose(
        "exec", "-T", shipper(), "sh", "-c", f"cd /var/log/ecommerce; grep -H {visitor.marker} combined*.log"
    )
    written = set(re.findall(r'^([^:]+):.*"hostname":"([^"]+)"', found, re.MULTILINE))
    assert len({file for file, _ in written}) == len({host for _, host in written}) == len(written) == REPLICAS, written


def test_who_is_active_is_counted_over_all_of_them(three: Stack) -> None:
    for _ in range(REPLICAS):
        Customer(three.shop)

    def counts() -> set[float]:
        return {ask_replica(number)["active_users"] for number in range(1, REPLICAS + 1)}

    # each looks every five seconds; between two looks a customer may come
    agreed = eventually(lambda: found if len(found := counts()) == 1 else set(), within=40, what="one count", every=1)
    assert agreed.pop() >= REPLICAS


def test_a_fault_switch_reaches_all_of_them(three: Stack) -> None:
    switches = Switches(three.shop.url, three.secret("faults"))

    def statuses() -> list[int]:
        return [ask_replica(number)["status"] for number in range(1, REPLICAS + 1)]

    assert statuses() == [NOT_LOGGED_IN] * REPLICAS
    with switches.fault("errors", seconds=30, route="/api/v1/users/me"):
        eventually(lambda: statuses() == [500] * REPLICAS, within=10, what="the fault in every replica")
    eventually(lambda: statuses() == [NOT_LOGGED_IN] * REPLICAS, within=10, what="the fault gone from every replica")


def test_back_to_one_without_a_failed_request_or_a_lost_line(three: Stack, before: dict[str, str]) -> None:
    visitor = Visitor(three.shop.url)
    visits = threading.Thread(target=visitor.keep_visiting)
    visits.start()
    try:
        time.sleep(2)
        scale(1)
        time.sleep(6)  # the gateway knows the two that are gone for five seconds
    finally:
        visitor.end()
        visits.join()
    assert visitor.sent > 100
    assert not visitor.refused
    assert containers() == before, "the first replica stays as it was"
    eventually(lambda: len(targets(three)) == 1, within=60, what="one target", every=1)
    wanted = {f"{visitor.marker}-{number}" for number in range(visitor.sent)}
    eventually(
        lambda: set().union(*lines_of(three, visitor.marker).values()) == wanted,
        within=30,
        what=f"the lines of all {len(wanted)} requests",
    )
