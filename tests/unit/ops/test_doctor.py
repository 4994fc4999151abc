"""The doctor's findings: each problem with what to do about it, and silence where there is none."""

import json
import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ops import apt, compose, doctor, dotenv, mirrors
from ops.compose import Container
from ops.finding import Finding


def done(code: int, out: str = "", err: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.CompletedProcess([], code, out, err)


# ── data made under another password ─────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    for name in ("postgres", "postgres_exporter", "grafana"):
        (tmp_path / name).write_text("secret\n")
    return tmp_path


def made(seconds_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()


def test_data_that_is_younger_than_its_password_is_fine(secrets: Path) -> None:
    assert list(doctor.stale_volumes({"postgres": made(0), "grafana": made(0)}, secrets)) == []
    assert list(doctor.stale_volumes({}, secrets)) == []


def test_data_that_is_older_than_its_password_may_know_another(secrets: Path) -> None:
    os.utime(secrets / "grafana", (0, 0))
    found = list(doctor.stale_volumes({"postgres": made(3600), "grafana": made(3600)}, secrets))
    assert [finding.is_error for finding in found] == [False, False]
    assert found[0].problem.startswith(".secrets/postgres is newer than the data in the volume postgres")
    assert "make clean" in found[0].remedy


def test_data_whose_password_is_gone_stands_in_the_way(secrets: Path) -> None:
    (secrets / "grafana").unlink()
    (found,) = doctor.stale_volumes({"grafana": made(3600)}, secrets)
    assert found.is_error
    assert found.problem == "the volume grafana has data, and .secrets/grafana is gone"


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def engines_registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing set, no proxy, an engine whose registry nobody knows, a package archive on this machine."""
    for name in ("REGISTRY", *mirrors.PROXIES):
        monkeypatch.delenv(name, raising=False)
    for reader in (dotenv.setting, dotenv.read_ours):
        monkeypatch.setattr(reader, "__defaults__", (tmp_path / ".env",))
    monkeypatch.setattr(doctor, "run", lambda _: done(0, json.dumps("https://registry.invalid/v1/")))
    monkeypatch.setattr(apt, "is_debian_like", lambda: True)
    monkeypatch.setattr(apt, "archive", lambda: apt.Archive("http://localhost/debian/", ""))


@pytest.mark.usefixtures("engines_registry")
def test_a_registry_that_has_no_address() -> None:
    (found,) = doctor.names()
    assert found.problem.startswith("this machine cannot resolve registry.invalid, the engine's registry (")
    assert not found.is_error, "what is here runs without it"


@pytest.mark.usefixtures("engines_registry")
@pytest.mark.parametrize(("registry", "problems"), [("packages/", 0), ("localhost:5000/", 0), ("mirror.invalid/a/", 1)])
def test_the_registry_that_was_chosen(monkeypatch: pytest.MonkeyPatch, registry: str, problems: int) -> None:
    monkeypatch.setenv("REGISTRY", registry)
    assert len(list(doctor.names())) == problems


@pytest.mark.usefixtures("engines_registry")
def test_behind_a_proxy_names_are_the_proxys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert list(doctor.names()) == []


def test_names_within_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "run", lambda command: done("jaeger" in command[-1]))
    (found,) = doctor.inner_names(["app", "postgres", "redis", "jaeger"])
    assert found == Finding(
        "the shop cannot resolve jaeger", "make down, make up: the engine makes its networks anew", is_error=True
    )
    assert list(doctor.inner_names(["app", "postgres", "redis"])) == [], "one that does not run has no name"


# ── services ─────────────────────────────────────────────────────────────────────────────────────────────────────────
RESOLVED: dict[str, Any] = {
    "name": "shop",
    "services": {
        "setup": {"restart": "no"},
        "app": {"healthcheck": {"test": ["CMD", "true"]}},
        "redis": {"healthcheck": {"test": ["CMD", "true"]}},
    },
}
WELL = [
    Container("shop-setup-1", "setup", "exited", "", 0),
    Container("shop-app-1", "app", "running", "healthy", 0),
    Container("shop-redis-1", "redis", "running", "healthy", 0),
]


def test_a_stack_that_is_well() -> None:
    assert list(doctor.services(RESOLVED, WELL)) == []


def test_nothing_runs_is_no_error() -> None:
    (found,) = doctor.services(RESOLVED, [])
    assert (found.problem, found.remedy, found.is_error) == ("nothing runs", "make up", False)


def test_what_is_ill_is_named_with_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    log = "starting\nWRONGPASS invalid username-password pair\nbye\n"
    monkeypatch.setattr(doctor, "run", lambda _: done(0, log))
    ill = [WELL[0], WELL[1], Container("shop-redis-1", "redis", "running", "unhealthy", 0)]
    (found,) = doctor.services(RESOLVED, ill)
    assert found.problem == "redis is unhealthy: WRONGPASS invalid username-password pair"
    assert found.is_error


def test_one_that_was_never_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "run", lambda _: done(0))
    (found,) = doctor.services(RESOLVED, WELL[:2])
    assert found.problem == "redis is not started: no log"


# ── clocks ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_clock_that_slept_within_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "run", lambda _: done(0, f"{time.time() - 7200:.3f}\n"))
    (found,) = doctor.inner_clock()
    assert found.problem.startswith("the containers' clock is -7200 s off this machine's")
    monkeypatch.setattr(doctor, "run", lambda _: done(0, f"{time.time():.3f}\n"))
    assert list(doctor.inner_clock()) == []
    monkeypatch.setattr(doctor, "run", lambda _: done(1, "", "no such service"))
    assert list(doctor.inner_clock()) == [], "what cannot be asked is another finding's"


def test_the_report_counts_what_stands_in_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor._show([Finding("slow", "wait"), Finding("port taken", "stop that", is_error=True)]) == 1
    assert capsys.readouterr().out == "  ! slow\n    → wait\n  ✗ port taken\n    → stop that\n"
    assert doctor._show([]) == 0
    assert capsys.readouterr().out == "  ✓ fine\n"
    assert compose.one_shots(RESOLVED) == {"setup"}
