"""What Redis says of itself and of our connections to it, through the real client and a socket that speaks RESP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from settling import settled

from observability.cache import CacheRecorder, instrument_redis, watch_redis
from observability.metrics.snapshot import application

Change = Callable[..., float]
RECORDED = CacheRecorder("test-server")


class Server:
    """Answers INFO with these figures."""

    used, limit, evicted = 30, 120, 7
    away = False

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            parts = []
            for _ in range(int(head[1:])):
                size = int((await reader.readline())[1:])
                parts.append((await reader.readexactly(size + 2))[:-2])
            if self.away:
                break
            body = f"used_memory:{self.used}\r\nmaxmemory:{self.limit}\r\nevicted_keys:{self.evicted}\r\n"
            writer.write(b"$%d\r\n%s\r\n" % (len(body), body.encode()) if parts[0] == b"INFO" else b"+OK\r\n")
            await writer.drain()
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, Redis]]:
    handler = Server()
    listening = await asyncio.start_server(handler, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    never = Retry(NoBackoff(), 0)
    client = Redis(host="127.0.0.1", port=port, protocol=2, driver_info=None, max_connections=17, retry=never)
    RECORDED.filled(None, None)
    instrument_redis(client)
    watching = asyncio.create_task(watch_redis(client, RECORDED, every_seconds=0.02))
    yield handler, client
    watching.cancel()
    await client.aclose()
    listening.close()
    await asyncio.sleep(0.05)


def filled() -> list[float | None]:
    return [REGISTRY.get_sample_value(name, {"cache_type": "test-server"}) for name in ("cache_used", "cache_capacity")]


async def test_the_fill_is_the_servers_and_unknown_while_it_is_away(server: tuple[Server, Redis]) -> None:
    assert await settled(lambda: filled() == [30, 120])
    server[0].away = True
    assert await settled(lambda: filled() == [None, None])
    server[0].away, server[0].limit = False, 0
    assert await settled(lambda: filled() == [30, None])  # a server without a limit


async def test_evictions_count_from_when_the_watch_began(server: tuple[Server, Redis], change: Change) -> None:
    labels = {"cache_type": "test-server"}
    change("cache_evictions_total", **labels)
    assert await settled(lambda: filled() == [30, 120])
    assert change("cache_evictions_total", **labels) == 0  # those before are not ours to count
    server[0].evicted, server[0].used = 12, 31
    assert await settled(lambda: filled() == [31, 120])
    assert change("cache_evictions_total", **labels) == 5
    server[0].evicted, server[0].used = 1, 32  # restarted
    assert await settled(lambda: filled() == [32, 120])
    assert change("cache_evictions_total", **labels) == 5
    assert application().cache.details.evictions >= 5


async def test_the_pool_is_counted(server: tuple[Server, Redis]) -> None:
    used, most = (REGISTRY.get_sample_value(name) or 0 for name in ("redis_connections", "redis_max_connections"))
    connection = await server[1].connection_pool.get_connection()
    after = REGISTRY.get_sample_value("redis_connections")
    await server[1].connection_pool.release(connection)
    assert after is not None
    assert after >= used
    assert after >= 1
    assert most >= 17
