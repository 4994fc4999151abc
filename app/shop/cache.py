"""The cache: Redis where REDIS_HOST is set, else this process's memory. It may forget; it must never stop the shop."""

import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from observability import faults, get_logger
from observability.cache import CacheRecorder

REST_SECONDS = 2.0  # a cache that failed is left alone this long, or each request would wait for its time-out

_log = get_logger(__name__)


class Cache(ABC):
    """Bytes by key, for a while."""

    def __init__(self, cache_type: str) -> None:
        self.recorder = CacheRecorder(cache_type)

    async def get(self, key: str) -> bytes | None:
        """Return the value, or None when it is not there (any more)."""
        with self.recorder.operation("get"):
            value = await self._get(key)
        if faults.active("cache_loss"):
            value = None
        self.recorder.lookup(hit=value is not None)
        return value

    async def set(self, key: str, value: bytes, seconds: int) -> None:
        """Keep the value for so many seconds."""
        with self.recorder.operation("set"):
            await self._set(key, value, seconds)

    async def delete(self, *keys: str) -> None:
        """Forget the keys."""
        with self.recorder.operation("delete"):
            await self._delete(*keys)

    @abstractmethod
    async def ping(self) -> None:
        """Raise when the cache does not answer."""

    @abstractmethod
    async def _get(self, key: str) -> bytes | None: ...

    @abstractmethod
    async def _set(self, key: str, value: bytes, seconds: int) -> None: ...

    @abstractmethod
    async def _delete(self, *keys: str) -> None: ...


class MemoryCache(Cache):
    """A bounded dictionary; the entry used longest ago goes first."""

    def __init__(self, capacity: int = 10_000) -> None:
        super().__init__("memory")
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._capacity = capacity
        self.recorder.watch(lambda: len(self._entries), lambda: self._capacity)

    async def ping(self) -> None:
        """Memory always answers."""

    async def _get(self, key: str) -> bytes | None:
        ends_at, value = self._entries.get(key, (0.0, b""))
        if ends_at <= time.monotonic():
            self._entries.pop(key, None)
            return None
        self._entries.move_to_end(key)
        return value

    async def _set(self, key: str, value: bytes, seconds: int) -> None:
        self._entries[key] = (time.monotonic() + seconds, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
            self.recorder.evicted()

    async def _delete(self, *keys: str) -> None:
        for key in keys:
            self._entries.pop(key, None)


class RedisCache(Cache):
    """Redis; while it is away every read is a miss."""

    def __init__(self, redis: Redis) -> None:
        super().__init__("redis")
        self._redis = redis
        self._rests_until = 0.0

    async def ping(self) -> None:
        """Raise when Redis does not answer."""
        await self._redis.ping()

    async def _get(self, key: str) -> bytes | None:
        value: bytes | None = await self._unless_resting(lambda: self._redis.get(key))
        return value

    async def _set(self, key: str, value: bytes, seconds: int) -> None:
        await self._unless_resting(lambda: self._redis.set(key, value, ex=seconds))

    async def _delete(self, *keys: str) -> None:
        await self._unless_resting(lambda: self._redis.delete(*keys))

    async def _unless_resting(self, command: Callable[[], Awaitable[Any]]) -> Any:
        if time.monotonic() < self._rests_until:
            return None
        try:
            return await command()
        except (RedisError, OSError) as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            _log.warning(
                "Redis does not answer, reading from the database", restSeconds=REST_SECONDS, reason=str(error)
            )
            return None
