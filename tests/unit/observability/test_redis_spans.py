"""Redis spans, through the real client and a socket that speaks RESP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from observability import traced
from observability.cache import instrument_redis


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each command: NOPERM for GET broken, +OK for all else."""
    try:
        while head := await reader.readline():
            parts = []
            for _ in range(int(head[1:])):
                size = int((await reader.readline())[1:])
                parts.append((await reader.readexactly(size + 2))[:-2])
            writer.write(b"-NOPERM broken\r\n" if b"broken" in parts else b"+OK\r\n")
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
        with pytest.raises(NoPermissionError):
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
    assert broken.attributes["db.response.status_code"] == "NOPERM"
    assert (pipeline_span.name, pipeline_span.attributes["db.operation.batch.size"]) == ("PIPELINE SET", 2)


@pytest.mark.parametrize(
    ("commands", "name", "size"),
    [
        ("set delete", "PIPELINE", 2),
        ("multi set set", "MULTI SET", 2),
        ("multi set delete", "MULTI", 2),
        ("delete", "DEL", None),
    ],
)
async def test_a_batch_is_named_by_what_is_in_it(
    redis: Redis, spans: Any, commands: str, name: str, size: int | None
) -> None:
    with traced("work"):
        pipeline = redis.pipeline(transaction="multi" in commands)
        for command in commands.removeprefix("multi ").split():
            pipeline.set("key", "1") if command == "set" else pipeline.delete("key")
        with suppress(RedisError):  # the socket's answers to EXEC are not Redis's
            await pipeline.execute()
        await pipeline.aclose()
    batch = spans.get_finished_spans()[0]
    assert (batch.name, batch.attributes["db.operation.name"]) == (name, name)
    assert batch.attributes.get("db.operation.batch.size") == size
