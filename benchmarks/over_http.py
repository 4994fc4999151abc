"""Throughput over HTTP: servers that run at the same time and take turns."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import psutil
import uvloop

from benchmarks import apps, runs
from benchmarks.load import Client

_TURNS = 3
_TURN_SECONDS = 0.5
_WARM_UP_SECONDS = 0.6

Server = tuple[str, Mapping[str, str]]
"""A way of watching, and the environment that it runs in."""


def measure(servers: Mapping[str, Server], routes: Sequence[str]) -> runs.Round:
    """Start each server afresh, let them take turns, and return requests per second and CPU per request, by route."""
    started = {name: runs.start("serve", way, env=env) for name, (way, env) in servers.items()}
    try:
        ports = {}
        for name, process in started.items():
            assert process.stdout
            ports[name] = json.loads(process.stdout.readline())["port"]
        time.sleep(1.0)  # uvicorn is about to accept
        pids = {name: process.pid for name, process in started.items()}
        return uvloop.run(_take_turns(ports, pids, routes))
    finally:
        for process in started.values():
            process.communicate(timeout=30)


async def _take_turns(ports: Mapping[str, int], pids: Mapping[str, int], routes: Sequence[str]) -> runs.Round:
    result: runs.Round = {name: {} for name in ports}
    for route in routes:
        clients = {name: Client(port, apps.PATHS[route], psutil.Process(pids[name])) for name, port in ports.items()}
        for client in clients.values():
            await client.open()
            await client.turn(_WARM_UP_SECONDS, counted=False)
        for _ in range(_TURNS):
            for name in runs.shuffled(list(clients)):
                await clients[name].turn(_TURN_SECONDS)
        for name, client in clients.items():
            client.close()
            result[name][route] = _figures(**asdict(client.tally))
        await asyncio.sleep(0)
    return result


def _figures(requests: int, seconds: float, cpu_seconds: float) -> dict[str, Any]:
    return {"per_second": requests / seconds, "cpu_us": cpu_seconds / requests * 1e6}
