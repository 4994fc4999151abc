"""CPU of one scrape, by the number of routes that were asked: `python -m benchmarks.scrapes WAY ROUTES`."""

import json
import sys
import time
from typing import Any

import uvloop
from fastapi import FastAPI

from benchmarks import apps
from benchmarks.client import headers

_SCRAPES = 20
_OK = 200


async def _get(app: Any, path: str, accept: bytes) -> bytes:
    body, status = bytearray(), 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        body.extend(message.get("body", b""))

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 1),
        "headers": [*headers(1), (b"accept", accept)],
        "asgi": {"version": "3.0"},
    }
    await app(scope, receive, send)
    if status != _OK:
        raise RuntimeError(f"{path} answered {status}")
    return bytes(body)


def _add_routes(app: FastAPI, count: int) -> None:
    async def answer() -> str:
        return "ok"

    for number in range(count):
        app.add_api_route(f"/route/{number}", answer)


async def measure(way: str, count: int) -> dict[str, float]:
    """Return how many series a scrape gives, and the milliseconds of CPU it costs."""
    watched = apps.make(way)
    _add_routes(watched.app, count)
    for number in range(count):
        await _get(watched.app, f"/route/{number}", b"application/json")
    accept = b"application/openmetrics-text;version=1.0.0" if way == "ours" else b"text/plain"
    body = await _get(watched.app, "/metrics", accept)
    series = sum(1 for line in body.splitlines() if not line.startswith(b"#"))
    before = time.process_time()
    for _ in range(_SCRAPES):
        await _get(watched.app, "/metrics", accept)
    return {"series": series, "ms": (time.process_time() - before) / _SCRAPES * 1e3}


def main() -> None:
    """Measure, and print the figures."""
    print(json.dumps(uvloop.run(measure(sys.argv[1], int(sys.argv[2])))))


if __name__ == "__main__":
    main()
