"""Product pages and lists (cached), and the stock behind them."""

from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from observability import traced
from shop import metrics
from shop.cache import Cache
from shop.catalog.models import Product
from shop.catalog.schemas import ProductList, ProductPage, ProductQuery, ProductSummary
from shop.database import Database
from shop.ids import new_id
from shop.problems import Problem

# Invalidation is exact but for one race (a reader stores what it read just before a sale); these bound it.
PAGE_SECONDS = 60
LIST_SECONDS = 30
GENERATION_SECONDS = 24 * 3600
_GENERATION = "catalog:generation"


class NoSuchProduct(Problem):
    """No product has this id."""

    status = HTTPStatus.NOT_FOUND
    code = "no-such-product"
    title = "No such product"


class OutOfStock(Problem):
    """Fewer are left than were ordered."""

    status = HTTPStatus.CONFLICT
    code = "out-of-stock"
    title = "Not enough in stock"


async def product_page(database: Database, cache: Cache, product_id: UUID) -> bytes:
    """Return the product's page as JSON (a ProductPage)."""
    key = _page_key(product_id)
    if (page := await cache.get(key)) is not None:
        return page
    async with database.reading() as session:
        product = await session.get(Product, product_id)
    if product is None:
        raise NoSuchProduct(f"No product has the id {product_id}")
    page = _page(product).model_dump_json().encode()
    await cache.set(key, page, PAGE_SECONDS)
    return page


async def product_list(database: Database, cache: Cache, query: ProductQuery) -> bytes:
    """Return a page of the product list as JSON (a ProductList)."""
    # All lists of a generation are forgotten at once by beginning the next one.
    generation = await cache.get(_GENERATION) or await _begin_generation(cache)
    key = f"catalog:list:{generation.decode()}:{sha256(query.model_dump_json().encode()).hexdigest()}"
    if (page := await cache.get(key)) is not None:
        return page
    found = await _find(database, query)
    page = found.model_dump_json().encode()
    await cache.set(key, page, LIST_SECONDS)
    return page


async def _find(database: Database, query: ProductQuery) -> ProductList:
    conditions = []
    if query.q:
        conditions.append(Product.name.icontains(query.q, autoescape=True))
    if query.category:
        conditions.append(Product.category == query.category)
    async with database.reading() as session:
        count = await session.scalar(select(func.count()).select_from(Product).where(*conditions))
        products = await session.scalars(
            select(Product).where(*conditions).order_by(Product.id).limit(query.limit).offset(query.offset)
        )
        items = [_summary(product) for product in products]
    return ProductList(items=items, total=count or 0, limit=query.limit, offset=query.offset)


async def find_products(session: AsyncSession, quantities: Mapping[UUID, int]) -> dict[UUID, Product]:
    """Return the products that are wanted; raise NoSuchProduct, or OutOfStock when it can be seen already."""
    found = await session.scalars(select(Product).where(Product.id.in_(quantities)))
    products = {product.id: product for product in found}
    for product_id, quantity in quantities.items():
        if product_id not in products:
            raise NoSuchProduct(f"No product has the id {product_id}")
        if products[product_id].stock < quantity:
            raise _out_of_stock(products[product_id].name, quantity)
    return products


async def reserve_stock(
    session: AsyncSession, products: Mapping[UUID, Product], quantities: Mapping[UUID, int]
) -> bool:
    """Take the pieces out of stock, or raise OutOfStock; return whether a product has sold out by this.

    Condition and change are one statement on a locked row, so two buyers can never get the same piece. The rows stay
    locked until the commit: make this the transaction's last step, or everybody else who buys them waits for the rest.
    """
    with traced("reserveStock", products=len(quantities)):
        sold_out = False
        # Always in the same order: two orders of the same products wait for each other instead of deadlocking.
        for product_id, quantity in sorted(quantities.items()):
            left = await session.scalar(
                update(Product)
                .where(Product.id == product_id, Product.stock >= quantity)
                .values(stock=Product.stock - quantity)
                .returning(Product.stock)
                .execution_options(synchronize_session=False)
            )
            if left is None:
                raise _out_of_stock(products[product_id].name, quantity)
            sold_out = sold_out or left == 0
        return sold_out


async def return_stock(session: AsyncSession, quantities: Mapping[UUID, int]) -> None:
    """Put the pieces back in the session's transaction."""
    for product_id, quantity in sorted(quantities.items()):
        await session.execute(
            update(Product)
            .where(Product.id == product_id)
            .values(stock=Product.stock + quantity)
            .execution_options(synchronize_session=False)
        )


async def receive_deliveries(database: Database, cache: Cache) -> int:
    """Fill up the products that run low (under a fifth), and return how many those were. Any replica may do it."""
    async with database.transaction() as session:
        filled = await session.scalars(
            update(Product)
            .where(Product.stock * 5 < Product.delivered_up_to)
            .values(stock=Product.delivered_up_to)
            .returning(Product.id)
        )
        product_ids = list(filled)
    await stock_changed(cache, product_ids, lists=True)
    return len(product_ids)


async def stock_changed(cache: Cache, product_ids: list[UUID], *, lists: bool) -> None:
    """Forget the cached pages of the products; call it after the commit. `lists`: some became (un)available."""
    if not product_ids:
        return
    await cache.delete(*(_page_key(product_id) for product_id in product_ids))
    if lists:
        await _begin_generation(cache)


async def _begin_generation(cache: Cache) -> bytes:
    generation = new_id().hex.encode()
    await cache.set(_GENERATION, generation, GENERATION_SECONDS)
    return generation


def _out_of_stock(name: str, quantity: int) -> OutOfStock:
    metrics.stock_shortages.inc()
    return OutOfStock(f"“{name}” has fewer than {quantity} left")


def _page_key(product_id: UUID) -> str:
    return f"catalog:product:{product_id}"


def _summary(product: Product) -> ProductSummary:
    return ProductSummary(
        id=product.id,
        name=product.name,
        category=product.category,
        price_cents=product.price_cents,
        available=product.stock > 0,
    )


def _page(product: Product) -> ProductPage:
    return ProductPage(
        **_summary(product).model_dump(), sku=product.sku, description=product.description, stock=product.stock
    )
