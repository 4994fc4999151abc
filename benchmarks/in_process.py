"""CPU of one request, in this process, called over ASGI: `python -m benchmarks.in_process WAY ROUTE...`."""

import asyncio
import json
import os
import sys
import time
from collections.abc import MutableMapping
from typing import Any

import uvloop

from benchmarks import apps
from benchmarks.client import headers

REQUESTS = {apps.TRIVIAL: 10_000, apps.COLD: 500, apps.QUERY: 1_500}
WARM_UP = {apps.TRIVIAL: 2_000, apps.COLD: 20, apps.QUERY: 500}
_MEMORY = bytearray(os.urandom(16 * 1024 * 1024))
"""When it is copied, what the processor's caches held is out of them."""
_OK = 200


class Server:
    """The smallest ASGI server: no socket, no parser."""

    def __init__(self, app: Any, path: str) -> None:
        self._app = app
        self._path = path
        self._status = 0

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]

    async def serve(self, count: int, *, cold: bool) -> float:
        """Make so many requests, one after the other; return the seconds of CPU that this thread spent on them."""
        spent = 0.0
        for number in range(count):
            if cold:
                bytes(_MEMORY)
            began = time.thread_time()
            scope = {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "http_version": "1.1",
                "server": ("127.0.0.1", 8000),
                "client": ("127.0.0.1", 50_000),
                "scheme": "http",
                "method": "GET",
                "root_path": "",
                "path": self._path,
                "raw_path": self._path.encode(),
                "query_string": b"",
                "headers": headers(number),
                "state": {},
            }
            await self._app(scope, self._receive, self._send)
            if self._status != _OK:
                raise RuntimeError(f"{self._path} answered {self._status}")
            spent += time.thread_time() - began
        return spent


async def measure(way: str, routes: list[str]) -> dict[str, float]:
    """Return the microseconds of CPU that one request costs, by route."""
    watched = apps.make(way)
    servers = {route: Server(watched.app, apps.PATHS[route]) for route in routes}
    for route, server in servers.items():
        await server.serve(WARM_UP[route], cold=route == apps.COLD)
    result = {}
    for route, server in servers.items():
        before = time.process_time()
        spent = await server.serve(REQUESTS[route], cold=route == apps.COLD)
        if route == routes[-1]:
            await asyncio.to_thread(watched.flush)
        if route != apps.COLD:  # where the copying counts as well
            spent = time.process_time() - before
        result[route] = spent / REQUESTS[route] * 1e6
    return result


def main() -> None:
    """Measure, and print the figures."""
    print(json.dumps(uvloop.run(measure(sys.argv[1], sys.argv[2:]))))


if __name__ == "__main__":
    main()
