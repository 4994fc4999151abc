from tests.unit.shop.conftest import Customer, Register


async def test_holds_what_was_put_in_last(customer: Customer, product_id: str) -> None:
    await customer.put(f"/cart/items/{product_id}", {"quantity": 5})
    cart = (await customer.put(f"/cart/items/{product_id}", {"quantity": 2})).json()
    assert [(line["product_id"], line["quantity"]) for line in cart["items"]] == [(product_id, 2)]
    assert cart["total_cents"] == 2 * cart["items"][0]["unit_price_cents"]
    assert (await customer.get("/cart")).json() == cart

    assert (await customer.delete(f"/cart/items/{product_id}")).status_code == 204
    assert (await customer.delete(f"/cart/items/{product_id}")).status_code == 204
    assert (await customer.get("/cart")).json()["items"] == []


async def test_is_its_owners(register: Register, product_id: str) -> None:
    mine, yours = await register(), await register()
    await mine.put(f"/cart/items/{product_id}", {"quantity": 1})
    assert (await yours.get("/cart")).json()["items"] == []


async def test_wrong_quantities_are_named(customer: Customer, product_id: str) -> None:
    for quantity in (0, -1, 100, 1.5, "2", None, True, 10**30):
        answer = await customer.put(f"/cart/items/{product_id}", {"quantity": quantity})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "body.quantity"


async def test_takes_no_unknown_product_and_not_more_than_fifty(customer: Customer) -> None:
    unknown = await customer.put("/cart/items/01930000-0000-7000-8000-ffffffffffff", {"quantity": 1})
    assert unknown.status_code == 404
    products = (await customer.get("/products?limit=51")).json()["items"]
    answers = [await customer.put(f"/cart/items/{product['id']}", {"quantity": 1}) for product in products]
    assert [answer.status_code for answer in answers] == [200] * 50 + [409]
    assert len((await customer.get("/cart")).json()["items"]) == 50
