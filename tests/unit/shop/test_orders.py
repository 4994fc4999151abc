import asyncio
from collections import Counter

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from sqlalchemy import text

from observability.metrics.reading import total
from observability.traces.state import state
from shop import metrics
from shop.dependencies import Shop
from shop.housekeeping import keep_house_once
from tests.unit.shop.conftest import DECLINED_CARD, GOOD_CARD, Customer, Register


async def stock(shop: Shop) -> int:
    async with shop.database.reading() as session:
        return int(await session.scalar(text("SELECT stock FROM products WHERE sku = 'DIG-0001'")) or 0)


async def transitions(shop: Shop) -> dict[str, int]:
    async with shop.database.reading() as session:
        found = await session.execute(text("SELECT status, count(*) FROM order_transitions GROUP BY status"))
        return {status: count for status, count in found}  # noqa: C416


def counted() -> Counter[str]:
    return Counter({status: int(total(metrics.orders, status=status)) for status in metrics.ORDER_STATUSES})


async def test_orders_the_cart_and_empties_it(customer: Customer, shop: Shop, product_id: str) -> None:
    await customer.put(f"/cart/items/{product_id}", {"quantity": 2})
    order = (await customer.post("/orders")).json()
    assert order["status"] == "created"
    assert order["total_cents"] == 2 * 449900
    assert order["items"][0]["name"] == "智能手机 Pro 256GB 曜石黑"
    assert (await customer.get("/cart")).json()["items"] == []
    assert await stock(shop) == 398
    assert (await customer.get(f"/orders/{order['id']}")).json() == order
    assert (await customer.get("/orders")).json()["items"] == [order]
    empty = await customer.post("/orders")
    assert (empty.status_code, empty.json()["type"]) == (409, "urn:ecommerce:problem:empty-cart")


async def test_writes_a_confirmation_into_the_inbox(customer: Customer, shop: Shop, product_id: str) -> None:
    order = await customer.order(product_id)
    async with shop.database.reading() as session:
        messages = (await session.execute(text("SELECT text FROM notifications"))).scalars().all()
    assert len(messages) == 1
    assert str(order["id"]) in messages[0]
    assert "¥4499.00" in messages[0]


async def test_an_order_stands_without_its_confirmation_whose_span_says_that_it_failed(
    customer: Customer, shop: Shop, product_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_SDK_DISABLED")
    spans = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    async with shop.database.transaction() as session:
        await session.execute(text("ALTER TABLE notifications RENAME TO out_of_order"))
    with monkeypatch.context() as tracing:
        tracing.setattr(state, "start_span", provider.get_tracer("test").start_span)
        tracing.setattr(state, "on", True)
        await customer.order(product_id)
    found = {span.name: span for span in spans.get_finished_spans()}
    sending, creating = found["sendOrderNotification"], found["createOrder"]
    assert (sending.status.status_code, creating.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert [link.context for link in sending.links] == [creating.context]


async def test_a_refused_order_keeps_the_cart_and_the_stock(customer: Customer, shop: Shop, product_id: str) -> None:
    other = (await customer.get("/products")).json()["items"][1]["id"]
    async with shop.database.transaction() as session:
        await session.execute(text("UPDATE products SET stock = 1 WHERE sku = 'DIG-0002'"))
    await customer.put(f"/cart/items/{product_id}", {"quantity": 1})
    await customer.put(f"/cart/items/{other}", {"quantity": 2})
    refused = await customer.post("/orders", key="k")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ecommerce:problem:out-of-stock")
    assert "智能手机 青春版 128GB" in refused.json()["detail"]
    assert len((await customer.get("/cart")).json()["items"]) == 2
    assert await stock(shop) == 400
    await customer.put(f"/cart/items/{other}", {"quantity": 1})
    assert (await customer.post("/orders", key="k")).status_code == 201  # a refusal does not use the key up


async def test_200_buyers_of_the_last_50_get_exactly_50(register: Register, shop: Shop, product_id: str) -> None:
    async with shop.database.transaction() as session:
        await session.execute(text("UPDATE products SET stock = 50 WHERE sku = 'DIG-0001'"))
    customers = [await register() for _ in range(4)]
    body = {"items": [{"product_id": product_id, "quantity": 1}]}
    answers = await asyncio.gather(*(customers[number % 4].post("/orders", body) for number in range(200)))
    assert Counter(answer.status_code for answer in answers) == {201: 50, 409: 150}
    assert await stock(shop) == 0
    assert await transitions(shop) == {"created": 50}


async def test_a_repeated_key_orders_once(customer: Customer, shop: Shop, product_id: str) -> None:
    body = {"items": [{"product_id": product_id, "quantity": 1}]}
    answers = await asyncio.gather(*(customer.post("/orders", body, key="same") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert await stock(shop) == 399

    other = await customer.post("/orders", {"items": [{"product_id": product_id, "quantity": 2}]}, key="same")
    assert (other.status_code, other.json()["type"]) == (422, "urn:ecommerce:problem:idempotency-key-reused")


async def test_a_key_is_its_owners(register: Register, product_id: str) -> None:
    body = {"items": [{"product_id": product_id, "quantity": 1}]}
    ids = [(await (await register()).post("/orders", body, key="same")).json()["id"] for _ in range(2)]
    assert ids[0] != ids[1]


async def test_wrong_keys_are_named(customer: Customer) -> None:
    for key in (b"", b"with space", b"x" * 129, "钥匙".encode()):
        headers = [(b"Authorization", customer.headers["Authorization"].encode()), (b"Idempotency-Key", key)]
        answer = await customer.http.post("/api/v1/orders", headers=headers)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "header.idempotency-key"
    missing = await customer.http.post("/api/v1/orders", headers=customer.headers)
    assert missing.json()["errors"][0]["field"] == "header.idempotency-key"


async def test_what_may_follow_what(customer: Customer, shop: Shop, product_id: str) -> None:
    """Every step from every status, against the table in the test's own words."""
    reach = {
        "created": [],
        "payment_failed": [("payment", DECLINED_CARD)],
        "paid": [("payment", GOOD_CARD)],
        "completed": [("payment", GOOD_CARD), ("completion", None)],
        "cancelled": [("cancellation", None)],
    }
    steps = {"payment": GOOD_CARD, "completion": None, "cancellation": None}
    allowed = {
        ("created", "payment"): "paid",
        ("payment_failed", "payment"): "paid",
        ("created", "cancellation"): "cancelled",
        ("payment_failed", "cancellation"): "cancelled",
        ("paid", "completion"): "completed",
        ("completed", "completion"): "completed",  # said twice, done once
        ("cancelled", "cancellation"): "cancelled",
    }
    before, stock_before = counted(), await stock(shop)
    for status, way in reach.items():
        for step, body in steps.items():
            order = await customer.order(product_id)
            for earlier_step, earlier_body in way:
                await customer.post(f"/orders/{order['id']}/{earlier_step}", earlier_body)
            answer = await customer.post(f"/orders/{order['id']}/{step}", body)
            expected = allowed.get((status, step))
            if expected:
                assert (answer.status_code, answer.json().get("status")) == (200, expected), (status, step)
            else:
                assert answer.json()["type"] == "urn:ecommerce:problem:wrong-status", (status, step)
            now = (await customer.get(f"/orders/{order['id']}")).json()["status"]
            assert now == (expected or status)
    assert counted() - before == Counter(await transitions(shop))
    assert stock_before - await stock(shop) == 15 - 3 - 2  # cancelled orders give theirs back


async def test_orders_of_others_do_not_exist(register: Register, product_id: str) -> None:
    mine, yours = await register(), await register()
    order = await mine.order(product_id)
    for path in ("", "/payment", "/completion", "/cancellation"):
        url = f"/orders/{order['id']}{path}"
        answer = await (yours.post(url, GOOD_CARD) if path else yours.get(url))
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:ecommerce:problem:no-such-order")
    assert (await yours.get("/orders")).json()["items"] == []


async def test_unpaid_orders_lapse(customer: Customer, shop: Shop, product_id: str) -> None:
    old, young = await customer.order(product_id), await customer.order(product_id)
    paid = await customer.order(product_id)
    await customer.post(f"/orders/{paid['id']}/payment", GOOD_CARD)
    async with shop.database.transaction() as session:
        hour_ago = text("UPDATE orders SET created_at = '2026-01-01 00:00:00' WHERE id IN (:a, :b)")
        await session.execute(hour_ago, {"a": str(old["id"]).replace("-", ""), "b": str(paid["id"]).replace("-", "")})
    await keep_house_once(shop)
    statuses = [(await customer.get(f"/orders/{order['id']}")).json()["status"] for order in (old, young, paid)]
    assert statuses == ["cancelled", "created", "paid"]
    assert await stock(shop) == 398


async def test_wrong_items_are_named(customer: Customer, product_id: str) -> None:
    line = {"product_id": product_id, "quantity": 1}
    for items, field in (([], "items"), ([line, line], ""), ([{**line, "quantity": 0}], "items.0.quantity")):
        answer = await customer.post("/orders", {"items": items})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == f"body.{field}".rstrip(".")
