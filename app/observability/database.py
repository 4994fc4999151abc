"""Database metrics and spans from SQLAlchemy's own events: no call site can forget them.

(opentelemetry-instrumentation-sqlalchemy refuses SQLAlchemy 2.1 and has no metrics by table.)
"""

import re
from functools import lru_cache
from time import perf_counter
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from opentelemetry import trace
from opentelemetry.trace import SpanKind
from pydantic import Field
from sqlalchemy import Connection, Engine, ExceptionContext, TextClause, event
from sqlalchemy.engine.interfaces import Compiled, ExecutionContext
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from observability.metrics.database import (
    OPERATIONS,
    connections,
    max_connections,
    query_duration,
    query_errors,
    slow_queries,
)
from observability.settings import Settings, read_settings
from observability.traces import errors
from observability.traces.state import state

_MAX_MODELS = 200
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
    event.listen(engine.sync_engine, "before_cursor_execute", hooks.before)
    event.listen(engine.sync_engine, "after_cursor_execute", hooks.after)
    event.listen(engine.sync_engine, "handle_error", hooks.error)
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
        self._described = lru_cache(maxsize=2 * _MAX_MODELS)(self._describe)

    def before(
        self, conn: Connection, _cursor: Any, statement: str, parameters: Any, context: Any, executemany: Any
    ) -> None:
        labels = _labels(context, statement)
        span = None
        if state.on and trace.get_current_span().get_span_context().is_valid:
            size = len(parameters) if executemany else 1
            name, attributes = self._described(*labels, batch=size > 1)
            span = state.tracer.start_span(name, kind=SpanKind.CLIENT)
            if span.is_recording():
                if size > 1:
                    span.set_attribute("db.operation.batch.size", size)
                span.set_attributes(attributes | _text(context, statement))
        conn.info["observability"] = (labels, perf_counter(), span)

    def _describe(self, model: str, operation: str, *, batch: bool) -> tuple[str, dict[str, str | int]]:
        """Return a span's name and attributes; `other` is the metrics' word and names neither table nor operation."""
        attributes = dict(self._attributes)
        if operation != "other":
            attributes["db.operation.name"] = f"BATCH {operation.upper()}" if batch else operation.upper()
        if model != "other":
            attributes["db.collection.name"] = model
        words = (attributes.get("db.operation.name"), attributes.get("db.collection.name") or self._database)
        return " ".join(str(word) for word in words if word), attributes

    def after(self, conn: Connection, *_: Any) -> None:
        self._record(conn, None)

    def error(self, context: ExceptionContext) -> None:
        if context.connection is not None:
            self._record(context.connection, context.original_exception)

    def _record(self, conn: Connection, error: BaseException | None) -> None:
        begun = conn.info.pop("observability", None)
        if begun is None:  # an error outside of a statement, like a refused connection
            return
        labels, started, span = begun
        seconds = perf_counter() - started
        query_duration.labels(*labels).observe(seconds)
        if seconds >= self._slow:
            slow_queries.labels(*labels).inc()
        if error is not None:
            query_errors.labels(*labels).inc()
        if span is not None:
            if error is not None:
                if code := getattr(error, "sqlstate", None):
                    span.set_attribute("db.response.status_code", code)
                errors.record(span, error)
            span.end()


_known: "WeakKeyDictionary[Compiled, tuple[str, str]]" = WeakKeyDictionary()
_models: set[str] = set()


def _labels(context: ExecutionContext, statement: str) -> tuple[str, str]:
    """Return model and operation. SQLAlchemy caches compiled statements, so this is computed once a statement."""
    compiled = context.compiled
    if compiled is None:
        return _bounded("other"), _operation(statement)
    labels = _known.get(compiled)
    if labels is None:
        labels = _known[compiled] = (_bounded(_table(compiled.statement)), _operation(statement))
        slow_queries.labels(*labels)
        query_errors.labels(*labels)
    return labels


def _text(context: ExecutionContext, statement: str) -> dict[str, str | int]:
    """Return the statement where its values are placeholders; hand-written SQL may hold values, and stays out."""
    if context.compiled is None or isinstance(context.compiled.statement, TextClause):
        return {}
    return {"db.query.text": statement[:2_000]}


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
