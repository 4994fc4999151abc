"""Lines written in bulk by write_lines.py, and what Elasticsearch holds of them."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from clients import ROOT, Elasticsearch, compose, eventually

SCRIPT = ROOT / "tests/stack/write_lines.py"
PAGE = 5_000


@dataclass(frozen=True)
class Writer:
    """A container of the app's image that writes lines into the folder all services log to."""

    run: str
    process: "subprocess.Popen[str]"

    @property
    def logger(self) -> str:
        """The name all its lines carry."""
        return f"proof.{self.run}"

    def report(self, within: float = 60) -> dict[str, Any]:
        """Wait for its end; what the library counted."""
        output, errors = self.process.communicate(timeout=within)
        assert self.process.returncode == 0, errors
        assert "Traceback" not in errors, errors
        report: dict[str, Any] = json.loads(output.splitlines()[-1])
        return report


@contextmanager
def writing(kind: str, count: int, rate: float) -> Iterator[Writer]:
    """Let `count` lines be written at `rate` a second, beside the shop; whatever happens, none is left running."""
    run = secrets.token_hex(4)
    name = f"log-proof-{run}"
    # not --use-aliases: Prometheus finds the shop's replicas by that name
    command = ["docker", "compose", "run", "--rm", "-T", "--no-deps", "--name", name, "-e", "LOG_CONSOLE=off"]
    with SCRIPT.open() as script:
        process = subprocess.Popen(
            [*command, "app", "python", "-", run, kind, str(count), str(rate)],
            cwd=ROOT,
            stdin=script,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        yield Writer(run, process)
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
        process.kill()
        process.communicate()


def assert_rate(report: dict[str, Any], rate: float) -> None:
    """The lines were written as fast as promised. A writer that was held up catches up, so the mean is what counts."""
    reached = report["written"] / report["seconds"]
    assert reached >= rate * 0.95, f"{reached:.0f} lines a second were written, not {rate:.0f}"


def shipper() -> str:
    """The log shipper that runs: one of the two."""
    running = set(compose("ps", "--status", "running", "--services").split())
    (name,) = running & {"rsyslog", "logstash"}
    return name


def healthy(*services: str, within: float = 180) -> None:
    """Wait until they run and are well."""

    def all_well() -> bool:
        states = {
            entry["Service"]: entry["Health"] or entry["State"]
            for entry in map(json.loads, compose("ps", "--format", "json").splitlines())
        }
        assert all(states.get(service) == "healthy" for service in services), states
        return True

    eventually(all_well, within=within, what=f"{', '.join(services)} healthy", every=1)


def count(elasticsearch: Elasticsearch, query: dict[str, Any], index: str = "ecommerce-logs-*") -> int:
    """How many documents match, those still to be refreshed included."""
    answer = elasticsearch.session.post(
        f"{elasticsearch.url}/{index}/_count", json={"query": query}, auth=elasticsearch.auth, timeout=30
    )
    assert answer.ok, answer.text
    return int(answer.json()["count"])


def arrived(elasticsearch: Elasticsearch, writer: Writer, wanted: int, *, silence: float = 150) -> int:
    """Wait until `wanted` lines are there, or none more came for `silence` seconds; how many there are.

    The silence is long because Elasticsearch may be starting, which takes a busy machine a minute and more.
    """
    last = -1

    def more() -> bool:
        nonlocal last
        found = count(elasticsearch, {"term": {"logger": writer.logger}})
        grown, last = found > last, max(found, last)
        return grown

    while last < wanted:
        try:
            eventually(more, within=silence, what="more lines", every=1)
        except AssertionError:
            break
    return last


def documents(elasticsearch: Elasticsearch, logger: str, fields: list[str]) -> Iterator[dict[str, Any]]:
    """Every document of a logger: `_index`, `_id` and, in `fields`, what the index itself made of them."""
    after: list[Any] | None = None
    while True:
        body: dict[str, Any] = {
            "size": PAGE,
            "_source": False,
            "query": {"term": {"logger": logger}},
            "fields": fields,
            "sort": ["eventId"],
            "track_total_hits": False,
        }
        if after:
            body["search_after"] = after
        hits = elasticsearch.search("ecommerce-logs-*", body)["hits"]["hits"]
        yield from hits
        if len(hits) < PAGE:
            return
        after = hits[-1]["sort"]
