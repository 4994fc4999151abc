"""Each finding about a machine: what is wrong, who did it, what to do. Ports are really taken here."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops import dotenv, finding, ports, preflight
from ops.console import OpsError
from ops.finding import Finding
from ops.shell import ROOT

COMPOSE = """
services:
  app: {ports: ["127.0.0.1:${APP_PORT:-3000}:3000", "127.0.0.1:${OTHER_PORT:-4000}:4000"]}
"""


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def resolved(port: int) -> dict[str, Any]:
    published = [{"host_ip": "127.0.0.1", "published": str(port), "target": 3000}]
    return {"name": "no-such-project", "services": {"app": {"ports": published}}}


def test_a_taken_port_is_named_with_its_holder_and_a_way_out(listener: int) -> None:
    (found,) = ports.taken(resolved(listener))
    assert found.is_error
    assert f"port {listener}, which app publishes, is taken by" in found.problem
    assert f"(process {os.getpid()})" in found.problem
    assert "stop that, or take another port" in found.remedy


def test_a_free_port_is_no_finding(listener: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert list(ports.taken(resolved(port))) == []
    assert not ports.is_free("127.0.0.1", listener)


def test_a_listener_on_every_address_takes_loopback_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert not ports.is_free("127.0.0.1", server.getsockname()[1])


def test_a_port_whose_connections_are_just_closing_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # the server's end closes first and lingers in TIME_WAIT
        client.close()
    assert ports.is_free("127.0.0.1", port)


LISTENER = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


def test_another_process_is_named() -> None:
    command = [sys.executable, "-c", LISTENER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdin
        port = int(child.stdout.readline())
        assert f"process {child.pid}" in ports.holder(port)
        child.stdin.close()


def test_the_variable_of_a_port_is_found_by_default_and_by_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dotenv.setting, "__defaults__", (tmp_path / ".env",))  # this checkout's may set ports
    monkeypatch.delenv("APP_PORT", raising=False)
    monkeypatch.setenv("OTHER_PORT", "4321")
    assert ports.variable_of(3000, COMPOSE) == "APP_PORT"
    assert ports.variable_of(4321, COMPOSE) == "OTHER_PORT"
    assert ports.variable_of(4000, COMPOSE) == ""


def test_a_full_disk(tmp_path: Path) -> None:
    (found,) = preflight.disk(tmp_path, needed=2**60)
    assert found.is_error
    assert "free on the disk of" in found.problem
    assert "docker system prune" in found.remedy
    assert list(preflight.disk(tmp_path, needed=1)) == []


def test_memory_too_small_stops_and_memory_in_use_warns() -> None:
    stack = {"services": {"a": {"mem_limit": str(3 * preflight.GIB)}, "b": {"mem_limit": str(2 * preflight.GIB)}}}
    (small,) = preflight.memory(stack, preflight.GIB, preflight.GIB, started=False)
    assert small.is_error
    assert small.problem == "1.0 GiB of memory; the services need 2.5 GiB"
    (used,) = preflight.memory(stack, 16 * preflight.GIB, preflight.GIB, started=False)
    assert not used.is_error
    assert list(preflight.memory(stack, 16 * preflight.GIB, preflight.GIB, started=True)) == []
    assert list(preflight.memory(stack, 16 * preflight.GIB, 8 * preflight.GIB, started=False)) == []


def test_an_engine_without_limits_only_warns() -> None:
    (found,) = preflight.limits(has=False)
    assert not found.is_error
    assert "cannot limit memory" in found.problem
    assert list(preflight.limits(has=True)) == []


def test_a_clock_that_slept() -> None:
    (found,) = preflight.clock(1000.0, 4600.0)
    assert "-3600 s off" in found.problem
    assert list(preflight.clock(1000.0, 1003.0)) == []


def test_max_map_count_only_warns(tmp_path: Path) -> None:
    setting = tmp_path / "max_map_count"
    setting.write_text("65530\n")
    (found,) = preflight.max_map_count(setting)
    assert not found.is_error
    assert found.remedy == "sysctl -w vm.max_map_count=262144"
    setting.write_text("262144\n")
    assert list(preflight.max_map_count(setting)) == []
    assert list(preflight.max_map_count(tmp_path / "macos has none")) == []


def test_windows_line_endings_in_a_mounted_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(preflight, "ROOT", tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "bad.conf").write_bytes(b"a = 1\r\n")
    (tmp_path / "config" / "good.conf").write_bytes(b"a = 1\n")
    (tmp_path / "config" / "picture").write_bytes(b"\0\r\n")
    stack = {"services": {"a": {"volumes": [{"type": "bind", "source": str(tmp_path / "config")}, {"type": "volume"}]}}}
    (found,) = preflight.line_endings(stack)
    assert found.problem.startswith("config/bad.conf has Windows line endings")
    assert found.is_error


def test_windows_line_endings_in_what_an_image_is_built_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(preflight, "ROOT", tmp_path)
    for name in ("rsyslog/start.sh", "images/common/install", "rsyslog/.cache/start.sh", "elsewhere/start.sh"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"#!/bin/sh\r\n")
    rsyslog = {"image": "own/rsyslog:1", "build": {"context": str(tmp_path / "rsyslog")}}

    def found(registry: str) -> list[str]:
        stack = {"services": {"rsyslog": rsyslog, "redis": {"image": f"{registry}redis:8"}}}
        return [finding.problem.partition(" ")[0] for finding in preflight.line_endings(stack)]

    assert found("") == ["rsyslog/start.sh"]
    assert found("packages/") == ["images/common/install", "rsyslog/start.sh"]


@pytest.mark.parametrize("name", ["elastic", "of mine & 'yours'"])
def test_the_remedy_takes_the_line_endings_out_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.setattr(preflight, "ROOT", tmp_path)
    secret = tmp_path / ".secrets" / name
    secret.parent.mkdir()
    secret.write_bytes(b"a\\n%s $x`y`\r\nb\r\n")
    secret.chmod(0o600)
    stack = {"services": {"init": {"volumes": [{"type": "bind", "source": str(secret.parent)}]}}}
    (found,) = preflight.line_endings(stack)
    subprocess.run(["sh", "-c", found.remedy], cwd=tmp_path, check=True)
    assert secret.read_bytes() == b"a\\n%s $x`y`\nb\n"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert list(secret.parent.iterdir()) == [secret]
    assert list(preflight.line_endings(stack)) == []


def test_errors_come_together_and_warnings_do_not_stop(capsys: pytest.CaptureFixture[str]) -> None:
    warning = Finding("it is slow", "wait")
    finding.report([warning])
    assert "! it is slow\n    → wait" in capsys.readouterr().out
    with pytest.raises(OpsError, match=r"port\n  → stop"):
        finding.report([warning, Finding("port", "stop", is_error=True)])
    with pytest.raises(OpsError) as caught:
        finding.report([Finding("port", "stop", is_error=True), Finding("disk", "make room", is_error=True)])
    assert [text in str(caught.value) for text in ("2 things", "port", "→ stop", "disk", "→ make room")] == [True] * 5


def test_the_real_files_have_unix_line_endings() -> None:
    sources = [{"type": "bind", "source": str(ROOT / name)} for name in ("ops", "prometheus", "alertmanager", "portal")]
    services: dict[str, Any] = {
        "app": {"build": {"context": str(ROOT / "app")}, "volumes": sources},
        "rsyslog": {"build": {"context": str(ROOT / "rsyslog")}},
        "redis": {"image": "packages/redis:8"},
    }
    assert list(preflight.line_endings({"services": services})) == []


def test_ports_that_the_engine_lists_as_a_range_are_all_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "127.0.0.1:4317-4318->4317-4318/tcp, 127.0.0.1:16686->16686/tcp, 9090/tcp"
    monkeypatch.setattr(ports, "run", lambda _: subprocess.CompletedProcess([], 0, stdout=listed))
    assert ports._held_by_containers("label=any") == {4317, 4318, 16686}
