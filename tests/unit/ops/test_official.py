"""The verification on official images: where it can run, what it counts, and where it writes that."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops import dotenv, engine, official, python, registry
from ops.console import OpsError
from ops.shell import ROOT

TABLE = """
not yet | is no cell of a table, | not yet
| | stand-ins | official images |
| --- | --- | --- |
| shop | every run, not yet | not yet |
| Grafana | files | 2026-01-02: 3 ✓ 1 ✗ |
| Debian's Prometheus has no web UI | | |
"""


def report(folder: Path, **counts: int) -> Path:
    path = folder / "official.xml"
    attributes = " ".join(f'{name}="{number}"' for name, number in counts.items())
    path.write_text(f'<testsuites><testsuite name="pytest" {attributes}/></testsuites>')
    return path


@pytest.fixture
def checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A README and a report of its own, and an engine whose registry answers."""
    for name in ("REGISTRY", "LIGHT"):
        monkeypatch.setenv(name, "")  # so that what is set on the way is undone
        monkeypatch.delenv(name)
    monkeypatch.setattr(dotenv.setting, "__defaults__", (tmp_path / ".env",))
    monkeypatch.setattr(official, "READMES", (tmp_path / "README.md", tmp_path / "README.zh-CN.md"))
    monkeypatch.setattr(official, "REPORT", tmp_path / "official.xml")
    monkeypatch.setattr(engine, "ensure", lambda: None)
    monkeypatch.setattr(registry, "problem", lambda _repository, _prefix: None)
    (tmp_path / "README.md").write_text(TABLE, encoding="utf-8")
    return tmp_path


def test_without_a_registry_it_says_so(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "problem", lambda _repository, _prefix: "no such host")
    with pytest.raises(OpsError, match=r"^Docker Hub does not answer \(no such host\): no official image to verify\n"):
        official.verify()
    assert (checkout / "README.md").read_text(encoding="utf-8") == TABLE


@pytest.mark.parametrize(
    ("code", "counts", "result"),
    [
        (0, {"tests": 1500, "failures": 0, "errors": 0, "skipped": 4}, "1496 ✓"),
        (1, {"tests": 1500, "failures": 2, "errors": 1, "skipped": 4}, "1493 ✓ 3 ✗"),
        # the stack did not start, and only tests that need none were chosen
        (1, {"tests": 10, "failures": 0, "errors": 0, "skipped": 0}, "10 ✓ 1 ✗"),
    ],
)
def test_date_and_result_stand_in_the_table(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, code: int, counts: dict[str, int], result: str
) -> None:
    seen = {}

    def test(*options: str) -> int:
        seen.update(registry=os.environ["REGISTRY"], light=os.environ["LIGHT"], options=options)
        report(checkout, **counts)
        return code

    monkeypatch.setenv("REGISTRY", "packages/")  # this checkout's, until now
    monkeypatch.setenv("LIGHT", "1")
    monkeypatch.setattr(python, "test", test)
    assert official.verify() == code
    assert seen == {"registry": "", "light": "", "options": (f"--junitxml={checkout / 'official.xml'}",)}
    written = (checkout / "README.md").read_text(encoding="utf-8")
    assert [line.split(" | ")[-1][10:] for line in written.splitlines() if line.startswith(("| shop", "| Graf"))] == [
        f": {result} |"
    ] * 2
    assert written.count("not yet") == TABLE.count("not yet") - 1, "no more than that cell"


def test_a_mirror_of_the_persons_own_is_asked(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (checkout / ".env").write_text("REGISTRY=mirror.example/\n")
    asked = []
    monkeypatch.setattr(registry, "problem", lambda *what: asked.append(what) or "no route")
    with pytest.raises(OpsError, match=r"^mirror\.example does not answer \(no route\)"):
        official.verify()
    assert asked == [("prom/node-exporter", "mirror.example/")]


@pytest.mark.usefixtures("checkout")
def test_tests_that_never_ran_are_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "test", lambda *_: 1)
    with pytest.raises(OpsError, match="nothing is written down"):
        official.verify()


def test_the_readme_has_the_table() -> None:
    for path in official.READMES:
        assert not path.exists() or official._CELL.search(path.read_text(encoding="utf-8")), path.name


def test_a_dead_engine_is_one_message() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ops", "verify-official"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "DOCKER_HOST": "unix:///nonexistent.sock"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("✗ make verify-official: no Docker engine answers at DOCKER_HOST")
