"""`docker compose` on this checkout's project."""

import json
import os
import re
from dataclasses import dataclass
from typing import Any

from ops.console import OpsError
from ops.shell import ROOT, run, tail

EVERY_PROFILE = ("--profile", "*")
_TRIES = 5


@dataclass(frozen=True)
class Container:
    """One container of the project, as `docker compose ps` sees it."""

    name: str
    service: str
    state: str  # created, running, restarting, exited, …
    health: str  # starting, healthy, unhealthy; empty without a health check
    exit_code: int

    def is_ready(self, *, one_shot: bool, is_checked: bool) -> bool:
        """Tell whether it runs and is healthy, if that is checked, or, a one-shot, finished without a fault."""
        if one_shot:
            return self.state == "exited" and self.exit_code == 0
        return self.state == "running" and (self.health == "healthy" or not (self.health or is_checked))

    @property
    def is_failed(self) -> bool:
        """Beyond waiting: unhealthy, or ended with a fault."""
        return self.health == "unhealthy" or self.state == "dead" or (self.state == "exited" and self.exit_code != 0)


@dataclass(frozen=True)
class Port:
    """One published port."""

    service: str
    host: str
    published: int
    target: int


def command(*args: str) -> list[str]:
    """Give a whole `docker compose` command line; colours and progress are ours to make."""
    return ["docker", "compose", "--progress", "plain", "--ansi", "never", *args]


def config(*profiles: str) -> dict[str, Any]:
    """Give docker-compose.yml as compose understands it, variables filled in.

    Raises OpsError with compose's own words when the file or a variable is wrong.
    """
    asked = run(command(*profiles, "config", "--format", "json"))
    if asked.returncode != 0:
        raise OpsError("docker-compose.yml does not resolve", "put that right, in it or in .env", tail(asked.stderr, 3))
    resolved: dict[str, Any] = json.loads(asked.stdout)
    return resolved


def profiles() -> list[str]:
    """Name every profile of docker-compose.yml."""
    # whatever REGISTRY is, it changes no profile; without it compose would refuse the file before the first `make up`
    asked = run(["env", "REGISTRY=", *command("config", "--profiles")])
    if asked.returncode != 0:
        raise OpsError("docker-compose.yml does not resolve", "put that right", tail(asked.stderr, 3))
    return asked.stdout.split()


def ports(resolved: dict[str, Any]) -> list[Port]:
    """List every published port."""
    return [
        Port(name, port.get("host_ip", "0.0.0.0"), int(port["published"]), int(port["target"]))  # noqa: S104 - what docker takes when none is given
        for name, service in resolved["services"].items()
        for port in service.get("ports", [])
        if port.get("published")
    ]


def one_shots(resolved: dict[str, Any]) -> set[str]:
    """Name the services that finish: those whose end others wait for, and those that are not started again."""
    services = resolved["services"]
    awaited = {
        name
        for service in services.values()
        for name, needed in service.get("depends_on", {}).items()
        if needed["condition"] == "service_completed_successfully"
    }
    return awaited | {name for name, service in services.items() if service.get("restart") == "no"}


def unready(resolved: dict[str, Any], found: list[Container]) -> list[str]:
    """Name the services of which a container is missing or not ready."""
    awaited = one_shots(resolved)
    return [
        name
        for name, service in sorted(resolved["services"].items())
        if not (mine := [container for container in found if container.service == name])
        or not all(c.is_ready(one_shot=name in awaited, is_checked="healthcheck" in service) for c in mine)
    ]


def named_in(error: str, found: list[Container]) -> list[Container]:
    """Find the containers that compose's own message calls unhealthy or ended, whatever they are by now."""
    names = set(re.findall(r"container (\S+) (?:is unhealthy|exited|didn't complete|has no healthcheck)", error))
    return [container for container in found if container.name in names]


def images(resolved: dict[str, Any]) -> dict[str, str]:
    """Give the image of each service that is pulled, not built here."""
    return {
        name: service["image"]
        for name, service in resolved["services"].items()
        if "build" not in service and service.get("pull_policy") != "never"
    }


def containers(*profiles: str) -> list[Container]:
    """List the project's containers, stopped ones too."""
    for _ in range(_TRIES):
        asked = run(command(*profiles, "ps", "--all", "--format", "json"))
        if (
            "No such container" not in asked.stderr
        ):  # compose lists first and looks at each then: one was removed meanwhile
            break
    if asked.returncode != 0:
        raise OpsError(
            "docker compose ps failed", "is the Docker engine still there? make doctor", tail(asked.stderr, 3)
        )
    found = (json.loads(line) for line in asked.stdout.splitlines() if line.strip())
    return [Container(c["Name"], c["Service"], c["State"], c["Health"], int(c["ExitCode"])) for c in found]


def volumes(project: str) -> dict[str, str]:
    """Give the project's volumes by their short names, each with the time it was made (RFC 3339)."""
    listed = run(
        ["docker", "volume", "ls", "--quiet", "--filter", f"label=com.docker.compose.project={project}"]
    ).stdout.split()
    if not listed:
        return {}
    inspected = json.loads(run(["docker", "volume", "inspect", *listed]).stdout or "[]")
    return {volume["Labels"]["com.docker.compose.volume"]: volume["CreatedAt"] for volume in inspected}


def allow_unset_registry() -> None:
    """Let compose read its file before `make up` ever ran, for verbs that need no image."""
    if not (ROOT / ".env").exists():
        os.environ.setdefault("REGISTRY", "")
