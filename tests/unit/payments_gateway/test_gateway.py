import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from uuid import uuid4

import httpx
import pytest

from payments_gateway.api import create_api
from payments_gateway.decisions import decline_code, latency_seconds
from payments_gateway.settings import GatewaySettings

CHARGE = {
    "order_id": "01930000-0000-7000-8000-000000000001",
    "amount_cents": 12900,
    "currency": "CNY",
    "card_number": "4242424242424242",
    "expiry": "12/39",
    "cvc": "123",
}


@pytest.fixture
def settings(tmp_path: Path) -> GatewaySettings:
    return GatewaySettings(payments_gateway_latency_median_ms=1, payments_gateway_database=str(tmp_path / "charges.db"))


@pytest.fixture
async def http(settings: GatewaySettings) -> AsyncIterator[httpx.AsyncClient]:
    api = create_api(settings)
    async with (
        api.router.lifespan_context(api),
        httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://gateway") as client,
    ):
        yield client


async def charge(http: httpx.AsyncClient, key: str, **changes: object) -> httpx.Response:
    return await http.post("/v1/charges", json={**CHARGE, **changes}, headers={"Idempotency-Key": key})


async def test_approves_and_declines_by_the_card(http: httpx.AsyncClient) -> None:
    approved = await charge(http, "a")
    assert (approved.status_code, approved.json()["status"], approved.json()["decline_code"]) == (201, "approved", None)
    declined = await charge(http, "b", card_number="4000000000009995")
    assert (declined.json()["status"], declined.json()["decline_code"]) == ("declined", "insufficient_funds")


async def test_charges_once_a_key(http: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(charge(http, "same") for _ in range(20)))
    assert len({answer.json()["charge_id"] for answer in answers}) == 1
    found = await http.get("/v1/charges", params={"idempotency_key": "same"})
    assert found.json() == answers[0].json()
    assert (await charge(http, "same", amount_cents=1)).status_code == 422
    assert (await http.get("/v1/charges", params={"idempotency_key": "never"})).status_code == 404


async def test_remembers_charges_over_a_restart(settings: GatewaySettings) -> None:
    ids = []
    for _ in range(2):
        api = create_api(settings)
        async with (
            api.router.lifespan_context(api),
            httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://gateway") as http,
        ):
            ids.append((await charge(http, "same")).json()["charge_id"])
    assert ids[0] == ids[1]


async def test_wrong_fields_are_named_and_not_repeated(http: httpx.AsyncClient) -> None:
    for field, value in (("amount_cents", 0), ("currency", "USD"), ("card_number", "4242"), ("expiry", "0/0")):
        answer = await charge(http, uuid4().hex, **{field: value})
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["body", field]
        assert "input" not in answer.json()["detail"][0]


def test_cards_expire_at_the_end_of_their_month() -> None:
    november = datetime(2026, 11, 30, 23, 59, tzinfo=UTC)
    assert decline_code("4242424242424242", "11/26", november) is None
    assert decline_code("4242424242424242", "10/26", november) == "expired_card"
    assert decline_code("4000000000000002", "12/39", november) == "generic_decline"


def test_times_are_like_a_banks() -> None:
    drawn = [latency_seconds(120) for _ in range(20_000)]
    assert 0.11 < median(drawn) < 0.13
    assert 0.28 < quantiles(drawn, n=100)[94] < 0.37
    assert max(drawn) <= 3.0
