"""Whatever happens to requests, in whatever order: the series agree with what was sent."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import FastAPI, HTTPException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from starlette.responses import StreamingResponse
from starlette.types import Message

import observability

ROUTE = "/do/{what}"
STATUS = {"ok": 200, "refuse": 409, "crash": 500, "break": 500, "leave": 499, "leave_stream": 499, "invalid": 422}


def make_app() -> FastAPI:
    app = FastAPI()
    observability.install(app, service="test-service")

    @app.get(ROUTE)
    async def do(what: str, n: int = 0) -> Any:
        await asyncio.sleep(0.006 if what == "leave" else 0)  # nobody gives up sooner
        if what == "refuse":
            raise HTTPException(409)
        if what == "crash":
            raise ValueError(n)
        if what in {"break", "leave_stream"}:

            async def body() -> Any:
                yield b"1"
                if what == "break":
                    raise ValueError(n)
                await asyncio.sleep(10)

            return StreamingResponse(body())
        return what

    return app


APP = make_app()


async def call(what: str) -> None:
    """A server of the smallest kind: the client of `leave` is gone as soon as it has sent its request."""
    asked = 0

    async def receive() -> Message:
        nonlocal asked
        asked += 1
        if asked == 1 and what != "leave":
            return {"type": "http.request", "body": b"", "more_body": False}
        if what.startswith("leave"):
            return {"type": "http.disconnect"}
        await asyncio.sleep(60)
        raise AssertionError

    async def send(_: Message) -> None:
        await asyncio.sleep(0)

    query = b"n=x" if what == "invalid" else b""
    scope = {"type": "http", "method": "GET", "path": f"/do/{what}", "raw_path": b"", "query_string": query}
    scope |= {"headers": [], "http_version": "1.1", "scheme": "http", "root_path": "", "server": ("t", 80)}
    scope |= {"client": ("127.0.0.1", 1), "asgi": {"version": "3.0", "spec_version": "2.3"}}
    try:
        await APP(scope, receive, send)
    except (ValueError, ExceptionGroup):
        assert what in {"crash", "break"}


def counts() -> dict[str, list[float]]:
    names = ("http_requests_total", "http_request_duration_seconds_count", "http_response_time_seconds_count")
    return {
        status: [
            REGISTRY.get_sample_value(name, {"method": "GET", "route": ROUTE, "status_code": status}) or 0.0
            for name in names
        ]
        for status in map(str, set(STATUS.values()))
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(sorted(STATUS)), max_size=6), max_size=5))
def test_totals_agree_with_what_was_sent(batches: list[list[str]]) -> None:
    async def run() -> None:
        for batch in batches:
            await asyncio.gather(*map(call, batch))

    before = counts()
    asyncio.run(run())
    sent = [STATUS[what] for batch in batches for what in batch]
    for status, values in counts().items():
        expected = sent.count(int(status))
        assert [value - old for value, old in zip(values, before[status], strict=True)] == [expected] * 3
    assert REGISTRY.get_sample_value("http_requests_in_progress") == 0
