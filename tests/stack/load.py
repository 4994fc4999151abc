"""A steady load: requests at a constant rate, however long the answers take, and how long each took."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter

import httpx


@dataclass
class Load:
    """What came of it."""

    statuses: Counter[str] = field(default_factory=Counter)  # or the error's name
    seconds: list[float] = field(default_factory=list)
    trace_ids: list[str] = field(default_factory=list)

    @property
    def p95(self) -> float:
        """The 95th percentile of the answers' times, in seconds."""
        return sorted(self.seconds)[int(0.95 * (len(self.seconds) - 1))]


async def steady(url: str, headers: dict[str, str], *, rate: float, seconds: float, trace_ids: list[str]) -> Load:
    """GET `url` so many times a second; the n-th request has the n-th trace id."""
    load = Load()
    limits = httpx.Limits(max_connections=50)

    async def one(client: httpx.AsyncClient, trace_id: str) -> None:
        started = perf_counter()
        try:
            answer = await client.get(url, headers={**headers, "traceparent": f"00-{trace_id}-{trace_id[:16]}-01"})
        except httpx.TransportError as error:
            load.statuses[type(error).__name__] += 1
            return
        load.seconds.append(perf_counter() - started)
        load.statuses[str(answer.status_code)] += 1
        load.trace_ids.append(trace_id)

    async with httpx.AsyncClient(timeout=10, limits=limits, trust_env=False) as client, asyncio.TaskGroup() as tasks:
        began = perf_counter()
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - perf_counter()))
            tasks.create_task(one(client, trace_ids[number]))
    return load
