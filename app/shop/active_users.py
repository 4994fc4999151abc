"""Who used the shop in the last five minutes: a sorted set in Redis, so that all replicas count together.

A request only notes the user in memory; a task writes the notes every few seconds. So counting never slows a request,
and a Redis that is away costs freshness, not answers.
"""

import asyncio
import time
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from observability import get_logger
from shop import metrics

WINDOW_SECONDS = 300
FLUSH_SECONDS = 5.0
KEY = "shop:active_users"

_log = get_logger(__name__)


class SeenUsers(Protocol):
    """Remembers when each user was last seen."""

    async def record(self, seen: dict[str, float]) -> int:
        """Add user id → Unix time; return how many distinct users the window holds."""


class SeenInMemory:
    """For the shop alone."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    async def record(self, seen: dict[str, float]) -> int:
        """See SeenUsers."""
        start = time.time() - WINDOW_SECONDS
        self._seen = {user: at for user, at in {**self._seen, **seen}.items() if at > start}
        return len(self._seen)


class SeenInRedis:
    """For any number of replicas."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def record(self, seen: dict[str, float]) -> int:
        """See SeenUsers."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            if seen:
                pipeline.zadd(KEY, seen, gt=True)
            pipeline.zremrangebyscore(KEY, "-inf", time.time() - WINDOW_SECONDS)
            pipeline.zcard(KEY)
            return int((await pipeline.execute())[-1])


class ActiveUsers:
    """Notes users as requests come, and keeps the gauge `active_users` current."""

    def __init__(self, seen_users: SeenUsers) -> None:
        self._seen_users = seen_users
        self._noted: dict[str, float] = {}

    def note(self, user_id: str) -> None:
        """Say that the user made a request just now."""
        self._noted[user_id] = time.time()

    async def flush(self) -> None:
        """Write the notes and set the gauge; NaN, that is unknown, while the store is away."""
        noted, self._noted = self._noted, {}
        try:
            metrics.active_users.set(await self._seen_users.record(noted))
        except (RedisError, OSError) as error:
            self._noted = {**noted, **self._noted}
            metrics.active_users.set(float("nan"))
            _log.warning("Active users cannot be counted", reason=str(error))

    async def run(self) -> None:
        """Flush until cancelled."""
        while True:
            await self.flush()
            await asyncio.sleep(FLUSH_SECONDS)
