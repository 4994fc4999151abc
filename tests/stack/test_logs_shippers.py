"""rsyslog and Logstash are held to the same documents: ordinary lines, odd ones, and what is no line at all."""

import contextlib
import json
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from clients import ROOT, Stack, compose, eventually
from log_proof import shipper

TIME = "2026-11-24T10:11:12.123Z"
LINES: dict[str, dict[str, Any]] = {
    "an ordinary line": {"level": "INFO", "message": "GET / 200", "meta": {"status": 200, "ip": "10.0.0.7"}},
    "an error with its stack": {"level": "ERROR", "meta": {"error": {"type": "E", "stack": "a\n  b\n"}}},
    "any script": {"message": '订单 "已创建" \\ ¥12.50 \U0001f600', "meta": {"名字": "张三"}},
    "numbers of all sizes": {"meta": {"n": [0, -1, 1.5, 1e300, 2**53, 0.1]}},
    "a meta of the wrong types": {"meta": {"status": "many", "ip": "here", "responseTime": {"a": 1}, "error": "x"}},
    "nesting and odd names": {"meta": {"a.b": 1, "a": {"b": {"c": [{"d": None}]}}, "": "empty", "x y": True}},
    "a meta that is no object": {"meta": "text"},
    "a meta that is a list": {"meta": [1, {"a": 2}]},
    "no meta": {},
    "nothing before noon": {"timestamp": "2026-11-24T00:00:00.000Z", "meta": {}},
    "the last of the day before": {"timestamp": "2026-11-23T23:59:59.999Z", "meta": {}},
}
NOT_OURS = {
    "not JSON": "plain text of {run}",
    "a half line": '{{"timestamp": "2026-11-24T10:11:12.123Z", "message": "{run}',
    "an empty object": '{{"only": "{run}"}}',
    "no eventId": '{{"timestamp": "2026-11-24T10:11:12.123Z", "message": "{run}"}}',
    "an eventId of another form": '{{"timestamp": "2026-11-24T10:11:12.123Z", "eventId": "a b", "message": "{run}"}}',
    "no such day": '{{"timestamp": "2026-13-45T10:11:12.123Z", "eventId": "x", "message": "{run}"}}',
    "a list": '["{run}"]',
}
Written = Callable[[str], AbstractContextManager[None]]


def text(run: str) -> str:
    """A log file with every line: those of ours by number, as `logger` the run."""
    ours = [
        json.dumps(
            {"timestamp": TIME, "level": "INFO", "message": "m", **line, "eventId": f"{run}-{number}", "logger": run},
            ensure_ascii=False,
        )
        for number, line in enumerate(LINES.values())
    ]
    others = [template.format(run=run) for template in NOT_OURS.values()]
    return "\n".join([*ours, *others]) + "\n"


@contextlib.contextmanager
def by_the_running_one(content: str) -> Iterator[None]:
    """Into the folder that the running shipper reads."""
    path = f"/var/log/ecommerce/{secrets.token_hex(4)}.log"
    compose("exec", "-T", "app", "sh", "-c", f"cat >{path}", stdin=content)
    try:
        yield
    finally:
        compose("exec", "-T", "app", "rm", path)


def logstash_image() -> str | None:
    """Logstash's image, if this machine has it."""
    config = json.loads(compose("--profile", "*", "config", "--format", "json"))
    image = config["services"].get("logstash", {}).get("image")
    if image is None:
        return None
    found = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0
    return str(image) if found else None


@contextlib.contextmanager
def by_logstash(content: str, folder: Path, stack: Stack) -> Iterator[None]:
    """By a Logstash of its own beside the running shipper, with this checkout's files."""
    image = logstash_image()
    assert image
    folder.chmod(0o755)
    (folder / "combined.log").write_text(content, encoding="utf-8")
    name = f"logstash-{secrets.token_hex(4)}"
    files = ROOT / "logstash"
    started = subprocess.run(
        [
            *("docker", "run", "--detach", "--rm", "--name", name, "--network", f"{stack.config['name']}_storage"),
            *("--env", f"SHIPPER_PASSWORD={stack.secret('elasticsearch_shipper')}"),
            *("--env", "LS_JAVA_OPTS=-Xms512m -Xmx512m"),
            *("--volume", f"{files}/logstash.yml:/usr/share/logstash/config/logstash.yml:ro"),
            *("--volume", f"{files}/pipelines.yml:/usr/share/logstash/config/pipelines.yml:ro"),
            *("--volume", f"{files}/pipeline:/usr/share/logstash/pipeline:ro"),
            *("--volume", f"{folder}:/var/log/ecommerce:ro"),
            image,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert started.returncode == 0, started.stderr
    try:
        yield
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)


@pytest.fixture(params=["the one that runs", "Logstash"])
def written(request: pytest.FixtureRequest, stack: Stack, tmp_path: Path) -> Written:
    if request.param == "the one that runs":
        return by_the_running_one
    if shipper() == "logstash":
        pytest.skip("Logstash is the one that runs")
    if logstash_image() is None:
        pytest.skip("no image: logstash")
    return lambda content: by_logstash(content, tmp_path, stack)


def test_every_line_becomes_its_document(stack: Stack, written: Written) -> None:
    run = f"same{secrets.token_hex(6)}"
    found: dict[str, Any] = {}
    not_ours: list[dict[str, Any]] = []

    def all_there() -> bool:
        body = {"size": 100, "query": {"term": {"logger": run}}}
        hits = stack.elasticsearch.search("ecommerce-logs-*,-ecommerce-logs-unparsed-*", body)["hits"]["hits"]
        found.update({hit["_id"]: hit for hit in hits})
        body = {"size": 100, "query": {"match_phrase": {"message": run}}}
        not_ours[:] = [
            hit["_source"] for hit in stack.elasticsearch.search("ecommerce-logs-unparsed-*", body)["hits"]["hits"]
        ]
        return (len(found), len(not_ours)) == (len(LINES), len(NOT_OURS))

    with written(text(run)):
        # a Logstash needs a minute to start
        eventually(all_there, within=240, what=f"{len(LINES)} documents and {len(NOT_OURS)} kept as they were", every=1)
    for number, (name, line) in enumerate(LINES.items()):
        hit = found[f"{run}-{number}"]
        whole = {"timestamp": TIME, "level": "INFO", "message": "m", **line, "eventId": hit["_id"], "logger": run}
        assert hit["_source"] == {**whole, "@timestamp": whole["timestamp"]}, name
        assert hit["_index"] == f"ecommerce-logs-{whole['timestamp'][:10].replace('-', '.')}", name
    lines = [template.format(run=run) for template in NOT_OURS.values()]
    assert sorted(line["message"] for line in not_ours) == sorted(lines)
    for line in not_ours:
        assert line["file"].startswith("/var/log/ecommerce/")
        is_json = line["message"].startswith('{"') and line["message"].endswith("}")
        reason = "JSON, but not a line of ours: no usable timestamp or eventId" if is_json else "not JSON"
        assert line["reason"] == reason, line
