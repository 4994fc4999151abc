"""Clients of the running stack: each speaks the product's own public interface, as its users do."""

import fcntl
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import requests

from ops.shell import BUILD

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")
TIMEOUT = 10  # seconds a product may take to answer one question


def compose(*arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
    """Run `docker compose` on this checkout's project and return what it printed.

    Raises:
        AssertionError: it failed; the message holds its own words.
    """
    done = subprocess.run(
        ["docker", "compose", *arguments],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"docker compose {' '.join(arguments)}: {done.stderr.strip()}"
    return done.stdout


def eventually(look: Callable[[], T], *, within: float, what: str, every: float = 0.5) -> T:
    """Look until the answer is truthy and return it; fail with what was looked for and the last answer.

    A question that could not be asked (connection refused while a product restarts) counts as not yet.
    """
    deadline = time.monotonic() + within
    last: object = None
    while True:
        try:
            answer = look()
            if answer:
                return answer
            last = answer
        except (requests.RequestException, AssertionError, KeyError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within:.0f} s; last seen: {last!r:.500}")
        time.sleep(every)


@contextmanager
def elasticsearch_kept(*, alone: bool = False) -> Iterator[None]:
    """Keep whoever stops Elasticsearch waiting; `alone`: be the one, and wait for those that keep it."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "elasticsearch.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


@dataclass(frozen=True)
class Http:
    """One product's HTTP address."""

    url: str
    auth: tuple[str, str] | None = None
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str, **parameters: Any) -> Any:
        """GET a JSON answer; any status of 400 or more raises."""
        answer = self.session.get(self.url + path, params=parameters, auth=self.auth, timeout=TIMEOUT)
        answer.raise_for_status()
        return answer.json()


class Prometheus(Http):
    """https://prometheus.io/docs/prometheus/latest/querying/api/."""

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """Instant query, now or at a Unix time; each element has `metric` and `value` ([seconds, string])."""
        asked = {"query": expression} | ({} if at is None else {"time": str(at)})
        answer = self.session.post(self.url + "/api/v1/query", data=asked, timeout=TIMEOUT)
        assert answer.ok, f"{expression}: {answer.text}"
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def value(self, expression: str) -> float | None:
        """The one number an expression gives, or None when it gives none."""
        result = self.query(expression)
        assert len(result) <= 1, f"{expression} gives {len(result)} series"
        return float(result[0]["value"][1]) if result else None


class Elasticsearch(Http):
    """https://www.elastic.co/docs/api/doc/elasticsearch/."""

    def search(self, index: str, body: dict[str, Any]) -> dict[str, Any]:
        """One search; raises on an error status."""
        answer = self.session.post(f"{self.url}/{index}/_search", json=body, auth=self.auth, timeout=TIMEOUT)
        assert answer.ok, answer.text
        result: dict[str, Any] = answer.json()
        return result

    def lines(self, **terms: str) -> list[dict[str, Any]]:
        """Every log line whose fields equal the terms, oldest first (1,000 at most)."""
        body = {
            "size": 1000,
            "sort": [{"@timestamp": "asc"}],
            "query": {"bool": {"filter": [{"term": {name: value}} for name, value in terms.items()]}},
        }
        return [hit["_source"] for hit in self.search("ecommerce-logs-*", body)["hits"]["hits"]]


class Jaeger(Http):
    """https://www.jaegertracing.io/docs/2.13/architecture/apis/, the JSON API its own UI uses."""

    def trace(self, trace_id: str) -> dict[str, Any] | None:
        """One trace with its `spans` and `processes`, or None when it is not known (yet)."""
        answer = self.session.get(f"{self.url}/api/traces/{trace_id}", timeout=TIMEOUT)
        if answer.status_code == requests.codes.not_found:
            return None
        answer.raise_for_status()
        traces: list[dict[str, Any]] = answer.json()["data"]
        return traces[0] if traces else None


class Postgres:
    """psql inside the database's own container, as an operator would."""

    def rows(self, sql: str) -> list[list[str]]:
        """Every row of one statement, each a list of texts."""
        out = compose("exec", "-T", "postgres", "psql", "-U", "shop", "-d", "shop", "-At", "-F", "\t", "-c", sql)
        return [line.split("\t") for line in out.splitlines()]


class Gateway:
    """The payment gateway's own book, read inside its container: its API gives one charge at a time."""

    def rows(self, sql: str) -> list[list[str]]:
        """Every row of one statement, each a list of texts."""
        read = (
            "import json, os, sqlite3, sys;"
            "book = sqlite3.connect(os.environ['PAYMENTS_GATEWAY_DATABASE']);"
            "print(json.dumps([[str(value) for value in row] for row in book.execute(sys.argv[1])]))"
        )
        rows: list[list[str]] = json.loads(compose("exec", "-T", "payments-gateway", "python", "-c", read, sql))
        return rows


class Stack:
    """The stack of this checkout, by the addresses its own compose file publishes."""

    @cached_property
    def config(self) -> dict[str, Any]:
        """The compose file as the engine sees it, variables filled in."""
        config: dict[str, Any] = json.loads(compose("config", "--format", "json"))
        return config

    def secret(self, name: str) -> str:
        """One line of `.secrets/`."""
        return (ROOT / ".secrets" / name).read_text(encoding="utf-8").strip()

    def url(self, service: str, port: int) -> str:
        """Where a container's port is published on this machine."""
        for published in self.config["services"][service].get("ports", []):
            if published["target"] == port:
                return f"http://{published['host_ip']}:{published['published']}"
        raise AssertionError(f"docker-compose.yml publishes no port {port} of {service}")

    @cached_property
    def shop(self) -> Http:
        return Http(self.url("portal", 3000))

    @cached_property
    def prometheus(self) -> Prometheus:
        return Prometheus(self.url("prometheus", 9090))

    @cached_property
    def alertmanager(self) -> Http:
        return Http(self.url("alertmanager", 9093))

    @cached_property
    def elasticsearch(self) -> Elasticsearch:
        return Elasticsearch(self.url("elasticsearch", 9200), auth=("elastic", self.secret("elastic")))

    @cached_property
    def jaeger(self) -> Jaeger:
        return Jaeger(self.url("jaeger", 16686))

    @cached_property
    def mail(self) -> Http:
        return Http(self.url("mailpit", 8025))

    @cached_property
    def postgres(self) -> Postgres:
        return Postgres()

    @cached_property
    def gateway(self) -> Gateway:
        return Gateway()
