import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from observability.metrics.reading import total
from shop import metrics
from shop.dependencies import Shop
from shop.housekeeping import keep_house_once
from shop.payments import service
from shop.payments.gateway import Charge, GatewayUnavailable, PaymentGateway, open_gateway
from shop.payments.schemas import Card, passes_luhn
from tests.unit.shop.conftest import DECLINED_CARD, GOOD_CARD, Customer, Register


async def charges(shop: Shop) -> Counter[str]:
    async with shop.database.reading() as session:
        return Counter((await session.execute(text("SELECT status FROM payments"))).scalars())


async def status(customer: Customer, order: dict[str, object]) -> str:
    return str((await customer.get(f"/orders/{order['id']}")).json()["status"])


async def test_pays_once_however_often_it_is_asked(customer: Customer, shop: Shop, product_id: str) -> None:
    order = await customer.order(product_id)
    before = total(metrics.payments, result="successful")
    url = f"/orders/{order['id']}/payment"
    answers = await asyncio.gather(*(customer.post(url, GOOD_CARD, key="same") for _ in range(10)))
    assert {(answer.status_code, answer.json()["status"]) for answer in answers} == {(200, "paid")}
    assert await charges(shop) == {"approved": 1}
    assert total(metrics.payments, result="successful") == before + 1

    other = await customer.post(url, {**GOOD_CARD, "cvc": "999"}, key="same")
    assert (other.status_code, other.json()["type"]) == (422, "urn:ecommerce:problem:idempotency-key-reused")


async def test_different_keys_at_once_charge_once(customer: Customer, shop: Shop, product_id: str) -> None:
    order = await customer.order(product_id)
    url = f"/orders/{order['id']}/payment"
    answers = await asyncio.gather(*(customer.post(url, GOOD_CARD) for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 9}
    assert await charges(shop) == {"approved": 1}


async def test_a_declined_card_can_be_followed_by_a_good_one(customer: Customer, shop: Shop, product_id: str) -> None:
    order = await customer.order(product_id)
    url = f"/orders/{order['id']}/payment"
    for _ in range(2):
        declined = await customer.post(url, DECLINED_CARD, key="first")
        assert (declined.status_code, declined.json()["type"]) == (402, "urn:ecommerce:problem:card-declined")
        assert "generic_decline" in declined.json()["detail"]
        assert await status(customer, order) == "payment_failed"
    assert (await customer.post(url, GOOD_CARD, key="second")).json()["status"] == "paid"
    assert (await customer.post(url, DECLINED_CARD, key="first")).status_code == 402  # what it was stays what it was
    assert await charges(shop) == {"declined": 1, "approved": 1}


async def test_wrong_cards_are_named_and_never_repeated(customer: Customer, product_id: str) -> None:
    order = await customer.order(product_id)
    for field, value in (
        ("card_number", "4242424242424241"),
        ("card_number", "42424242424242420"),
        ("card_number", "４２４２４２４２４２４２４２４２"),
        ("card_number", "4242"),
        ("expiry", "13/30"),
        ("expiry", "2030-12"),
        ("cvc", "12"),
        ("cvc", "abc"),
        ("pin", "1234"),
    ):
        answer = await customer.post(f"/orders/{order['id']}/payment", {**GOOD_CARD, field: value})
        assert answer.status_code == 422, (field, value)
        problem = answer.json()
        assert [error["field"] for error in problem["errors"]] == [f"body.{field}"]
        # less the ids, which are random: any short number may stand in them
        said = answer.text.replace(problem["requestId"], "").replace(order["id"], "")
        assert value not in said


def test_knows_card_numbers() -> None:
    assert [passes_luhn(number) for number in ("4242424242424242", "378282246310005", "4242424242424243")] == [1, 1, 0]


class Unreliable(PaymentGateway):
    """The real gateway behind a line that can lose the request or its answer."""

    def __init__(self, real: PaymentGateway) -> None:
        self.real = real
        self.loses_request = self.loses_answer = False

    async def charge(self, payment_id: UUID, order_id: UUID, amount_cents: int, card: Card) -> Charge:
        if self.loses_request:
            raise GatewayUnavailable("the request was lost")
        charge = await self.real.charge(payment_id, order_id, amount_cents, card)
        if self.loses_answer:
            raise GatewayUnavailable("the answer was lost")
        return charge

    async def find(self, payment_id: UUID) -> Charge | None:
        return await self.real.find(payment_id)


@pytest.fixture
def line(shop: Shop) -> Unreliable:
    line = Unreliable(shop.gateway)
    object.__setattr__(shop, "gateway", line)  # the shop's parts are frozen
    return line


async def test_a_lost_answer_is_asked_for_again_and_charged_once(
    customer: Customer, shop: Shop, line: Unreliable, product_id: str
) -> None:
    order = await customer.order(product_id)
    url = f"/orders/{order['id']}/payment"
    line.loses_answer = True
    lost = await customer.post(url, GOOD_CARD, key="same")
    assert (lost.status_code, lost.json()["type"]) == (503, "urn:ecommerce:problem:payment-gateway-unavailable")
    assert lost.headers["retry-after"]
    assert await status(customer, order) == "payment_failed"
    other_key = await customer.post(url, GOOD_CARD, key="other")
    assert (other_key.status_code, other_key.json()["type"]) == (409, "urn:ecommerce:problem:payment-in-progress")
    cancelled = await customer.post(f"/orders/{order['id']}/cancellation")
    assert (cancelled.status_code, cancelled.json()["type"]) == (409, "urn:ecommerce:problem:payment-in-progress")

    line.loses_answer = False
    assert (await customer.post(url, GOOD_CARD, key="same")).json()["status"] == "paid"
    assert await charges(shop) == {"approved": 1}


async def test_a_lost_payment_is_looked_up_at_the_gateway(
    customer: Customer, shop: Shop, line: Unreliable, product_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    charged, never_seen = await customer.order(product_id), await customer.order(product_id)
    line.loses_answer = True
    await customer.post(f"/orders/{charged['id']}/payment", GOOD_CARD, key="charged")
    line.loses_answer, line.loses_request = False, True
    await customer.post(f"/orders/{never_seen['id']}/payment", GOOD_CARD, key="never-seen")
    line.loses_request = False
    assert await charges(shop) == {"pending": 2}

    monkeypatch.setattr(service, "SETTLED_AFTER", timedelta(0))
    monkeypatch.setattr("shop.orders.cancellation.SETTLED_AFTER", timedelta(0))
    await keep_house_once(shop)
    assert await charges(shop) == {"approved": 1, "abandoned": 1}
    assert await status(customer, charged) == "paid"
    assert await status(customer, never_seen) == "payment_failed"
    assert (await customer.post(f"/orders/{never_seen['id']}/payment", GOOD_CARD)).json()["status"] == "paid"


async def test_a_gateway_that_is_down_is_503(customer: Customer, shop: Shop, product_id: str) -> None:
    order = await customer.order(product_id)
    before = total(metrics.payments, result="error")
    async with open_gateway("http://127.0.0.1:9") as gateway:  # the discard port: nobody listens
        object.__setattr__(shop, "gateway", gateway)
        answer = await customer.post(f"/orders/{order['id']}/payment", GOOD_CARD)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:ecommerce:problem:payment-gateway-unavailable")
    assert total(metrics.payments, result="error") == before + 1


async def test_the_payment_declines_fault_declines_good_cards(
    register: Register, product_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = await register()
    order = await customer.order(product_id)
    monkeypatch.setattr("observability.faults.active", lambda name: name == "payment_declines")
    assert (await customer.post(f"/orders/{order['id']}/payment", GOOD_CARD)).status_code == 402


async def test_the_orders_stopped_fault_stops_orders(
    customer: Customer, product_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await customer.put(f"/cart/items/{product_id}", {"quantity": 1})
    monkeypatch.setattr("observability.faults.active", lambda name: name == "orders_stopped")
    assert (await customer.post("/orders")).status_code == 503
    assert len((await customer.get("/cart")).json()["items"]) == 1
