"""Clients that leave, on real sockets: what a test transport cannot show."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from prometheus_client import REGISTRY
from settling import settled

import observability

Change = Callable[..., float]


@pytest.fixture(params=["httptools", "h11"])
async def port(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    app = FastAPI()
    observability.install(app, service="test-service")

    @app.get("/slow")
    async def slow() -> str:
        await asyncio.sleep(0.3)
        return "slow"

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0.01)

        return StreamingResponse(body())

    @app.post("/upload")
    async def upload(request: Request) -> int:
        return len(await request.body())

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError("boom")

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, access_log=False, http=request.param, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        yield listener.getsockname()[1]
        server.should_exit = True
        await serving


async def send(port: int, request: bytes, read: int = 0) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    answer = await reader.readexactly(read) if read else b""
    await asyncio.sleep(0.1)
    writer.transport.abort()  # type: ignore[attr-defined]  # asyncio's transports have it
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    ("request_text", "route", "read"),
    [
        (b"GET /slow HTTP/1.1\r\nHost: t\r\n\r\n", "/slow", 0),
        (b"GET /endless HTTP/1.1\r\nHost: t\r\n\r\n", "/endless", 500),
        (b"POST /upload HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\n\r\nhalf", "/upload", 0),
    ],
)
async def test_a_client_that_leaves_is_499(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    port: int, change: Change, lines: Any, request_text: bytes, route: str, read: int
) -> None:
    labels = {"method": request_text.split()[0].decode(), "route": route, "status_code": "499"}
    change("http_requests_total", **labels)
    await send(port, request_text, read)
    assert await settled(lambda: change("http_requests_total", **labels) == 1)
    assert await settled(lambda: REGISTRY.get_sample_value("http_requests_in_progress") == 0)
    finished = lines()[-1]
    assert (finished["level"], finished["meta"]["status"], finished["meta"]["event"]) == (
        "WARN",
        499,
        "request.completed",
    )


async def test_clients_that_stay_get_everything(port: int, change: Change) -> None:
    labels = {"method": "GET", "route": "/slow", "status_code": "200"}
    change("http_requests_total", **labels)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):  # one connection: what was asked of the server must not be lost for the next request
        writer.write(b"GET /slow HTTP/1.1\r\nHost: t\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in head
        assert await reader.readexactly(6) == b'"slow"'
    assert await settled(lambda: change("http_requests_total", **labels) == 2)
    writer.close()
    await writer.wait_closed()


async def test_an_upload_that_waits_for_100_continue_is_whole(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /upload HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
    writer.write(b"body")
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    assert await reader.readexactly(1) == b"4"
    writer.close()
    await writer.wait_closed()


async def test_the_server_does_not_log_an_exception_a_second_time(port: int, lines: Any) -> None:
    await send(port, b"GET /boom HTTP/1.1\r\nHost: t\r\n\r\n", 12)
    errors = [line for line in lines() if line["level"] == "ERROR"]
    assert [line["meta"]["event"] for line in errors] == ["request.failed"]
