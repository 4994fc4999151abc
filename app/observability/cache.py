"""What a cache records, whatever it is made of."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis.asyncio import Redis


class CacheRecorder:
    """The instruments of one cache; `cache_type` (`redis`, `memory`) is their label.

        async def get(self, key: str) -> bytes | None:
            with self._recorder.operation("get"):
                value = await self._redis.get(key)
            self._recorder.lookup(hit=value is not None)
            return value
    """

    def __init__(self, cache_type: str) -> None:
        raise NotImplementedError(cache_type)

    @contextmanager
    def operation(self, name: str) -> Iterator[None]:
        """Time one operation (`get`, `set`, `delete`, …) in cache_operation_duration_seconds; errors count too."""
        raise NotImplementedError(name)

    def lookup(self, *, hit: bool) -> None:
        """Count one read that found its key, or did not."""
        raise NotImplementedError(hit)

    def evicted(self, count: int = 1) -> None:
        """Count entries that were pushed out to make room."""
        raise NotImplementedError(count)

    def watch(self, used: Callable[[], float], capacity: Callable[[], float]) -> None:
        """Read fill and limit (any one unit) from these at each scrape, for the utilization."""
        raise NotImplementedError(used, capacity)


def hit_rate(cache_type: str | None = None) -> float | None:
    """Return hits over lookups (0..1) of this process, of one cache or of all; None before the first lookup."""
    raise NotImplementedError(cache_type)


def instrument_redis(client: Redis) -> None:
    """Give each command of `client` a client span (db.system.name=redis, db.operation.name; never keys or values)."""
    raise NotImplementedError(client)
