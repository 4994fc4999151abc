"""Client spans of requests to other services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine

from observability import traced
from observability.database import instrument
from observability.logs import redaction
from observability.traces import client


@pytest.fixture(autouse=True)
def instrumented(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", getattr(request, "param", "http"))
    monkeypatch.setattr(_OpenTelemetrySemanticConventionStability, "_initialized", False)  # it reads that once
    client.instrument()
    yield
    client.uninstrument()
    monkeypatch.setattr(_OpenTelemetrySemanticConventionStability, "_initialized", False)


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


def recorded(spans: Any) -> list[tuple[str, bool]]:
    """Which failed spans there are, inner ones first, and which of them tell of the exception."""
    return [(span.name, bool(span.events)) for span in spans.get_finished_spans() if not span.status.is_ok]


@pytest.mark.parametrize("instrumented", ["http", "http/dup"], indirect=True)
async def test_the_address_is_written_without_its_secrets(address: str, spans: Any) -> None:
    query = "key=robot-1&access_token=robot-2&sign=robot-3&type=text&debug"
    async with httpx.AsyncClient() as http:
        await http.get(f"http://user:robot-4@{address}/send?{query}")
    await asyncio.to_thread(httpx.get, f"http://{address}/send?{query}", trust_env=False)
    first, second = (span.attributes["url.full"] for span in spans.get_finished_spans())
    assert first.endswith("/send?key=[REDACTED]&access_token=[REDACTED]&sign=[REDACTED]&type=text&debug")
    assert second == f"http://{address}/send?{first.partition('?')[2]}"
    assert "robot" not in str([dict(span.attributes) for span in spans.get_finished_spans()])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/p", "https://h/p"),
        ("https://h/p?", "https://h/p?"),
        ("https://h/p?a=1&KEY=x&b=", "https://h/p?a=1&KEY=[REDACTED]&b="),
        ("https://h/p?api-key=x%26y&idempotency_key=1", "https://h/p?api-key=[REDACTED]&idempotency_key=1"),
        ("https://h/p?access%5Ftoken=x", "https://h/p?access%5Ftoken=[REDACTED]"),
        ("https://h/p?next=token%3Dabcdef", "https://h/p?next=token=[REDACTED]"),
        ("https://u:p@h/p?code=x", "https://u:[REDACTED]@h/p?code=[REDACTED]"),
    ],
)
def test_a_url_is_redacted_by_the_names_in_it(url: str, shown: str) -> None:
    assert redaction.url(url) == shown


async def test_a_failure_is_recorded_once_by_the_call_itself(spans: Any) -> None:
    with pytest.raises(httpx.ConnectError), traced("outer"):
        async with httpx.AsyncClient() as http:
            await http.get("http://127.0.0.1:1/")
    assert recorded(spans) == [("GET", True), ("outer", False)]


def test_a_failure_is_recorded_once_in_blocking_code(spans: Any) -> None:
    with pytest.raises(httpx.ConnectError), traced("outer"):
        httpx.get("http://127.0.0.1:1/", trust_env=False)
    assert recorded(spans) == [("GET", True), ("outer", False)]


async def test_a_statements_failure_is_recorded_once_by_the_statement(spans: Any) -> None:
    engine = create_async_engine("sqlite+aiosqlite://")
    instrument(engine)
    with pytest.raises(OperationalError), traced("outer"):
        async with engine.connect() as connection:
            await connection.execute(text("SELECT * FROM nothing"))
    await engine.dispose()
    (statement, told), outer = recorded(spans)
    assert (statement.startswith("SELECT"), told, outer) == (True, True, ("outer", False))
