from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import REGISTRY
from sqlalchemy import (
    DDL,
    Executable,
    ForeignKey,
    Integer,
    String,
    delete,
    func,
    insert,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from observability import traced
from observability.database import DatabaseSettings, instrument
from observability.metrics.snapshot import application

Change = Callable[..., float]


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String, unique=True)


class Purchase(Base):
    __tablename__ = "purchases"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    customer: Mapped[int] = mapped_column(ForeignKey("customers.id"))


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    made = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/x.sqlite3", pool_size=3, max_overflow=2)
    instrument(made, DatabaseSettings(db_slow_query_seconds=0.2))
    async with made.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield made
    await made.dispose()


def count(change: Change, model: str, operation: str) -> float:
    return change("db_query_duration_seconds_count", model=model, operation=operation)


async def test_each_statement_counts_by_table_and_operation(engine: AsyncEngine, change: Change) -> None:
    expected = {
        ("customers", "insert"): 2,
        ("customers", "select"): 1,
        ("customers", "update"): 1,
        ("customers", "delete"): 1,
        ("purchases", "select"): 2,
        ("other", "select"): 1,
    }
    for labels in expected:
        count(change, *labels)
    async with AsyncSession(engine) as session:
        session.add(Customer(id=1, name="a"))
        await session.flush()
        await session.execute(insert(Customer), [{"id": 2, "name": "b"}, {"id": 3, "name": "c"}])
        await session.execute(select(Customer).where(Customer.name == "secret-value"))
        await session.execute(update(Customer).values(name="z").where(Customer.id == 2))
        for _ in range(2):
            await session.execute(select(Purchase, Customer).join(Customer))
        await session.execute(delete(Customer).where(Customer.id == 1))
        await session.execute(text("SELECT 1"))
    assert {labels: count(change, *labels) for labels in expected} == expected


async def test_refused_statements_count_too(engine: AsyncEngine, change: Change) -> None:
    labels = {"model": "customers", "operation": "insert"}
    change("db_query_errors_total", **labels)
    count(change, **labels)
    async with AsyncSession(engine) as session:
        session.add_all([Customer(id=1, name="same")])
        await session.flush()
        with pytest.raises(IntegrityError):
            await session.execute(insert(Customer).values(id=2, name="same"))
    assert change("db_query_errors_total", **labels) == 1
    assert count(change, **labels) == 2


SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT max(i) FROM n"


async def test_a_statement_whose_request_is_cancelled_counts_and_is_no_error(
    engine: AsyncEngine, change: Change, spans: Any
) -> None:
    labels = {"model": "other", "operation": "other"}
    change("db_query_errors_total", **labels)
    count(change, **labels)
    async with engine.connect() as connection:
        with traced("cancelled"), pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connection.execute(text(SLOW))
    assert count(change, **labels) == 1
    assert change("db_query_errors_total", **labels) == 0
    statement = next(span for span in spans.get_finished_spans() if span.kind is SpanKind.CLIENT)
    assert statement.status.status_code is StatusCode.UNSET


async def test_slow_statements_count(engine: AsyncEngine, change: Change) -> None:
    labels = {"model": "other", "operation": "other"}
    change("db_slow_queries_total", **labels)
    async with engine.connect() as connection:
        await connection.execute(text(SLOW))
    assert change("db_slow_queries_total", **labels) == 1


async def test_one_client_span_a_statement_without_values(engine: AsyncEngine, spans: Any) -> None:
    async with AsyncSession(engine) as session:
        await session.execute(select(Customer))  # no trace, no span
        with traced("work"):
            await session.execute(select(Customer).where(Customer.name == "secret-value"))
            await session.execute(text("SELECT 'literal-value'"))
            with pytest.raises(IntegrityError):
                await session.execute(insert(Purchase).values(id=1, customer=None))
    query, literal, refused, work = spans.get_finished_spans()
    assert (query.name, query.kind, query.parent.span_id) == (
        "SELECT customers",
        SpanKind.CLIENT,
        work.context.span_id,
    )
    assert query.attributes["db.system.name"] == "sqlite"
    assert query.attributes["db.operation.name"] == "SELECT"
    assert query.attributes["db.collection.name"] == "customers"
    assert "WHERE customers.name = ?" in query.attributes["db.query.text"]
    assert "value" not in str([query.attributes, literal.attributes])
    assert (refused.status.status_code, len(refused.events)) == (StatusCode.ERROR, 1)


@pytest.mark.parametrize(
    "statement",
    [
        text("SELECT 1 AS id, 'secret-value' AS name").columns(Customer.id, Customer.name),
        select(Customer).from_statement(text("SELECT 1 AS id, 'secret-value' AS name")),
        select(Customer).where(text("name = 'secret-value'")),
        select(Customer).where(Customer.id.in_(select(Purchase.id).where(text("'secret-value' = ''")))),
        select(literal_column("'secret-value'")),
        DDL("CREATE TABLE a (b text DEFAULT 'secret-value')"),
    ],
)
async def test_sql_written_by_hand_is_not_shown(statement: Executable, engine: AsyncEngine, spans: Any) -> None:
    async with AsyncSession(engine) as session:
        with traced("work"):
            await session.execute(statement)
            await session.execute(select(func.count()).select_from(Customer))
    assert "value" not in str([dict(span.attributes) for span in spans.get_finished_spans()])
    assert "count(*)" in spans.get_finished_spans()[-2].attributes["db.query.text"]


async def test_the_time_is_the_statements_own(
    engine: AsyncEngine, change: Change, spans: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = {"model": "purchases", "operation": "insert"}
    change("db_slow_queries_total", **labels)
    monkeypatch.setattr("observability.database.errors.record", lambda *_: time.sleep(0.3))
    async with AsyncSession(engine) as session:
        with traced("work"), pytest.raises(IntegrityError):
            await session.execute(insert(Purchase).values(id=1, customer=None))
    assert spans.get_finished_spans()
    assert change("db_slow_queries_total", **labels) == 0


async def test_what_is_not_known_is_left_out_and_a_batch_is_named_as_one(engine: AsyncEngine, spans: Any) -> None:
    with traced("work"):
        async with engine.begin() as connection:
            await connection.execute(text("SELECT 1"))
            await connection.execute(text("EXPLAIN SELECT 1"))
            await connection.execute(insert(Customer), [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])
            await connection.execute(insert(Customer), [{"id": 3, "name": "c"}])
    literal, unknown, batch, one, _ = spans.get_finished_spans()
    database = literal.attributes["db.namespace"]
    assert [span.name for span in (literal, unknown, batch, one)] == [
        f"SELECT {database}",
        database,
        "BATCH INSERT customers",
        "INSERT customers",
    ]
    assert "db.collection.name" not in literal.attributes
    assert "db.operation.name" not in unknown.attributes
    assert (batch.attributes["db.operation.name"], batch.attributes["db.operation.batch.size"]) == ("BATCH INSERT", 2)
    assert "db.operation.batch.size" not in one.attributes


async def test_the_pool_is_read_and_the_snapshot_says_the_same(engine: AsyncEngine) -> None:
    before = REGISTRY.get_sample_value("database_connections") or 0
    async with engine.connect(), engine.connect():
        used = REGISTRY.get_sample_value("database_connections")
        most = REGISTRY.get_sample_value("database_max_connections")
        assert used == before + 2
        assert most
        assert most >= 5
        details = application().database.details
        assert (details.connections, details.maximum) == (used, most)
        assert details.pool_utilization == round(100 * used / most, 3)
    assert REGISTRY.get_sample_value("database_connections") == before


async def test_concurrent_statements_do_not_mix(engine: AsyncEngine, change: Change) -> None:
    labels = {"model": "purchases", "operation": "select"}
    count(change, **labels)

    async def one() -> None:
        async with engine.connect() as connection:
            await connection.execute(select(Purchase))

    await asyncio.gather(*(one() for _ in range(20)))
    assert count(change, **labels) == 20
