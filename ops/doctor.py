"""`make doctor`: everything that can be wrong with this machine and the stack on it, each with a remedy."""

import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ops import apt, compose, dotenv, engine, fetch, images, mirrors, preflight, secrets
from ops.compose import Container
from ops.console import item, say, step
from ops.diagnose import telling_lines
from ops.finding import Finding
from ops.shell import run


def doctor() -> int:
    """Print a report; 1 when something stands in the way."""
    step("Docker engine")
    found = engine.require()
    item(f"Docker Engine {found.version}, compose {found.compose}, buildx {found.buildx or 'none'}")
    compose.allow_unset_registry()
    resolved = compose.config()
    containers = compose.containers()
    running = [container.service for container in containers if container.state == "running"]
    lacking = fetch.missing(resolved)
    step("This machine")
    needed = preflight.DISK_PULL if lacking else preflight.DISK_RUN
    errors = _show([*preflight.findings(resolved, disk_needed=needed, running=running, to_start=True), *names()])
    step("Images")
    item(f"{len(lacking)} missing: {', '.join(lacking)}: make images" if lacking else "all here")
    step("Passwords and data")
    errors += _show(stale_volumes(compose.volumes(resolved["name"])))
    step("Services")
    errors += _show(services(resolved, containers))
    if "app" in running:
        step("Names and clock inside the stack")
        errors += _show([*inner_names(running), *inner_clock()])
    say(f"▸ {errors or 'Nothing'} stand{'s' if errors in {0, 1} else ''} in the way")
    return int(errors > 0)


def _show(found: "Iterator[Finding] | list[Finding]") -> int:
    findings = list(found)
    for finding in findings:
        item(f"{'✗' if finding.is_error else '!'} {finding.problem}\n    → {finding.remedy}")
    if not findings:
        item("✓ fine")
    return sum(finding.is_error for finding in findings)


def names() -> Iterator[Finding]:
    """Resolve where images come from. A name that only a proxy knows is none of this machine's business."""
    host, what = image_source()
    if not host or any(os.environ.get(name) for name in mirrors.PROXIES):
        return
    try:
        socket.getaddrinfo(host, 443)
    except OSError as error:
        yield Finding(
            f"this machine cannot resolve {host}, {what} ({error.strerror})",
            "look at /etc/resolv.conf; what is here already runs without it",
        )


def image_source() -> tuple[str, str]:
    """Give the host that images come from, and what it is to them: the registry that was chosen, or the packages'."""
    chosen = dotenv.setting("REGISTRY")
    chosen = dotenv.read_ours().get("REGISTRY", "") if chosen is None else chosen
    if chosen == images.PREFIX:
        archive = apt.archive().uri if apt.is_debian_like() else ""  # elsewhere images were loaded from a file
        return urlsplit(archive).hostname or "", "this machine's package archive"
    if chosen:
        return chosen.partition("/")[0].partition(":")[0], "the registry that REGISTRY names"
    index = json.loads(run(["docker", "info", "--format", "{{json .IndexServerAddress}}"]).stdout)
    return urlsplit(str(index)).hostname or "", "the engine's registry"


def stale_volumes(volumes: dict[str, str], directory: Path = secrets.DIRECTORY) -> Iterator[Finding]:
    """Find data made under another password: a volume older than the secret that its first start stored in it."""
    for name, volume in secrets.FIXED_BY_DATA.items():
        path = directory / name
        if volume not in volumes:
            continue
        if not path.exists():
            yield Finding(
                f"the volume {volume} has data, and .secrets/{name} is gone",
                "put it back, or: make clean",
                is_error=True,
            )
        elif path.stat().st_mtime > datetime.fromisoformat(volumes[volume]).timestamp() + 1:
            yield Finding(
                f".secrets/{name} is newer than the data in the volume {volume}: the data may know another password",
                "if logins fail, put the old file back, or: make clean",
            )


def services(resolved: dict[str, Any], containers: list[Container]) -> Iterator[Finding]:
    """Find services that do not run or are not well."""
    if not containers:
        yield Finding("nothing runs", "make up")
        return
    for service in compose.unready(resolved, containers):
        mine = [container for container in containers if container.service == service]
        log = run(compose.command("logs", "--no-color", "--no-log-prefix", "--tail", "100", service)).stdout
        last = (telling_lines(log) or ["no log"])[-1][:200]
        state = ", ".join(container.health or container.state for container in mine) or "not started"
        yield Finding(f"{service} is {state}: {last}", "make up", is_error=True)


def inner_names(running: list[str]) -> Iterator[Finding]:
    """Ask the engine's name server, from within, for the services that the shop needs."""
    for name in ("postgres", "redis", "jaeger"):
        asked = run(
            compose.command("exec", "-T", "app", "python", "-ISc", f"import socket; socket.gethostbyname('{name}')")
        )
        if asked.returncode != 0 and name in running:
            yield Finding(
                f"the shop cannot resolve {name}",
                "make down, make up: the engine makes its networks anew",
                is_error=True,
            )


def inner_clock() -> Iterator[Finding]:
    """Compare a container's clock with this machine's: the engine's own word may come from this side of a machine."""
    asked = run(compose.command("exec", "-T", "app", "python", "-ISc", "import time; print(time.time())"))
    if asked.returncode == 0:
        yield from preflight.clock(float(asked.stdout), time.time(), whose="the containers'")
