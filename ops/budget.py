"""`make budget`: what each service takes of memory and processor right now, beside its limit and the stack's budget."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ops import compose, engine
from ops.choice import HEAVY
from ops.console import OpsError, say
from ops.shell import run, tail

MIB = 2**20
LIGHT_BYTES = 2 * 2**30
"""What the light stack may take: all but Kibana and Logstash, with customers in the shop. A test holds it to that."""

_CGROUP = (
    "/sys/fs/cgroup/memory.stat",  # version 2
    "/sys/fs/cgroup/memory/memory.stat",  # version 1, and what is the kernel's own
    "/sys/fs/cgroup/memory/memory.kmem.usage_in_bytes",
)
_HELD_V2 = ("anon", "shmem", "kernel_stack", "pagetables", "slab_unreclaimable")
_HELD_V1 = ("total_rss", "total_shmem")
_UNITS = {"B": 1, "KIB": 2**10, "MIB": MIB, "GIB": 2**30, "TIB": 2**40}


@dataclass(frozen=True)
class Usage:
    """One service's, all its replicas together."""

    service: str
    bytes: float  # memory that the kernel cannot simply drop, see `held`
    limit: float
    cpu: float  # percent of one processor


def of(containers: list[compose.Container]) -> list[Usage]:
    """Ask about running containers, the largest first."""
    named = {container.name: container.service for container in containers if container.state == "running"}
    if not named:
        return []
    asked = run(["docker", "stats", "--no-stream", "--format", "{{json .}}", *named])
    if asked.returncode != 0:
        raise OpsError("docker stats failed", "is the Docker engine still there? make doctor", tail(asked.stderr, 3))
    with ThreadPoolExecutor() as pool:
        memory = dict(zip(named, pool.map(held, named), strict=True))
    found: dict[str, Usage] = {}
    for line in asked.stdout.splitlines():
        row = json.loads(line)
        used, limit = (size(part) for part in row["MemUsage"].split("/"))
        used = memory[row["Name"]] or used
        service = named[row["Name"]]
        before = found.get(service, Usage(service, 0, 0, 0))
        cpu = float(row["CPUPerc"].rstrip("%"))
        found[service] = Usage(service, before.bytes + used, before.limit + limit, before.cpu + cpu)
    return sorted(found.values(), key=lambda usage: -usage.bytes)


def held(container: str) -> float:
    """Give the bytes that the kernel cannot drop: what programs have, shared memory, and what it needs for them itself.

    The page cache is not counted: a file that is read takes whatever nobody else wants, and gives it back. 0 where the
    container cannot be asked; then what `docker stats` shows has to do, which has a part of that cache in it.
    """
    # of the two versions' files one kind is there; the other is an error that says nothing
    asked = run(["docker", "exec", container, "cat", *_CGROUP])
    words = [line.split() for line in asked.stdout.splitlines()]
    stat = {line[0]: int(line[1]) for line in words if len(line) == 2}  # noqa: PLR2004 - a name and a number
    kernel = sum(int(line[0]) for line in words if len(line) == 1)
    if "anon" in stat:
        return sum(stat.get(name, 0) for name in _HELD_V2)
    return sum(stat.get(name, 0) for name in _HELD_V1) + kernel


def size(text: str) -> float:
    """Read Docker's way of writing bytes, "115.2MiB"; 0 for the "--" of a container that ended meanwhile."""
    found = re.fullmatch(r"\s*([\d.]+)\s*([A-Za-z]+)\s*", text)
    return float(found[1]) * _UNITS[found[2].upper()] if found else 0


def light(usages: list[Usage]) -> float:
    """Add up what counts for the budget: every service but those that LIGHT=1 leaves out, and what belongs to them."""
    return sum(usage.bytes for usage in usages if usage.service.removesuffix("-setup") not in HEAVY)


def table(usages: list[Usage]) -> list[str]:
    """Give the report, a line a service."""
    rows = [f"{'service':<24}{'memory':>10}{'limit':>10}{'':>7}{'CPU':>8}"]
    rows += [
        f"{usage.service:<24}{usage.bytes / MIB:>6.0f} MiB{usage.limit / MIB:>6.0f} MiB"
        f"{usage.bytes / usage.limit if usage.limit else 0:>6.0%} {usage.cpu:>6.1f} %"
        for usage in usages
    ]
    everything = sum(usage.bytes for usage in usages)
    rows.append(f"{'all':<24}{everything / MIB:>6.0f} MiB{'':>17} {sum(usage.cpu for usage in usages):>6.1f} %")
    counted = light(usages)
    rows.append(f"{'without ' + ' and '.join(HEAVY.values()):<24}: {counted / MIB:.0f} of {LIGHT_BYTES / MIB:.0f} MiB")
    return rows


def show() -> None:
    """Print it."""
    engine.require()
    compose.allow_unset_registry()
    usages = of(compose.containers(*compose.EVERY_PROFILE))
    if not usages:
        raise OpsError("nothing of this stack runs", "make up")
    for row in table(usages):
        say(f"  {row}")
