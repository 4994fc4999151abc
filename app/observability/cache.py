"""What a cache records, whatever it is made of, and client spans for Redis."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any
from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.connection import ConnectionPool
from redis.exceptions import RedisError

from observability.metrics import cache as series
from observability.metrics.reading import ratio, total
from observability.spans import put
from observability.traces import errors
from observability.traces.state import state


class CacheRecorder:
    """The instruments of one cache; `cache_type` (`redis`, `memory`) is their label.

    async def get(self, key: str) -> bytes | None:
        with self._recorder.operation("get"):
            value = await self._redis.get(key)
        self._recorder.lookup(hit=value is not None)
        return value
    """

    def __init__(self, cache_type: str) -> None:
        self.cache_type = cache_type
        self._hits = series.hits.labels(cache_type)
        self._misses = series.misses.labels(cache_type)
        self._evictions = series.evictions.labels(cache_type)

    @contextmanager
    def operation(self, name: str) -> Iterator[None]:
        """Time one operation (`get`, `set`, `delete`, …) in cache_operation_duration_seconds; errors count too."""
        started = perf_counter()
        try:
            yield
        finally:
            series.operation_duration.labels(name, self.cache_type).observe(perf_counter() - started)

    def lookup(self, *, hit: bool) -> None:
        """Count one read that found its key, or did not."""
        (self._hits if hit else self._misses).inc()

    def evicted(self, count: int = 1) -> None:
        """Count entries that were pushed out to make room."""
        self._evictions.inc(count)

    def watch(self, used: Callable[[], float], capacity: Callable[[], float]) -> None:
        """Read fill and limit (any one unit) from these at each scrape, for the utilization."""
        series.used.labels(self.cache_type).set_function(used)
        series.capacity.labels(self.cache_type).set_function(capacity)

    def filled(self, used: float | None, capacity: float | None) -> None:
        """Set fill and limit, where they come from elsewhere; None is "not known"."""
        for gauge, value in ((series.used, used), (series.capacity, capacity)):
            if value is None:
                gauge.labels(self.cache_type)  # or there is nothing to remove
                gauge.remove(self.cache_type)
            else:
                gauge.labels(self.cache_type).set(value)


async def watch_redis(client: Redis, recorder: CacheRecorder, every_seconds: float = 10.0) -> None:
    """Read fill, limit and evictions from the server on a clock of their own, until cancelled.

    They are the server's: each process that watches it tells the same.
    """
    before: int | None = None
    while True:
        try:
            memory, stats = await client.info("memory"), await client.info("stats")
        except (RedisError, OSError):
            recorder.filled(None, None)
        else:
            recorder.filled(memory["used_memory"], memory["maxmemory"] or None)
            evicted = int(stats["evicted_keys"])
            recorder.evicted(max(0, evicted - before) if before is not None else 0)  # below 0: it was restarted
            before = evicted
        await asyncio.sleep(every_seconds)


class _Pools:
    """The pools of the instrumented clients, for the gauges."""

    def __init__(self) -> None:
        self._all: WeakSet[ConnectionPool] = WeakSet()
        series.redis_connections.set_function(self.connections)
        series.redis_max_connections.set_function(self.max_connections)

    def add(self, pool: ConnectionPool) -> None:
        self._all.add(pool)

    def connections(self) -> float:
        # redis has no public name for one without the other
        return sum(len(pool._in_use_connections) for pool in self._all)  # noqa: SLF001 - see above

    def max_connections(self) -> float:
        return sum(pool.max_connections for pool in self._all)


_pools = _Pools()


def hit_rate(cache_type: str | None = None) -> float | None:
    """Return hits over lookups (0..1) of this process, of one cache or of all; None before the first lookup."""

    def where(labels: dict[str, str]) -> bool:
        return cache_type in {None, labels["cache_type"]}

    hits = total(series.hits, where=where)
    return ratio(hits, hits + total(series.misses, where=where))


def instrument_redis(client: Redis) -> None:
    """Count the connections of `client`, and give each of its commands a client span.

    The span has db.system.name=redis and db.operation.name, never keys or values. Commands outside of any trace get
    none; a pipeline is one span.
    """
    _pools.add(client.connection_pool)
    settings = client.connection_pool.connection_kwargs
    attributes: dict[str, str | int] = {"db.system.name": "redis", "db.namespace": str(settings.get("db", 0))}
    if "host" in settings:
        attributes |= {"server.address": settings["host"], "server.port": settings.get("port", 6379)}
    execute: Callable[..., Awaitable[Any]] = client.execute_command
    make_pipeline: Callable[..., Pipeline] = client.pipeline

    async def execute_command(*args: Any, **options: Any) -> Any:
        with _span(str(args[0]).upper(), attributes):
            return await execute(*args, **options)

    def pipeline(*args: Any, **options: Any) -> Pipeline:
        made = make_pipeline(*args, **options)
        run = made.execute

        async def execute_pipeline(*, raise_on_error: bool = True) -> list[Any]:
            operation, size = _batch(made)
            with _span(operation, attributes | size):
                return await run(raise_on_error)

        made.execute = execute_pipeline  # type: ignore[method-assign,assignment]  # redis has no hook for this
        return made

    client.execute_command = execute_command  # type: ignore[method-assign]  # redis has no hook for this
    client.pipeline = pipeline  # type: ignore[method-assign]  # or its commands would have no span


def _batch(pipeline: Pipeline) -> tuple[str, dict[str, str | int]]:
    commands = [str(arguments[0]).upper() for arguments, _ in pipeline.command_stack]
    if len(commands) == 1:
        return commands[0], {}  # one command is no batch
    kind = "MULTI" if pipeline.is_transaction or pipeline.explicit_transaction else "PIPELINE"
    operation = f"{kind} {commands[0]}" if len(set(commands)) == 1 else kind
    return operation, {"db.operation.batch.size": len(commands)}


@contextmanager
def _span(operation: str, attributes: dict[str, str | int]) -> Iterator[Span]:
    if not state.on or not trace.get_current_span().get_span_context().is_valid:
        yield trace.INVALID_SPAN
        return
    span = state.start_span(operation, kind=SpanKind.CLIENT)
    if span.is_recording():
        put(span, attributes | {"db.operation.name": operation})
    try:
        yield span
    except Exception as error:
        if code := getattr(error, "status_code", None):  # the word that Redis's answer began with
            span.set_attribute("db.response.status_code", code)
        errors.record(span, error)
        raise
    finally:
        span.end()
