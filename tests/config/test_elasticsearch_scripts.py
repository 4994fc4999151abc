"""What Elasticsearch's installer and the retention job ask for, by a curl that writes it down instead of asking."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "elasticsearch"
CURL = """#!{python}
import argparse, json, sys
parser = argparse.ArgumentParser(allow_abbrev=False)
for name in ("netrc-file", "retry", "max-time", "output", "write-out", "request", "header", "data-binary"):
    parser.add_argument("--" + name)
for name in ("silent", "show-error", "retry-connrefused"):
    parser.add_argument("--" + name, action="store_true")
parser.add_argument("url")
given = parser.parse_args()
path = given.url.removeprefix("http://elasticsearch:9200/")
body = sys.stdin.read() if given.data_binary == "@-" else ""
with open({asked!r}, "a") as asked:
    asked.write(json.dumps([given.request, path, body]) + "\\n")
status, answer = json.load(open({answers!r})).get(given.request + " " + path, [200, "{{}}"])
open(given.output, "w").write(answer)
print(status, end="")
"""


class Done(NamedTuple):
    """How a script ended, and what it asked for: method, path and body."""

    code: int
    stdout: str
    stderr: str
    asked: list[tuple[str, str, str]]

    def body(self, path: str) -> Any:
        (body,) = (body for method, to, body in self.asked if (method, to) == ("PUT", path))
        return json.loads(body)


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a script of the folder; what is asked is answered with 200 unless `answers` says otherwise."""

    def run(script: str, *args: str, answers: dict[str, tuple[int, str]], **environment: str) -> Done:
        asked, given, curl = tmp_path / "asked", tmp_path / "answers", tmp_path / "curl"
        given.write_text(json.dumps(answers))
        asked.write_text("")
        curl.write_text(CURL.format(python=sys.executable, asked=str(asked), answers=str(given)))
        curl.chmod(0o755)
        done = subprocess.run(
            ["sh", FOLDER / script, *args],
            env={
                "PATH": f"{tmp_path}:{os.defpath}",
                "TMPDIR": str(tmp_path),
                "ELASTICSEARCH_URL": "http://elasticsearch:9200",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        lines = [tuple(json.loads(line)) for line in asked.read_text().splitlines()]
        return Done(done.returncode, done.stdout, done.stderr, lines)

    return run


def names(kind: str) -> set[str]:
    return {path.stem for path in FOLDER.glob(f"{kind}/*.json")}


@pytest.mark.parametrize(("days", "age"), [("7", "7d"), ("365", "365d"), (None, "30d")])
def test_the_lifecycle_deletes_after_the_days_that_are_set(run: Run, days: str | None, age: str) -> None:
    done = run("install.sh", answers={}, **({"LOG_RETENTION_DAYS": days} if days else {}))
    assert done.code == 0, done.stderr
    assert done.body("_ilm/policy/ecommerce-logs")["policy"]["phases"] == {
        "delete": {"min_age": age, "actions": {"delete": {}}}
    }
    retention = done.body("_component_template/ecommerce-logs-retention")["template"]["settings"]
    assert retention["index.lifecycle.name"] == "ecommerce-logs"
    components, templates = names("component-templates"), names("index-templates")
    put = [path for method, path, _ in done.asked if method == "PUT"]  # what is named stands before what names it
    assert put[0] == "_ilm/policy/ecommerce-logs"
    assert set(put[1 : 1 + len(components)]) == {f"_component_template/{name}" for name in components}
    assert sorted(put[1 + len(components) :]) == sorted(f"_index_template/{name}" for name in templates)


@pytest.mark.parametrize("status", [400, 404, 405])
def test_without_lifecycle_management_nothing_names_it(run: Run, status: int) -> None:
    done = run("install.sh", answers={"GET _ilm/status": (status, "")})
    assert done.code == 0, done.stderr
    assert "elasticsearch-retention alone" in done.stdout
    assert {path for method, path, _ in done.asked if method == "PUT"} == {
        *(f"_component_template/{name}" for name in names("component-templates") - {"ecommerce-logs-retention"}),
        *(f"_index_template/{name}" for name in names("index-templates")),
    }


@pytest.mark.parametrize("asked", ["GET _ilm/status", "PUT _ilm/policy/ecommerce-logs"])
def test_a_refusal_ends_the_installer_and_is_told(run: Run, asked: str) -> None:
    done = run("install.sh", answers={asked: (503, "no master")})
    assert done.code == 1
    assert "503: no master" in done.stderr
    assert " ".join(done.asked[-1][:2]) == asked


def test_indices_are_deleted_after_the_days_that_are_set(run: Run) -> None:
    def ago(days: int, form: str) -> str:
        return f"{datetime.now(UTC) - timedelta(days=days):{form}}"

    # Not the day on the border: midnight may pass meanwhile.
    logs = {days: f"ecommerce-logs-{ago(days, '%Y.%m.%d')}" for days in (0, 6, 8, 29, 400)}
    unparsed = f"ecommerce-logs-unparsed-{ago(8, '%Y.%m.%d')}"
    spans = {days: f"jaeger-span-{ago(days, '%Y-%m-%d')}" for days in (2, 4, 8)}
    done = run(
        "delete-old-indices.sh",
        "once",
        answers={
            "GET _cat/indices/ecommerce-logs-*?h=index": (
                200,
                "\n".join([*logs.values(), unparsed, "ecommerce-logs-x"]),
            ),
            "GET _cat/indices/jaeger-*?h=index": (200, "\n".join(spans.values())),
            f"DELETE {spans[8]}": (404, ""),  # gone meanwhile
        },
        LOG_RETENTION_DAYS="7",
        TRACE_RETENTION_DAYS="3",
    )
    assert done.code == 0, done.stderr
    assert [path for method, path, _ in done.asked if method == "DELETE"] == [
        *(logs[days] for days in (8, 29, 400)),
        unparsed,
        spans[4],
        spans[8],
    ]
