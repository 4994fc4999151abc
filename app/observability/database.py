"""Database metrics and spans from SQLAlchemy's own events: no call site can forget them.

(opentelemetry-instrumentation-sqlalchemy refuses SQLAlchemy 2.1 and has no metrics by table.)
"""

import re
from collections.abc import Callable
from functools import lru_cache
from time import perf_counter
from typing import Any, NamedTuple
from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from prometheus_client import Counter
from pydantic import Field
from sqlalchemy import Engine, TextClause, event
from sqlalchemy.engine.interfaces import ExecutionContext
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from observability.metrics.database import (
    BUCKETS,
    OPERATIONS,
    connections,
    durations,
    max_connections,
    query_errors,
    slow_queries,
)
from observability.metrics.pending import Buckets, Pending
from observability.settings import Settings, read_settings
from observability.spans import LightSpan, put
from observability.traces import errors
from observability.traces.state import state

_MAX_MODELS = 200
_MAX_STATEMENTS = 2_000
_MAX_TEXT = 2_000
_KEYWORD = re.compile(r"[\s(]*([a-zA-Z]+)")
_SYSTEMS = {"postgresql": "postgresql", "sqlite": "sqlite", "mysql": "mysql", "mariadb": "mariadb"}


class DatabaseSettings(Settings):
    """What counts as slow."""

    db_slow_query_seconds: float = Field(1.0, gt=0)


def instrument(engine: AsyncEngine, settings: DatabaseSettings | None = None) -> None:
    """Measure every statement and the pool of `engine`: metrics by table (`model`) and operation, one client span each.

    A statement outside of any trace (start-up, a poll) gets no span of its own.
    """
    hooks = _Hooks(engine.sync_engine, settings or read_settings(DatabaseSettings))
    # The dialect's hooks, not the engine's before_ and after_cursor_execute: with one of those, SQLAlchemy makes each
    # connection a dispatcher of its own, which costs more than all that is measured here.
    event.listen(engine.sync_engine, "do_execute", hooks.execute)
    event.listen(engine.sync_engine, "do_execute_no_params", hooks.execute_without_parameters)
    event.listen(engine.sync_engine, "do_executemany", hooks.execute_many)
    _engines.add(engine)


class _Engines:
    """The instrumented engines, for the pool gauges."""

    def __init__(self) -> None:
        self._all: WeakSet[AsyncEngine] = WeakSet()
        connections.set_function(self.connections)
        max_connections.set_function(self.max_connections)

    def add(self, engine: AsyncEngine) -> None:
        self._all.add(engine)

    def connections(self) -> float:
        return sum(pool.checkedout() for pool in self._pools())

    def max_connections(self) -> float:
        # SQLAlchemy has no public name for the overflow; without a limit it is -1.
        return sum(pool.size() + max(0, pool._max_overflow) for pool in self._pools())  # noqa: SLF001

    def _pools(self) -> list[QueuePool]:
        return [engine.sync_engine.pool for engine in self._all if isinstance(engine.sync_engine.pool, QueuePool)]


_engines = _Engines()


class _Hooks:
    def __init__(self, engine: Engine, settings: DatabaseSettings) -> None:
        self._slow = settings.db_slow_query_seconds
        self._dialect = engine.dialect
        url = engine.url
        system = _SYSTEMS.get(engine.dialect.name, "other_sql")
        self._database = url.database or system
        self._attributes: dict[str, str | int] = {"db.system.name": system}
        if url.database:
            self._attributes["db.namespace"] = url.database
        if url.host:
            self._attributes["server.address"] = url.host
        if url.port:
            self._attributes["server.port"] = url.port
        self._described = lru_cache(maxsize=_MAX_STATEMENTS)(self._describe)

    def execute(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        """Run one statement (SQLAlchemy's hook `do_execute`)."""
        return self._measure(self._dialect.do_execute, context, 1, cursor, statement, parameters)

    def execute_without_parameters(self, cursor: Any, statement: str, context: Any) -> bool:
        """Run one statement as it stands (`do_execute_no_params`)."""
        return self._measure(self._dialect.do_execute_no_params, context, 1, cursor, statement)

    def execute_many(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
        """Run one statement for each set of parameters (`do_executemany`)."""
        return self._measure(self._dialect.do_executemany, context, len(parameters), cursor, statement, parameters)

    def _measure(
        self, run: Callable[..., None], context: ExecutionContext, size: int, cursor: Any, statement: str, *given: Any
    ) -> bool:
        """Run a statement: timed, counted, its span ended, however it ends."""
        found = _known.get(statement) or _statement(context, statement)
        span = self._span(found, context, statement, size) if state.on else None
        started = perf_counter()
        error: BaseException | None = None
        try:
            run(cursor, statement, *given, context)
        except BaseException as raised:
            error = raised
            raise
        finally:
            seconds = perf_counter() - started
            found.duration.note(seconds)
            if seconds >= self._slow:
                found.slow.inc()
            if span is not None or error is not None:
                _end(found, span, error)
        return True

    def _span(self, found: "_Statement", context: ExecutionContext, statement: str, size: int) -> Span | None:
        above = trace.get_current_span()
        if type(above) is LightSpan:
            if not above.sampled:
                return None  # nor would a child be
        elif not above.get_span_context().is_valid:
            return None
        compiled = context.compiled
        # Values are placeholders there; hand-written SQL may hold values, and stays out.
        text = statement if compiled is not None and not isinstance(compiled.statement, TextClause) else None
        name, attributes = self._described(found.model, found.operation, text, batch=size > 1)
        span = state.start_span(name, kind=SpanKind.CLIENT)
        if span.is_recording():
            put(span, attributes)
            if size > 1:
                put(span, {"db.operation.batch.size": size})
        return span

    def _describe(
        self, model: str, operation: str, text: str | None, *, batch: bool
    ) -> tuple[str, dict[str, str | int]]:
        """Return a span's name and attributes; `other` is the metrics' word and names neither table nor operation."""
        attributes = dict(self._attributes)
        if operation != "other":
            attributes["db.operation.name"] = f"BATCH {operation.upper()}" if batch else operation.upper()
        if model != "other":
            attributes["db.collection.name"] = model
        if text is not None:
            attributes["db.query.text"] = text[:_MAX_TEXT]
        words = (attributes.get("db.operation.name"), attributes.get("db.collection.name") or self._database)
        return " ".join(str(word) for word in words if word), attributes


def _end(found: "_Statement", span: Span | None, error: BaseException | None) -> None:
    failed = isinstance(error, Exception)  # a cancelled request is no failure of the database
    if failed:
        found.errors.inc()
    if span is not None:
        if error is not None and failed:
            if code := getattr(error, "sqlstate", None):
                span.set_attribute("db.response.status_code", code)
            errors.record(span, error)
        span.end()


class _Statement(NamedTuple):
    """A statement's labels, and its series: looked up once, not at each run."""

    model: str
    operation: str
    duration: Pending[Buckets]
    slow: Counter
    errors: Counter


_known: dict[str, _Statement] = {}
"""By text. SQLAlchemy gives a compiled statement's own string, so this asks no more than whether it is the same."""

_models: set[str] = set()


def _statement(context: ExecutionContext, text: str) -> _Statement:
    """Find out what a statement is, and keep it."""
    table = _table(context.compiled.statement) if context.compiled else "other"
    if len(_known) >= _MAX_STATEMENTS:  # a text with its values in it, over and over
        _known.clear()
    _known[text] = found = _series(_bounded(table), _operation(text))
    return found


@lru_cache(maxsize=_MAX_MODELS * len(OPERATIONS))
def _series(model: str, operation: str) -> _Statement:
    labels = (model, operation)
    duration = durations.setdefault(labels, Pending(Buckets(BUCKETS)))
    return _Statement(model, operation, duration, slow_queries.labels(*labels), query_errors.labels(*labels))


def _table(statement: Any) -> str:
    table = getattr(statement, "table", None)  # insert, update, delete
    if table is None and hasattr(statement, "get_final_froms"):
        table = next(iter(statement.get_final_froms()), None)
        while table is not None and hasattr(table, "left"):  # a join: its first table
            table = table.left
    return str(getattr(table, "name", None) or "other")


def _operation(statement: str) -> str:
    found = _KEYWORD.match(statement)
    word = found[1].lower() if found else ""
    return word if word in OPERATIONS else "other"


def _bounded(model: str) -> str:
    if len(_models) < _MAX_MODELS:
        _models.add(model)
    return model if model in _models else "other"
