"""Looks at this machine before anything starts: each finding with what to do about it. Errors stop, warnings do not."""

import json
import os
import shlex
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ops import ports
from ops.console import OpsError
from ops.finding import Finding
from ops.images import PREFIX as PACKAGES
from ops.shell import ROOT, run

GIB = 2**30

# Disk, free where the engine keeps images and volumes. Images take 4 GiB, their making from packages twice that for a
# while; Elasticsearch stops taking documents when the disk is nearly full.
DISK_BUILD = 10 * GIB
DISK_PULL = 6 * GIB
DISK_RUN = 1 * GIB
_CLOCK_SECONDS = 5.0  # further apart, and Prometheus and the log search show a gap or a future
_MAX_MAP_COUNT = 262_144
_LOW_MEMORY_SHARE = 0.5  # of the limits' sum: what the services use, see docs/guides/memory.md


@dataclass(frozen=True)
class Machine:
    """The engine's machine: not this one where Docker Desktop has a virtual machine."""

    memory: int  # bytes in all
    root: Path  # where images and volumes are
    clock: datetime
    is_local: bool
    limits_memory: bool


def machine() -> Machine:
    """Ask the engine about its machine."""
    asked = run(["docker", "info", "--format", "{{json .}}"])
    if asked.returncode != 0:
        raise OpsError("docker info failed", "is the Docker engine still there? make doctor", asked.stderr)
    info = json.loads(asked.stdout)
    root = Path(info["DockerRootDir"])
    clock = datetime.fromisoformat(info["SystemTime"])
    return Machine(
        int(info["MemTotal"]), root, clock, is_local=root.exists(), limits_memory=bool(info.get("MemoryLimit", True))
    )


def findings(resolved: dict[str, Any], *, disk_needed: int, running: Collection[str], to_start: bool) -> list[Finding]:
    """Look at everything; `running` are the stack's own running services, ports matter only `to_start`."""
    here = machine()
    checks: list[Callable[[], Iterator[Finding]]] = [
        lambda: memory(
            resolved, here.memory, available_memory() if here.is_local else here.memory, started=bool(running)
        ),
        lambda: limits(has=here.limits_memory),
        lambda: disk(here.root, disk_needed) if here.is_local else iter(()),
        lambda: ports.taken(resolved) if to_start else iter(()),
        lambda: clock(here.clock.timestamp(), time.time()),
        lambda: max_map_count(Path("/proc/sys/vm/max_map_count")),
        lambda: line_endings(resolved),
    ]
    return [finding for check in checks for finding in check()]


def available_memory() -> int:
    """Give the bytes that programs can still get without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def memory(resolved: dict[str, Any], total: int, available: int, *, started: bool) -> Iterator[Finding]:
    """Compare the machine's memory with what the services may take."""
    limits = sum(int(service.get("mem_limit", 0)) for service in resolved["services"].values())
    remedy = "close other programs, give the Docker machine more memory, or take less: make up LIGHT=1"
    if total < limits * _LOW_MEMORY_SHARE:
        yield Finding(
            f"{_gib(total)} of memory; the services need {_gib(limits * _LOW_MEMORY_SHARE)}", remedy, is_error=True
        )
    elif not started and available < limits * _LOW_MEMORY_SHARE:
        yield Finding(f"{_gib(available)} of memory free; the services need {_gib(limits * _LOW_MEMORY_SHARE)}", remedy)


def limits(*, has: bool) -> Iterator[Finding]:
    """Check that the engine can hold containers to their limits; a rootless one often may not."""
    if not has:
        yield Finding(
            "this Docker engine cannot limit memory: what leaks takes the machine down, not its own container",
            "rootless: cgroup v2 with delegation, https://docs.docker.com/engine/security/rootless/tips/",
        )


def disk(path: Path, needed: int) -> Iterator[Finding]:
    """Compare the free space where the engine keeps its files with what is needed."""
    free = shutil.disk_usage(path).free
    if free < needed:
        yield Finding(
            f"{_gib(free)} free on the disk of {path}, {_gib(needed)} needed",
            "make room: docker system prune removes what no container uses",
            is_error=True,
        )


def clock(there: float, here: float, whose: str = "the Docker engine's") -> Iterator[Finding]:
    """Compare the engine's clock with this machine's: a virtual machine's stops while a laptop sleeps."""
    if abs(there - here) > _CLOCK_SECONDS:
        yield Finding(
            f"{whose} clock is {there - here:+.0f} s off this machine's",
            "restart Docker Desktop (Windows: wsl --shutdown), or set the clock: it wants NTP",
        )


def max_map_count(path: Path) -> Iterator[Finding]:
    """Check the kernel's limit on memory maps, which Elasticsearch wants raised."""
    if path.exists() and int(path.read_text()) < _MAX_MAP_COUNT:
        yield Finding(
            f"vm.max_map_count is {path.read_text().strip()}: fine for one Elasticsearch node, too low for a cluster",
            f"sysctl -w vm.max_map_count={_MAX_MAP_COUNT}",
        )


def line_endings(resolved: dict[str, Any]) -> Iterator[Finding]:
    """Find Windows line endings in files that containers read: shells and products trip over them.

    They are taken out in place: git's version would come without what was changed since, and of a password has none.
    """
    for path in sorted(set(_files_of_containers(resolved))):
        try:
            head = path.read_bytes()[:65536]
        except OSError:
            continue  # a secret of another user's, checked by who reads it
        if b"\r\n" in head and b"\0" not in head:
            name = path.relative_to(ROOT)
            file = shlex.quote(str(name))
            yield Finding(
                f"{name} has Windows line endings (CRLF), and a Linux container reads it",
                f"text=$(tr -d '\\r' <{file}) && printf '%s\\n' \"$text\" >{file}",
                is_error=True,
            )


def _files_of_containers(resolved: dict[str, Any]) -> Iterator[Path]:
    """List what is mounted into containers, and what their images are built from."""
    services = resolved["services"].values()
    sources = [
        Path(volume.get("source", ""))
        for service in services
        for volume in service.get("volumes", [])
        if volume["type"] == "bind"
    ]
    sources += [Path(service["build"]["context"]) for service in services if "build" in service]
    if any(service.get("image", "").startswith(PACKAGES) for service in services):
        sources.append(ROOT / "images")
    for source in sources:
        if source.is_relative_to(ROOT):
            for folder, inner, names in os.walk(source):
                inner[:] = [name for name in inner if not name.startswith((".", "__"))]  # caches
                yield from (Path(folder) / name for name in names)
            if source.is_file():
                yield source


def _gib(size: float) -> str:
    return f"{size / GIB:.1f} GiB"
