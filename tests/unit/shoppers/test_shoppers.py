import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from itertools import takewhile
from pathlib import Path

import httpx
import pytest

from shop.app import create_app
from shop.settings import ShopSettings
from shoppers.app import Crowd
from shoppers.arrivals import REQUESTS_A_VISIT, arrivals, rhythm
from shoppers.customer import Customer
from shoppers.settings import ShopperSettings
from shoppers.tally import ENDS, Tally
from shoppers.visit import Accounts, visit


@pytest.fixture
async def transport(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.ASGITransport]:
    for name in ShopSettings.model_fields:  # those of the person at the keyboard
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("LOG_PATH", str(tmp_path / "logs"))
    monkeypatch.setenv("LOG_CONSOLE", "off")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("PAYMENTS_GATEWAY_LATENCY_MEDIAN_MS", "0")
    app = create_app(ShopSettings(sqlite_path=str(tmp_path / "shop.db")))
    async with app.router.lifespan_context(app):
        yield httpx.ASGITransport(app)


async def make_visits(transport: httpx.ASGITransport, count: int) -> Tally:
    tally, accounts = Tally(), Accounts("test")
    for number in range(count):
        client = httpx.AsyncClient(transport=transport, base_url="http://shop")
        customer = Customer(client, tally, random.Random(f"1:{number}"), think_seconds=0)
        tally.ended(await visit(customer, accounts))
    assert tally.counts["server_error"] == tally.counts["no_answer"] == tally.counts["failed"] == 0
    return tally


async def test_a_healthy_shop_refuses_less_than_2_percent(transport: httpx.ASGITransport) -> None:
    visits = 80
    tally = await make_visits(transport, visits)
    summary = tally.summary(60)
    requests = summary["requests"]
    assert requests
    assert 0.8 < requests / visits / REQUESTS_A_VISIT < 1.2
    assert summary["clientErrorPercent"] is not None
    assert summary["clientErrorPercent"] < 2
    assert tally.summary(60)["requests"] == 0  # it began anew


async def test_who_buys_does_all_that_customers_do(
    transport: httpx.ASGITransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shoppers.visit.BUYS", 1.0)
    tally = await make_visits(transport, 40)
    assert {end for end in ENDS if tally.counts[end]} >= {"cart_left", "cancelled", "paid"}
    assert 0 < tally.counts["client_error"] < 15  # mistyped passwords and declined cards


async def test_the_crowd_waits_for_the_shop_and_comes(transport: httpx.ASGITransport) -> None:
    away = 2

    async def front_door(request: httpx.Request) -> httpx.Response:
        nonlocal away
        if away:
            away -= 1
            raise httpx.ConnectError("closed")
        return await transport.handle_async_request(request)

    settings = ShopperSettings(shoppers_rate=200, shoppers_think_seconds=0, shop_url="http://shop")
    crowd = Crowd(settings, httpx.MockTransport(front_door))
    task = asyncio.create_task(crowd.run())
    async with asyncio.timeout(20):
        while crowd.tally.counts["success"] < 20:  # noqa: ASYNC110 - an event would be there for this test alone
            await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert away == 0


def _visits(seed: int) -> list[tuple[float, float]]:
    made = arrivals(10, 3600, seed)
    return [(at, dice.random()) for at, dice in takewhile(lambda made: made[0] < 600, made)]


def test_the_same_seed_makes_the_same_visits() -> None:
    assert _visits(1) == _visits(1)
    assert _visits(1) != _visits(2)


def test_arrivals_keep_the_rate_and_the_day() -> None:
    day, rate = 3600.0, 10.0
    times = [at for at, _ in takewhile(lambda made: made[0] < 10 * day, arrivals(rate, day, seed=3))]
    expected = rate * 10 * day / REQUESTS_A_VISIT
    assert abs(len(times) - expected) < 4 * expected**0.5
    halves = Counter(at % day < day / 2 for at in times)
    assert 1.7 < halves[True] / halves[False] < 2.2  # (1 + 2·0.5/π) over (1 - 2·0.5/π)
    assert rhythm(123, 0) == 1.0
