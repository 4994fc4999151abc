"""Where images come from, and what runs with that."""

import subprocess
from pathlib import Path

import pytest

from ops import apt, choice, dotenv, registry
from ops.console import OpsError

EVERY = ("grafana", "kibana", "logstash", "rsyslog", "edge")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("COMPOSE_PROFILES", "REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(dotenv.setting, "__defaults__", (tmp_path / ".env",))


@pytest.mark.parametrize(
    ("source", "light", "known", "profiles", "left_out"),
    [
        ("", False, EVERY, ("grafana", "kibana", "logstash"), set()),
        ("mirror.example/", False, EVERY, ("grafana", "kibana", "logstash"), set()),
        ("", True, EVERY, ("grafana", "rsyslog"), {"Kibana", "Logstash"}),
        ("packages/", False, EVERY, ("rsyslog",), {"Grafana", "Kibana", "Logstash"}),
        ("packages/", True, EVERY, ("rsyslog",), {"Grafana", "Kibana", "Logstash"}),
        ("", False, ("rsyslog",), ("rsyslog",), set()),
    ],
)
def test_one_shipper_runs_and_what_is_left_out_is_named(
    source: str,
    light: bool,  # noqa: FBT001 - a table's column
    known: tuple[str, ...],
    profiles: tuple[str, ...],
    left_out: set[str],
) -> None:
    assert choice.select(source, known, light=light)[0] == profiles
    assert set(choice.select(source, known, light=light)[1]) == left_out


def test_a_profile_of_the_persons_own_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPOSE_PROFILES", "edge, logstash")
    assert choice.select("packages/", EVERY, light=False)[0] == ("edge", "rsyslog")


def pull(script: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo v1.11.1: Pulling from prom/node-exporter; exec sleep 60", None),
        ("exit 0", None),
        (
            "echo 'Error response from daemon: Get \"https://r.example/v2/\": dial tcp: no such host'; exit 1",
            "no such host",
        ),
        ("exec sleep 60", "no answer within 1 s"),
        ("exit 1", "no reason given"),
    ],
)
def test_a_registry_answers_or_does_not(monkeypatch: pytest.MonkeyPatch, script: str, problem: str | None) -> None:
    monkeypatch.setattr(registry, "_ANSWER_SECONDS", 1)
    with pull(script) as process:
        assert registry._watch(process) == problem
        process.kill()


def test_no_network_at_all_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(apt, "is_debian_like", lambda: True)
    monkeypatch.setattr(apt, "archive", lambda: apt.Archive("http://127.0.0.1:1/debian/", ""))
    with pytest.raises(
        OpsError, match=r"no network: no image registry answers \(no such host\).*package archive.*\n.*REGISTRY="
    ):
        registry.check_network("no such host")
