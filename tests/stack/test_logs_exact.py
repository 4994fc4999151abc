"""Every line once, whatever stops: exactly as many documents as lines, each under its day, with its types."""

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clients import Stack, compose, elasticsearch_kept
from log_proof import Writer, arrived, assert_rate, count, documents, healthy, shipper, writing

FIELDS = ["message", "timestamp", "level", "_ignored"]
USERS = "/usr/share/elasticsearch/config/users"
RATE = 1_000.0


@pytest.fixture(scope="module", autouse=True)
def elasticsearch_stays() -> Iterator[None]:
    """It does not."""
    with elasticsearch_kept(alone=True):
        yield


@pytest.fixture
def restored(stack: Stack) -> Iterator[Stack]:
    """The stack, well again afterwards whatever was stopped."""
    name = shipper()
    yield stack
    compose("start", "elasticsearch", name, timeout=300)
    know_everybody()
    healthy("elasticsearch", "elasticsearch-exporter", "jaeger", name)


def engine(verb: str, service: str) -> None:
    """Do something to a service's container; docker alone, for compose waits until what the service needs is well."""
    container = compose("ps", "--all", "--quiet", service).strip()
    subprocess.run(["docker", verb, container], check=True, capture_output=True, timeout=120)


def killed(service: str, seconds: float) -> None:
    """Kill a service and start it again."""
    engine("kill", service)
    time.sleep(seconds)
    engine("start", service)


def stopped(service: str, seconds: float) -> None:
    """Stop a service in order, and start it again."""
    engine("stop", service)
    time.sleep(seconds)
    engine("start", service)


def refusing(seconds: float) -> None:
    """Let Elasticsearch answer every request of the shipper with an error, as it does to a wrong password."""
    compose("exec", "-T", "elasticsearch", "sh", "-c", f"grep -v ^shipper: {USERS} >/tmp/users; cp /tmp/users {USERS}")
    time.sleep(seconds)
    know_everybody()


def know_everybody() -> None:
    """Give Elasticsearch back all its users; it looks at the file every five seconds."""
    compose("exec", "-T", "elasticsearch", "cp", "/run/secrets/elasticsearch_users", USERS)


def timetable(*steps: tuple[float, Callable[[], None]]) -> threading.Thread:
    """Take each step at its second, beside the test."""

    def run() -> None:
        began = time.monotonic()
        for second, step in steps:
            time.sleep(max(0.0, began + second - time.monotonic()))
            step()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def check(stack: Stack, writer: Writer, lines: int, report: dict[str, Any]) -> None:
    """Hold every document to the line with its number."""
    midnight = datetime.fromtimestamp(report["midnight"], UTC)
    seen: Counter[int] = Counter()
    wrong = []
    days: Counter[str] = Counter()
    for hit in documents(stack.elasticsearch, writer.logger, FIELDS):
        fields = hit["fields"]
        number = int(fields["message"][0].removeprefix("Line "))
        seen[number] += 1
        days[hit["_index"]] += 1
        at = datetime.fromisoformat(fields["timestamp"][0])
        if hit["_index"] != f"ecommerce-logs-{at:%Y.%m.%d}" or fields["level"] != [level(number)]:
            wrong.append(hit)
        if number % 10 == 5 and at != midnight + timedelta(milliseconds=number // 10 % 1000 - 500):
            wrong.append(hit)
        if "_ignored" in fields:
            wrong.append(hit)
    missing = sorted(set(range(lines)) - set(seen))
    twice = [number for number, times in seen.items() if times > 1]
    assert (len(missing), missing[:20], twice[:20], wrong[:3]) == (0, [], [], [])
    assert len(seen) == lines
    # half of the lines at midnight belong to the day before
    assert days[f"ecommerce-logs-{midnight - timedelta(days=1):%Y.%m.%d}"] == sum(
        number % 10 == 5 and number // 10 % 1000 < 500 for number in range(lines)
    )
    check_types(stack, writer, lines)


def level(number: int) -> str:
    """The level that write_lines.py gives a line."""
    if number % 10 == 5:
        return "INFO"
    return "ERROR" if number % 20 == 0 else "WARN" if number % 7 == 0 else "INFO"


def check_types(stack: Stack, writer: Writer, lines: int) -> None:
    """Ask in the ways that only the right type can answer."""
    numbers = range(lines)
    asked: dict[str, tuple[dict[str, Any], int]] = {
        "number": ({"range": {"meta.status": {"gte": 400, "lt": 450}}}, sum(200 <= n % 300 < 250 for n in numbers)),
        "fraction": ({"range": {"meta.responseTime": {"lt": 100.1}}}, sum(n / 8 < 100.1 for n in numbers)),
        "address": ({"term": {"meta.ip": "10.0.1.0/24"}}, sum(n >> 8 == 1 for n in numbers)),
        "keyword": ({"term": {"meta.route": "/api/v1/products/{product_id}"}}, lines),
        "text": ({"match": {"message": "line"}}, lines),
        "stack": ({"match_phrase": {"meta.error.stack": "Traceback"}}, sum(level(n) == "ERROR" for n in numbers)),
        "any other name": ({"term": {"meta_all.number": "7"}}, 1),
    }
    found = {
        name: count(stack.elasticsearch, {"bool": {"filter": [{"term": {"logger": writer.logger}}, query]}})
        for name, (query, _) in asked.items()
    }
    assert found == {name: wanted for name, (_, wanted) in asked.items()}


def fragments(stack: Stack, report: dict[str, Any], began: float) -> list[dict[str, Any]]:
    """What was kept as no line since then: torn out of the writer's files, or of a queue read again after a kill."""
    files = [f"/var/log/ecommerce/{name}{report['suffix']}." for name in ("combined", "error")]
    torn = {"bool": {"should": [{"prefix": {"file": file}} for file in files]}}
    # what other tests wrote is read again, too: odd lines on purpose, but whole ones
    again = [{"prefix": {"file": "/var/spool/rsyslog/again/"}}, {"term": {"reason.keyword": "not JSON"}}]
    since = {"range": {"@timestamp": {"gte": int(began * 1000)}}}
    query = {"bool": {"filter": [since], "should": [torn, {"bool": {"filter": again}}], "minimum_should_match": 1}}
    hits = stack.elasticsearch.search("ecommerce-logs-unparsed-*", {"size": 20, "query": query})["hits"]["hits"]
    return [hit["_source"] for hit in hits]


def prove(stack: Stack, lines: int, *steps: tuple[float, Callable[[], None]]) -> None:
    """Write, break, wait, compare."""
    began = time.time()
    with writing("exact", lines, RATE) as writer:
        breaking = timetable(*steps)
        try:
            report = writer.report(within=lines / RATE + 60)
        finally:
            breaking.join()
        assert (report["written"], report["dropped"]) == (lines, 0)
        assert_rate(report, RATE)
        assert len(report["files"]) == 6, "the files did not rotate often enough to lose one"
        assert arrived(stack.elasticsearch, writer, lines) == lines
        time.sleep(5)  # for what must not come: a line's second document
        check(stack, writer, lines, report)
        assert fragments(stack, report, began) == []


def test_every_line_once_while_the_shipper_is_killed_and_elasticsearch_stops(restored: Stack) -> None:
    name = shipper()
    prove(
        restored,
        100_000,
        (10, lambda: killed(name, 1)),
        (22, lambda: stopped("elasticsearch", 10)),
        (50, lambda: killed(name, 2)),  # in the midst of catching up
        (62, lambda: stopped(name, 1)),
        (70, lambda: refusing(10)),
    )


@pytest.mark.long
def test_every_line_once_when_the_files_are_gone_before_elasticsearch_is_back(restored: Stack) -> None:
    """What the shipper has read it keeps on disk: a kill in a long outage loses nothing either."""
    name = shipper()
    prove(
        restored,
        180_000,
        (5, lambda: engine("stop", "elasticsearch")),
        (100, lambda: killed(name, 2)),
        (120, lambda: engine("start", "elasticsearch")),
        (130, lambda: killed(name, 2)),
    )
