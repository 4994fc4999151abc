"""Database metrics and spans from SQLAlchemy's own events: no call site can forget them.

(opentelemetry-instrumentation-sqlalchemy refuses SQLAlchemy 2.1 and has no metrics by table.)
"""

import re
from collections.abc import Callable
from functools import lru_cache
from time import perf_counter, time_ns
from typing import Any
from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from prometheus_client import Counter
from pydantic import Field
from sqlalchemy import DDL, ColumnClause, Engine, TextClause, event
from sqlalchemy.engine.interfaces import ExecutionContext
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql import visitors

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
        self._known: dict[str, _Statement] = {}
        """By text. SQLAlchemy gives a compiled statement's own string, so this only asks whether it is the same."""

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
        found = self._known.get(statement) or self._find(context, statement)
        above = trace.get_current_span() if state.on else trace.INVALID_SPAN
        # Nobody sees this span before its end, so where it is plain it is only written down then.
        parent = above if type(above) is LightSpan and above.takes_leaves() else None
        span = _start(above, found, size) if parent is None else None
        began, started = time_ns(), perf_counter()
        try:
            run(cursor, statement, *given, context)
        except BaseException as error:
            self._note(found, perf_counter() - started)
            if parent is not None:
                name, attributes = found.describe(size)
                span = parent.child(name, SpanKind.CLIENT, began)
                put(span, attributes)
            if isinstance(error, Exception):  # a cancelled request is no failure of the database
                _fail(found, span, error)
            if span is not None:
                span.end()
            raise
        self._note(found, perf_counter() - started)
        if parent is not None:
            parent.leaf(*found.describe(size), SpanKind.CLIENT, began)
        elif span is not None:
            span.end()
        return True

    def _note(self, found: "_Statement", seconds: float) -> None:
        found.duration.note(seconds)
        if seconds >= self._slow:
            found.slow.inc()

    def _find(self, context: ExecutionContext, text: str) -> "_Statement":
        """Find out what a statement is, and keep it."""
        compiled = context.compiled
        model, operation = _bounded(_table(compiled.statement) if compiled else "other"), _operation(text)
        attributes = dict(self._attributes)
        # `other` is the metrics' word, and names neither table nor operation.
        if operation != "other":
            attributes["db.operation.name"] = operation.upper()
        if model != "other":
            attributes["db.collection.name"] = model
        # Values are placeholders there; hand-written SQL may hold values, and stays out.
        if compiled is not None and not _is_hand_written(compiled.statement):
            attributes["db.query.text"] = text[:_MAX_TEXT]
        if len(self._known) >= _MAX_STATEMENTS:  # a text with its values in it, over and over
            self._known.clear()
        target = str(attributes.get("db.collection.name") or self._database)
        self._known[text] = found = _Statement(*_series(model, operation), target, attributes)
        return found


def _start(above: Span, found: "_Statement", size: int) -> Span | None:
    """Start a statement's span; None outside of any trace, and where a child would not be sampled."""
    if type(above) is LightSpan:
        if not above.sampled:
            return None
    elif not above.get_span_context().is_valid:
        return None
    name, attributes = found.describe(size)
    span = state.start_span(name, kind=SpanKind.CLIENT)
    if span.is_recording():
        put(span, attributes)
    return span


def _fail(found: "_Statement", span: Span | None, error: Exception) -> None:
    found.errors.inc()
    if span is not None:
        if code := getattr(error, "sqlstate", None):
            span.set_attribute("db.response.status_code", code)
        errors.record(span, error)


class _Statement:
    """A statement's series and its span's name and attributes: looked up once, not at each run."""

    __slots__ = ("_alone", "_target", "duration", "errors", "slow")

    def __init__(
        self,
        duration: Pending[Buckets],
        slow: Counter,
        errors: Counter,
        target: str,
        attributes: dict[str, str | int],
    ) -> None:
        self.duration = duration
        self.slow = slow
        self.errors = errors
        self._target = target
        self._alone = self._named(attributes), attributes

    def describe(self, size: int) -> tuple[str, dict[str, str | int]]:
        """Return the span's name and attributes, which nobody may change, for so many sets of parameters."""
        if size <= 1:
            return self._alone
        attributes = self._alone[1] | {"db.operation.batch.size": size}
        if "db.operation.name" in attributes:
            attributes["db.operation.name"] = f"BATCH {attributes['db.operation.name']}"
        return self._named(attributes), attributes

    def _named(self, attributes: dict[str, str | int]) -> str:
        operation = attributes.get("db.operation.name")
        return f"{operation} {self._target}" if operation else self._target


_models: set[str] = set()


@lru_cache(maxsize=_MAX_MODELS * len(OPERATIONS))
def _series(model: str, operation: str) -> tuple[Pending[Buckets], Counter, Counter]:
    labels = (model, operation)
    duration = durations.setdefault(labels, Pending(Buckets(BUCKETS)))
    return duration, slow_queries.labels(*labels), query_errors.labels(*labels)


def _is_hand_written(statement: Any) -> bool:
    """Return whether any of it is. The `*` of `count(*)` is SQLAlchemy's own."""
    return isinstance(statement, DDL) or any(
        isinstance(part, TextClause) or (isinstance(part, ColumnClause) and part.is_literal and part.name != "*")
        for part in visitors.iterate(statement)
    )


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
