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
| shop, Redis | every run, not yet | not yet |
| Grafana: files | every run | 2026-01-02: 3 ✓ 1 ✗, 2 skipped |
| Elasticsearch's lifecycle management | not in the packages | not yet |
| Logstash：管道 | 只凭它的文件 | 尚未 |
| Debian's Prometheus has no web UI | | |
"""

# A file of tests, run for real, with what pytest itself can say of one.
TESTS = """
import pytest


@pytest.fixture
def broken_afterwards():
    yield
    raise RuntimeError


def test_passes(): pass
def test_passes_too(): pass
def test_fails(): assert {fails} is False
def test_cannot_clean_up({broken}): pass
def test_skipped(): pytest.skip("no image")
"""


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


def run_tests(checkout: Path, files: dict[str, str], *options: str) -> int:
    """Let pytest run files of tests in a checkout of their own."""
    for name, text in files.items():
        path = checkout / "tests" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (checkout / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "tests"]
    return subprocess.run(command, cwd=checkout, capture_output=True, check=False).returncode


FINE, BAD = TESTS.format(fails=False, broken=""), TESTS.format(fails=True, broken="broken_afterwards")
FILES = {"unit/test_shop": FINE, "stack/test_dashboards": FINE, "config/test_grafana": FINE}


@pytest.mark.parametrize(
    ("files", "code", "results"),
    [
        (FILES, 0, ["4 ✓, 1 skipped", "8 ✓, 2 skipped", "0 ✓", "0 ✓"]),
        (
            FILES | {"stack/test_dashboards": BAD, "stack/test_logs_lifecycle": "import pytest\ndef broken("},
            1,
            ["4 ✓, 1 skipped", "6 ✓ 2 ✗, 2 skipped", "0 ✓ 1 ✗", "0 ✓"],
        ),
        # the stack did not start, and only tests that need none were chosen
        (FILES, 1, ["4 ✓ 1 ✗, 1 skipped", "8 ✓ 1 ✗, 2 skipped", "0 ✓ 1 ✗", "0 ✓ 1 ✗"]),
    ],
    ids=["fine", "failed", "no stack"],
)
def test_each_row_says_what_its_own_tests_did(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], code: int, results: list[str]
) -> None:
    seen = {}

    def test(*options: str) -> int:
        seen.update(registry=os.environ["REGISTRY"], light=os.environ["LIGHT"], options=options)
        return run_tests(checkout, files, "--continue-on-collection-errors", *options) or code

    monkeypatch.setenv("REGISTRY", "packages/")  # this checkout's, until now
    monkeypatch.setenv("LIGHT", "1")
    monkeypatch.setattr(python, "test", test)
    assert official.verify() == code
    assert seen == {"registry": "", "light": "", "options": (f"--junitxml={checkout / 'official.xml'}",)}
    before, after = TABLE.splitlines(), (checkout / "README.md").read_text(encoding="utf-8").splitlines()
    changed = [line for line, other in zip(after, before, strict=True) if line != other]
    assert [line.split(" | ")[-1][10:] for line in changed] == [f": {result} |" for result in results]
    assert [line.split(" | ")[:2] for line in changed] == [line.split(" | ")[:2] for line in before[4:8]]


def test_what_a_row_rests_on_is_there() -> None:
    for modules in official.ROWS.values():
        assert all((ROOT / f"{module.replace('.', '/')}.py").exists() for module in modules)


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


def test_the_readme_has_every_row() -> None:
    for path in official.READMES:
        if path.exists():
            rows = [row for _, row in official._CELL.findall(path.read_text(encoding="utf-8"))]
            assert sorted(rows[1:]) == sorted(official.ROWS), f"{path.name}: all else is the first row's"


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
