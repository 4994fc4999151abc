"""The database: PostgreSQL, or SQLite when the shop runs alone; the same statements on both."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Dialect, Uuid, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool
from sqlalchemy.types import TypeDecorator

from observability import faults
from shop.settings import ShopSettings

SLOW_QUERY_SECONDS = 1.2  # the fault slow_queries: just over the threshold of db_slow_queries_total (1 s)

_FAULT_POLL_SECONDS = 0.2


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets the time zone, this gives it back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment with its zone."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Base of all tables."""

    type_annotation_map = {UUID: Uuid(), datetime: UtcDateTime()}  # noqa: RUF012 - SQLAlchemy's own declaration


def utc_now() -> datetime:
    """Return this moment in UTC."""
    return datetime.now(UTC)


class Database:
    """Sessions on one engine. A session holds a connection of the pool, so never keep one while waiting for others."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._transactions = async_sessionmaker(engine, expire_on_commit=False)
        # A lone SELECT needs no BEGIN and COMMIT around it: two round trips less. The option is the sessions', not an
        # engine's: that sets it where nothing gives the connection back when the request is cancelled meanwhile.
        self._readings = async_sessionmaker(
            engine, expire_on_commit=False, execution_options={"isolation_level": "AUTOCOMMIT"}
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """All or nothing: commits at the end of the block, rolls back when it raises."""
        async with self._transactions.begin() as session:
            await self._fault(session)
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """For reading: each statement sees what is committed at its own moment."""
        async with self._readings() as session:
            await self._fault(session)
            yield session

    async def ping(self) -> None:
        """Raise when the database does not answer."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def _fault(self, session: AsyncSession) -> None:
        if faults.active("slow_queries"):
            sleep = "pg_sleep" if self.engine.dialect.name == "postgresql" else "sleep"
            seconds = faults.delay("slow_queries", SLOW_QUERY_SECONDS)
            await session.execute(text(f"SELECT {sleep}(:seconds)"), {"seconds": seconds})


def open_database(settings: ShopSettings) -> Database:
    """Make the engine; connections are opened when they are first needed."""
    if settings.postgres_host:
        return Database(_postgresql(settings))
    return Database(_sqlite(settings))


def _postgresql(settings: ShopSettings) -> AsyncEngine:
    return create_async_engine(
        settings.database_url,
        pool_size=settings.database_pool_size,
        max_overflow=0,  # a hard limit, so that pool utilization has a meaning
        pool_timeout=settings.database_pool_timeout_seconds,
        pool_pre_ping=True,  # a restarted PostgreSQL costs no request
        hide_parameters=True,  # an error's text reaches the log; its values must not
        connect_args={
            "timeout": 5,
            "command_timeout": 15,  # when the server itself no longer answers
            "server_settings": {
                "application_name": "shop",
                "statement_timeout": "10s",
                "lock_timeout": "5s",
                "idle_in_transaction_session_timeout": "30s",
            },
        },
    )


def _sqlite(settings: ShopSettings) -> AsyncEngine:
    engine = create_async_engine(
        settings.database_url,
        poolclass=AsyncAdaptedQueuePool,
        # SQLite has one writer at a time anyway: one connection queues fairly where more would fail with "locked"
        pool_size=1,
        max_overflow=0,
        pool_timeout=30,
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        import time  # noqa: PLC0415 - only the fault's sleep() needs it

        connection.isolation_level = None  # the driver would begin transactions too late; see _begin
        connection.run_async(lambda driver: driver.create_function("sleep", 1, time.sleep))
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")  # safe with WAL, and many times faster
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            # IMMEDIATE: take the write lock first, or two processes that both read and then write would fail
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


async def insert_new(session: AsyncSession, table: type[Base], *rows: dict[str, Any]) -> int:
    """Insert the rows whose keys are not there yet, and return how many those were.

    Where another transaction is inserting the same key, this waits for its outcome.
    """
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    result = await session.execute(insert(table).values(list(rows)).on_conflict_do_nothing())
    return int(result.rowcount)  # type: ignore[attr-defined] # an INSERT gives a CursorResult, which the stubs lose


async def exhaust_pool(database: Database) -> None:
    """Hold every connection, or their share, while the fault `pool_exhaustion` runs; runs until cancelled."""
    pool = database.engine.pool
    size = pool.size() if isinstance(pool, QueuePool) else 1
    held: list[AsyncConnection] = []

    async def take() -> None:
        held.append(await database.engine.connect())

    taking: asyncio.Task[None] | None = None
    try:
        while True:
            share = faults.share("pool_exhaustion")
            enough = math.ceil(share * size)
            # the whole of it is never enough: what a request gives back is queued for, too
            if share == 1 or len(held) < enough:
                taking = taking or asyncio.create_task(take())  # queues for a connection like any request
                if (await asyncio.wait([taking], timeout=_FAULT_POLL_SECONDS))[0]:
                    taking.exception()  # a queue too long is what this is for
                    taking = None
            else:
                await _let_go(taking, held, enough)
                taking = None
                await asyncio.sleep(_FAULT_POLL_SECONDS)
    finally:
        await _let_go(taking, held, 0)


async def _let_go(taking: asyncio.Task[None] | None, held: list[AsyncConnection], but: int) -> None:
    if taking:
        taking.cancel()
        await asyncio.wait([taking])
    while len(held) > but:
        await held.pop().close()
