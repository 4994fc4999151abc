"""Finds published ports that somebody else holds, and who."""

import errno
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ops import compose, dotenv
from ops.finding import Finding
from ops.shell import ROOT, run

_LISTENING = "0A"  # TCP_LISTEN in /proc/net/tcp


def taken(resolved: dict[str, Any]) -> Iterator[Finding]:
    """Try each published port; those that the stack itself holds are fine."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    ours = _held_by_containers(f"label=com.docker.compose.project={resolved['name']}")
    for port in compose.ports(resolved):
        if is_free(port.host, port.published) or port.published in ours:
            continue
        variable = variable_of(port.published, text)
        other = f"echo {variable}={_another(port.published)} >> .env" if variable else "change docker-compose.yml"
        yield Finding(
            f"port {port.published}, which {port.service} publishes, is taken by {holder(port.published)}",
            f"stop that, or take another port: {other}",
            is_error=True,
        )


def is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that are just closing do not count
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE  # a port below 1024 is the engine's to open, not ours
    return True


def holder(port: int) -> str:
    """Name who listens on a port, as far as this user may know."""
    container = run(["docker", "ps", "--filter", f"publish={port}", "--format", "{{.Names}}"]).stdout.split()
    if container:
        return f"the container {container[0]}"
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if inodes and str(link.readlink()) in inodes:
                pid = link.parts[2]
                return f"{(Path('/proc') / pid / 'comm').read_text().strip()} (process {pid})"
        except OSError:
            continue  # it ended, or is another user's
    return f"a process of another user (sudo lsof -i :{port} names it)"


def variable_of(published: int, compose_text: str) -> str:
    """Name the variable of docker-compose.yml that gives this port; empty when it is written there as a number."""
    for name, default in re.findall(r"\$\{(\w+):-(\d+)\}:\d+", compose_text):
        if int(dotenv.setting(name) or default) == published:
            return str(name)
    return ""


def _another(port: int) -> int:
    return next(number for number in range(port + 10_000, 65_536) if is_free("127.0.0.1", number))


def _held_by_containers(which: str) -> set[int]:
    listed = run(["docker", "ps", "--filter", which, "--format", "{{.Ports}}"]).stdout
    # neighbours are listed as a range: 127.0.0.1:4317-4318->4317-4318/tcp
    ranges = re.findall(r":(\d+)(?:-(\d+))?->", listed)
    return {port for first, last in ranges for port in range(int(first), int(last or first) + 1)}


def _listening_inodes(port: int) -> Iterator[str]:
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else []:
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rsplit(":", 1)[1], 16) == port:
                yield fields[9]
