"""Finds a Docker engine with compose and buildx, and on Debian and Ubuntu installs what is missing."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ops import apt, diagnose
from ops.console import OpsError, ask, item, step
from ops.shell import run, tail

ENGINE_MINIMUM = (20, 10)  # the first with cgroup v2 and host-gateway; what Debian 12 has
COMPOSE_MINIMUM = (
    2,
    20,
)  # the first with health conditions that hold for one-shots, build secrets and ps as JSON lines
DOCKERD_LOG = Path("/var/log/dockerd.log")
_START_SECONDS = 60
_GUIDE = "https://docs.docker.com/engine/install/"
_PLUGIN_SUITE = "forky"  # Debian 12's own docker-compose is version 1, its docker-buildx does not exist


@dataclass(frozen=True)
class Engine:
    """A Docker engine that answers, and the command line's plugins."""

    version: str
    compose: str
    buildx: str


def version_of(text: str) -> tuple[int, ...]:
    """Read the numbers of a version, `2.40.3-4` as (2, 40, 3); empty where there are none."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def ensure() -> Engine:
    """Give an engine that answers, with compose and buildx; install and start what is missing where that is possible.

    Raises OpsError with one clear message where it is not.
    """
    version = _engine_version() or _bring_up_engine()
    for plugin in ("compose", "buildx"):
        if not _has_plugin(plugin):
            _add_plugins()
            break
    compose, buildx = _plugin_version("compose"), _plugin_version("buildx")
    if version_of(compose) < COMPOSE_MINIMUM or not buildx:
        raise OpsError(
            f"docker compose {_dotted(COMPOSE_MINIMUM)} or newer and docker buildx are needed; "
            f"here: compose {compose or 'none'}, buildx {buildx or 'none'}",
            f"install the plugins: {_GUIDE}",
        )
    if version_of(version) < ENGINE_MINIMUM:
        raise OpsError(
            f"Docker Engine {_dotted(ENGINE_MINIMUM)} or newer is needed, this is {version}", f"update it: {_GUIDE}"
        )
    return Engine(version, compose, buildx)


def find() -> Engine | None:
    """Give the engine if it is all there, without changing anything."""
    version = _engine_version()
    return Engine(version, _plugin_version("compose"), _plugin_version("buildx")) if version else None


def require() -> Engine:
    """Give the engine, for verbs that are senseless without one: nothing is installed for them."""
    found = find()
    if found is None or not found.compose:
        raise OpsError("no Docker engine with compose answers, so nothing of this stack runs", "make up")
    return found


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _engine_version() -> str:
    """Ask the engine for its version; empty when there is none.

    Raises OpsError when there is one that may not be used.
    """
    asked = run(["docker", "version", "--format", "{{json .Server}}"], timeout=20)
    if asked.returncode == 0 and asked.stdout.strip() not in {"", "null"}:
        return str(json.loads(asked.stdout)["Version"])
    if "permission denied" in asked.stderr.lower():
        raise OpsError(
            "a Docker engine runs here, but this user may not speak to it",
            'ask for it: sudo usermod -aG docker "$USER", then log in again',
            tail(asked.stderr, 1),
        )
    if asked.returncode == 124:  # noqa: PLR2004 - timeout(1)'s code, as ops.shell gives it
        raise OpsError("the Docker engine hangs", "restart it: sudo systemctl restart docker", tail(asked.stderr, 1))
    return ""


def _bring_up_engine() -> str:
    """Start, or install and start, an engine on this machine; give its version."""
    if host := os.environ.get("DOCKER_HOST"):
        raise OpsError(f"no Docker engine answers at DOCKER_HOST={host}", "start that engine, or unset DOCKER_HOST")
    context = run(["docker", "context", "show"]).stdout.strip()
    if context not in {"", "default"}:
        raise OpsError(
            f'no Docker engine answers in the docker context "{context}"',
            "start that engine, or: docker context use default",
        )
    if sys.platform == "darwin":
        raise OpsError("no Docker engine answers", "start Docker Desktop (or Colima, OrbStack), then try again")
    if os.geteuid() != 0:
        raise OpsError(
            "no Docker engine runs here, and only root may install or start one",
            f"sudo make up (Debian, Ubuntu: it installs one), or install it yourself: {_GUIDE}",
        )
    installed = bool(shutil.which("dockerd"))
    if not installed and not apt.is_debian_like():
        raise OpsError("no Docker engine runs here, and this is neither Debian nor Ubuntu", f"install one: {_GUIDE}")
    _agree(
        "start the Docker engine"
        if installed
        else "install a Docker engine (packages docker.io and iptables) and start it"
    )
    if not installed:
        step("Docker engine: installing docker.io and iptables")
        # newer Debian has the command line apart
        apt.install(
            "docker.io",
            "iptables",
            *(["docker-cli"] if not shutil.which("docker") and apt.candidate("docker-cli") else []),
        )
    step("Docker engine: starting it")
    return _start()


def _agree(what: str) -> None:
    item(f"No Docker engine runs on this machine; as root, make can {what}.")
    if not ask("Do so?", default=True):
        raise OpsError("without a Docker engine nothing can run", f"install one yourself: {_GUIDE}")


def _start() -> str:
    daemon = None
    if Path("/run/systemd/system").is_dir():
        run(["systemctl", "enable", "--now", "docker"], timeout=_START_SECONDS)
        log = "journalctl -u docker"
    else:
        _forget_dead_daemon()
        with DOCKERD_LOG.open("a") as out:
            daemon = subprocess.Popen(
                ["dockerd"], stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        log = str(DOCKERD_LOG)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and (daemon is None or daemon.poll() is None):
        if version := _engine_version():
            item(f"Docker Engine {version} runs; its log: {log}")
            return version
        time.sleep(1)
    said = (
        DOCKERD_LOG.read_text(errors="replace") if daemon else run(["journalctl", "-u", "docker", "-n", "100"]).stdout
    )
    shown = "\n".join(diagnose.telling_lines(said)[-3:])
    raise OpsError("the Docker engine does not start", f"its log says why: {log}", shown)


def _forget_dead_daemon(pid_file: Path = Path("/var/run/docker.pid")) -> None:
    """Remove a killed engine's mark: its number may be another process's by now, and dockerd would refuse."""
    if pid_file.exists() and _command_of(pid_file.read_text().strip()) != "dockerd":
        pid_file.unlink()


def _command_of(pid: str) -> str:
    name = Path("/proc") / pid / "comm"
    return name.read_text().strip() if pid and name.exists() else ""


def _plugin_version(plugin: str) -> str:
    asked = run(["docker", plugin, "version"], timeout=20)
    found = re.search(r"\d+\.\d+[^\s,]*", asked.stdout) if asked.returncode == 0 else None
    return found.group() if found else ""


def _has_plugin(plugin: str) -> bool:
    version = version_of(_plugin_version(plugin))
    return version >= COMPOSE_MINIMUM if plugin == "compose" else bool(version)


def _add_plugins() -> None:
    """Install the plugins from the distribution as root, or unpack Debian's newer ones for this user alone."""
    if not apt.is_debian_like():
        raise OpsError("docker compose and buildx are needed", f"install the plugins: {_GUIDE}")
    missing = [plugin for plugin in ("compose", "buildx") if not _has_plugin(plugin)]
    step(f"Docker engine: adding {' and '.join(missing)} to the docker command")
    if own := _own_packages():
        apt.install(*own)
    if all(_has_plugin(plugin) for plugin in missing):
        return
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins"
    if apt.os_release().get("ID") != "debian":
        raise OpsError("docker compose and buildx are needed", "sudo apt-get install docker-compose-v2 docker-buildx")
    files = apt.unpack(_PLUGIN_SUITE, *(f"docker-{plugin}" for plugin in missing))
    folder.mkdir(parents=True, exist_ok=True)
    for plugin in missing:
        (binary,) = (
            path for path in files.rglob(f"docker-{plugin}") if path.is_file() and path.parent.name == "cli-plugins"
        )
        target = folder / f"docker-{plugin}"
        # by rename, because the old one may be running
        shutil.copy2(binary, target.with_suffix(".new"))
        target.with_suffix(".new").rename(target)
        item(f"{target} {_plugin_version(plugin)}")


def _own_packages() -> list[str]:
    """Name this release's packages of the plugins, if root and if they are new enough."""
    if os.geteuid() != 0:
        return []
    compose = next(
        (
            name
            for name in ("docker-compose-v2", "docker-compose")
            if version_of(apt.candidate(name)) >= COMPOSE_MINIMUM
        ),
        "",
    )
    return [compose, "docker-buildx"] if compose and apt.candidate("docker-buildx") else []
