"""Start, health, settings and the numbers: what operators rely on."""

import asyncio
import errno
import json
import math
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi import FastAPI
from redis.asyncio import Redis
from settling import settled
from sqlalchemy import Connection, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

from observability.logs.writer import Writer
from observability.metrics.logs import lines_dropped
from observability.metrics.reading import total
from observability.settings import read_settings
from shop import metrics
from shop.active_users import ActiveUsers, SeenInMemory, SeenInRedis
from shop.app import open_redis
from shop.cache import MemoryCache, RedisCache
from shop.database import Base, Database, exhaust_pool
from shop.dependencies import Shop
from shop.ids import new_id
from shop.settings import ShopSettings
from tests.unit.shop.conftest import GOOD_CARD, Customer

NOBODY_LISTENS = 9


def closed_redis() -> Redis:
    redis = open_redis(ShopSettings(redis_host="127.0.0.1", redis_port=NOBODY_LISTENS))
    assert redis is not None
    return redis


async def test_says_which_part_is_missing(http: httpx.AsyncClient, shop: Shop) -> None:
    assert (await http.get("/healthz")).json() == {"status": "ok"}
    ready = await http.get("/readyz")
    assert (ready.status_code, ready.json()["parts"]) == (200, {"database": "ok", "cache": "ok"})
    async with closed_redis() as redis:
        object.__setattr__(shop, "cache", RedisCache(redis))
        missing = await http.get("/readyz")
    assert missing.status_code == 503
    assert missing.json()["parts"]["database"] == "ok"
    assert "ConnectionError" in missing.json()["parts"]["cache"]
    assert (await http.get("/healthz")).status_code == 200


async def test_sells_while_its_log_volume_is_full(
    customer: Customer,
    product_id: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    stderr: list[str] = []

    def told(lines: list[str], order: str) -> list[str]:
        """What the lines tell of the order."""
        return [json.loads(line)["message"].replace(order, "ID") for line in lines if order in line]

    def in_file(order: str) -> list[str]:
        return told((tmp_path / "logs/combined.log").read_text(encoding="utf-8").splitlines(), order)

    def on_stderr(order: str) -> list[str]:
        stderr.extend(capfd.readouterr().err.splitlines())
        return told(stderr, order)

    async def sell() -> str:
        order = await customer.order(product_id)
        paid = await customer.post(f"/orders/{order['id']}/payment", GOOD_CARD)
        assert (paid.status_code, paid.json()["status"]) == (200, "paid")
        return str(order["id"])

    last = "POST /api/v1/orders/ID/payment 200"
    usual = await sell()
    assert await settled(lambda: last in in_file(usual))
    assert on_stderr(usual) == []
    stderr.clear()
    dropped = total(lines_dropped, reason="write_error")
    with monkeypatch.context() as full:
        full.setattr(Writer, "failure", OSError(errno.ENOSPC, "full"))
        meanwhile = await sell()
        assert await settled(lambda: last in on_stderr(meanwhile))
    assert on_stderr(meanwhile) == in_file(usual)
    assert in_file(meanwhile) == []
    assert total(lines_dropped, reason="write_error") == dropped + len(stderr)
    afterwards = await sell()
    assert await settled(lambda: in_file(afterwards) == in_file(usual))


async def test_sells_without_its_cache(
    http: httpx.AsyncClient, customer: Customer, shop: Shop, product_id: str
) -> None:
    async with closed_redis() as redis:
        object.__setattr__(shop, "cache", RedisCache(redis))
        assert (await http.get(f"/api/v1/products/{product_id}")).status_code == 200
        await customer.order(product_id)


async def test_a_database_that_is_away_is_503_and_comes_back(http: httpx.AsyncClient, shop: Shop) -> None:
    def away() -> None:
        raise PoolTimeoutError("busy")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shop.database.engine.sync_engine.pool, "connect", away)
        answer = await http.get("/api/v1/products?q=x")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:ecommerce:problem:service-busy")
    assert answer.headers["retry-after"] == "2"
    assert (await http.get("/api/v1/products?q=x")).status_code == 200


async def test_what_nobody_expected_is_a_500_that_tells_only_the_id(app: FastAPI, http: httpx.AsyncClient) -> None:
    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a secret detail")

    answer = await http.get("/broken")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["requestId"]
    assert "secret" not in answer.text


async def test_errors_of_the_framework_are_problem_details_too(http: httpx.AsyncClient) -> None:
    for answer in (await http.get("/nothing"), await http.put("/api/v1/products")):
        assert answer.status_code in {404, 405}
        assert answer.headers["content-type"] == "application/problem+json"


async def test_the_pool_fault_takes_every_connection_and_gives_them_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = True
    monkeypatch.setattr("observability.faults.share", lambda name: float(running and name == "pool_exhaustion"))
    await asyncio.sleep(0.5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await shop.database.ping()
    running = False
    async with asyncio.timeout(2):
        await shop.database.ping()


async def test_the_pool_fault_takes_its_share_and_leaves_the_rest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    share = 0.0
    monkeypatch.setattr("observability.faults.share", lambda _: share)
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{tmp_path / 'shop.db'}", poolclass=AsyncAdaptedQueuePool, pool_size=10, max_overflow=0
    )
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    database = Database(engine)
    fault = asyncio.create_task(exhaust_pool(database))

    async def taken(connections: int) -> None:
        async with asyncio.timeout(3):
            while pool.checkedout() != connections:  # noqa: ASYNC110 - a pool tells nobody
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        assert pool.checkedout() == connections, "and stays so"

    for share, connections in ((0.9, 9), (1.0, 10), (0.85, 9), (0.3, 3), (0.0, 0)):
        await taken(connections)
        if share < 1:
            await database.ping()
    fault.cancel()
    await asyncio.wait([fault])
    await engine.dispose()


@pytest.mark.parametrize("way", ["reading", "transaction"])
async def test_a_request_that_is_cancelled_gives_its_connection_back(shop: Shop, way: str) -> None:
    async def ask() -> None:
        async with getattr(shop.database, way)() as session:
            await session.execute(text("SELECT 1"))

    pool = shop.database.engine.sync_engine.pool
    assert isinstance(pool, QueuePool)
    for turns in range(100):  # turns of the event loop: as it takes the connection, prepares it, asks and gives it back
        asking = asyncio.create_task(ask())
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        assert pool.checkedout() == 0, f"cancelled after {turns} turns"


async def test_the_slow_query_fault_sleeps_in_the_database(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("observability.faults.active", lambda name: name == "slow_queries")
    monkeypatch.setattr("observability.faults.delay", lambda _name, _default: 0.25)
    started = asyncio.get_running_loop().time()
    async with shop.database.reading() as session:
        await session.execute(text("SELECT 1"))
    assert asyncio.get_running_loop().time() - started >= 0.25


async def test_the_migrations_make_what_the_models_say(shop: Shop) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))

    async with shop.database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_snapshot_and_scrape_agree(http: httpx.AsyncClient, customer: Customer, product_id: str) -> None:
    await customer.order(product_id)
    snapshot = (await http.get("/api/v1/metrics/business")).json()
    scrape = (await http.get("/metrics")).text
    created = snapshot["orders"]["value"]
    assert created > 0
    assert f'orders_total{{status="created"}} {created}' in scrape.splitlines()
    assert snapshot["orders"]["details"]["conversion_rate"] > 0


async def test_a_visit_counts_once(http: httpx.AsyncClient) -> None:
    before = total(metrics.visitor_sessions)
    for _ in range(3):
        await http.get("/api/v1/products")
    assert total(metrics.visitor_sessions) == before + 1
    forged = await http.get("/api/v1/products", headers={"Cookie": 'visit="a\\015\\012Set-Cookie: b=c"'})
    assert total(metrics.visitor_sessions) == before + 2
    assert "b=c" not in str(forged.headers)


async def test_counts_distinct_users_and_says_when_it_cannot() -> None:
    users = ActiveUsers(SeenInMemory())
    for user in ("a", "b", "a"):
        users.note(user)
    await users.flush()
    await users.flush()
    assert total(metrics.active_users) == 2
    async with closed_redis() as redis:
        lost = ActiveUsers(SeenInRedis(redis))
        lost.note("a")
        await lost.flush()
    assert math.isnan(total(metrics.active_users))
    assert metrics.snapshot().users.value is None


async def test_memory_forgets_what_was_used_longest_ago() -> None:
    cache = MemoryCache(capacity=2)
    for key in ("a", "b"):
        await cache.set(key, b"1", 10)
    await cache.get("a")
    await cache.set("c", b"1", 10)
    assert [await cache.get(key) for key in ("a", "b", "c")] == [b"1", None, b"1"]
    await cache.set("a", b"1", 0)
    assert await cache.get("a") is None


def test_ids_are_uuid7_and_sort_by_time() -> None:
    ids = [new_id() for _ in range(100)]
    assert {UUID(str(made)).version for made in ids} == {7}
    assert {made.variant for made in ids} == {"specified in RFC 4122"}
    assert [made.int >> 80 for made in ids] == sorted(made.int >> 80 for made in ids)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("PORT", "0", "PORT"),
        ("DATABASE_POOL_SIZE", "many", "DATABASE_POOL_SIZE"),
        ("TOKEN_KEY", "short", "TOKEN_KEY"),
        ("POSTGRES_HOST", "postgres", "TOKEN_KEY_FILE"),
    ],
)
def test_wrong_settings_end_the_process_with_one_line(
    name: str, value: str, complaint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        read_settings(ShopSettings)
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert complaint in lines[0]
    assert value not in lines[0] or name != "TOKEN_KEY"


def test_secrets_are_read_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k" * 32 + "\n")
    monkeypatch.setenv("TOKEN_KEY_FILE", str(tmp_path / "key"))
    settings = read_settings(ShopSettings)
    assert settings.token_key is not None
    assert settings.token_key.get_secret_value() == "k" * 32
    assert "k" * 32 not in repr(settings)
