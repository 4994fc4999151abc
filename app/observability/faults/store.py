"""Stores of the switches: one process, or all replicas through Redis."""

import time

from redis.asyncio import Redis

from observability.faults.model import Fault, FaultName


class MemoryStore:
    """For a process alone."""

    def __init__(self) -> None:
        self._faults: dict[FaultName, Fault] = {}

    async def load(self) -> list[Fault]:
        """Return the faults that have not ended."""
        return [fault for fault in self._faults.values() if not fault.over]

    async def save(self, fault: Fault) -> None:
        """Add or replace."""
        self._faults[fault.name] = fault

    async def remove(self, name: FaultName) -> None:
        """Remove; nothing when it is not there."""
        self._faults.pop(name, None)


class RedisStore:
    """For replicas: a hash, one field a fault. It goes by itself when the last fault ends."""

    _KEY = "observability:faults"

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def load(self) -> list[Fault]:
        """Return the faults that have not ended."""
        values = await self._client.hvals(self._KEY)
        return [fault for fault in map(Fault.model_validate_json, values) if not fault.over]

    async def save(self, fault: Fault) -> None:
        """Add or replace."""
        running = await self.load()
        last = max(other.ends_at for other in [fault, *running])
        await self._client.hset(self._KEY, fault.name, fault.model_dump_json())
        await self._client.expire(self._KEY, max(1, int(last - time.time()) + 1))

    async def remove(self, name: FaultName) -> None:
        """Remove; nothing when it is not there."""
        await self._client.hdel(self._KEY, name)
