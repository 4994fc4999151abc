"""Redis spans, through the real client and a socket that speaks RESP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from observability import traced
from observability.cache import instrument_redis


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each command: errors for GET broken, +OK for all else."""
    try:
        while head := await reader.readline():
            parts = []
            for _ in range(int(head[1:])):
                size = int((await reader.readline())[1:])
                parts.append((await reader.readexactly(size + 2))[:-2])
            writer.write(b"-ERR broken\r\n" if b"broken" in parts else b"+OK\r\n")
            await writer.drain()
    finally:
        writer.close()


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = Redis(host="127.0.0.1", port=port, protocol=2, driver_info=None)
    instrument_redis(client)
    yield client
    await client.aclose()
    server.close()
    await asyncio.sleep(0.05)


async def test_a_command_is_a_span_without_keys_and_values(redis: Redis, spans: Any) -> None:
    await redis.set("key-name", "value-name")  # no trace, no span
    with traced("work"):
        await redis.set("key-name", "value-name")
        with pytest.raises(ResponseError):
            await redis.get("broken")
        async with redis.pipeline(transaction=False) as pipeline:
            pipeline.set("key-name", "1")
            pipeline.set("key-name", "2")
            await pipeline.execute()
    command, broken, pipeline_span, work = spans.get_finished_spans()
    assert (command.name, command.kind, command.parent.span_id) == ("SET", SpanKind.CLIENT, work.context.span_id)
    assert command.attributes["db.system.name"] == "redis"
    assert command.attributes["db.operation.name"] == "SET"
    assert command.attributes["server.address"] == "127.0.0.1"
    assert "-name'" not in str(dict(command.attributes).values())
    assert (broken.status.status_code, len(broken.events)) == (StatusCode.ERROR, 1)
    assert (pipeline_span.name, pipeline_span.attributes["db.operation.batch.size"]) == ("PIPELINE", 2)
