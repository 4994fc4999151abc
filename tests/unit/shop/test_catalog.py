import httpx
from sqlalchemy import text

from shop.catalog.service import receive_deliveries
from shop.dependencies import Shop
from shop.start import seed
from tests.unit.shop.conftest import Customer

URL = "/api/v1/products"


async def test_lists_a_hundred_products_page_by_page(http: httpx.AsyncClient) -> None:
    pages = [(await http.get(URL, params={"limit": 30, "offset": offset})).json() for offset in (0, 30, 60, 90)]
    assert {page["total"] for page in pages} == {100}
    assert len({item["id"] for page in pages for item in page["items"]}) == 100


async def test_searches_in_a_category(http: httpx.AsyncClient) -> None:
    found = (await http.get(URL, params={"q": "t 恤", "category": "服饰鞋包"})).json()
    assert [item["name"] for item in found["items"]] == ["纯棉圆领 T 恤 男"]
    assert (await http.get(URL, params={"q": "%"})).json()["total"] == 0  # a character, not a wildcard


async def test_wrong_parameters_are_named(http: httpx.AsyncClient) -> None:
    for field, value in (
        ("limit", "0"),
        ("limit", "1e3"),
        ("offset", "-1"),
        ("q", "\x00"),
        ("category", "x" * 33),
        ("catgory", "x"),
    ):
        answer = await http.get(URL, params={field: value})
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [f"query.{field}"]


async def test_unknown_products_are_not_found(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"{URL}/01930000-0000-7000-8000-ffffffffffff")).status_code == 404
    wrong = await http.get(f"{URL}/7")
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "path.product_id")


async def test_pages_come_from_the_cache_until_the_stock_changes(
    http: httpx.AsyncClient, customer: Customer, shop: Shop, product_id: str
) -> None:
    before = (await http.get(f"{URL}/{product_id}")).json()["stock"]
    async with shop.database.transaction() as session:
        await session.execute(text("UPDATE products SET stock = stock + 1"))
    assert (await http.get(f"{URL}/{product_id}")).json()["stock"] == before
    await customer.order(product_id, 3)
    assert (await http.get(f"{URL}/{product_id}")).json()["stock"] == before + 1 - 3


async def test_a_sold_out_product_leaves_the_lists_at_once_and_a_delivery_brings_it_back(
    http: httpx.AsyncClient, customer: Customer, shop: Shop, product_id: str
) -> None:
    async def available() -> bool:
        listed: bool = (await http.get(URL)).json()["items"][0]["available"]
        return listed

    assert await available()
    async with shop.database.transaction() as session:
        await session.execute(text("UPDATE products SET stock = 2 WHERE sku = 'DIG-0001'"))
    await customer.order(product_id, 2)
    assert not await available()
    assert await receive_deliveries(shop.database, shop.cache) == 1
    assert await available()
    assert (await http.get(f"{URL}/{product_id}")).json()["stock"] == 400


async def test_seeding_again_changes_nothing(shop: Shop, customer: Customer, product_id: str) -> None:
    await customer.order(product_id, 3)
    assert await seed(shop.database) == 0
    assert (await customer.get(f"/products/{product_id}")).json()["stock"] == 397
