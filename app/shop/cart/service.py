"""The cart: kept in the database, so it survives restarts and follows the user to other devices."""

from http import HTTPStatus
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from observability import traced
from shop.cart.models import CartItem
from shop.cart.schemas import CartLine, CartView
from shop.catalog.models import Product
from shop.catalog.service import NoSuchProduct
from shop.database import Database, insert_new
from shop.problems import Problem
from shop.users.tokens import NotLoggedIn

LINES_MAX = 50


class CartFull(Problem):
    """The cart holds as many different products as it may."""

    status = HTTPStatus.CONFLICT
    code = "cart-full"
    title = "The cart is full"


async def get_cart(database: Database, user_id: UUID) -> CartView:
    """Return the user's cart."""
    async with database.reading() as session:
        return await _view(session, user_id)


async def put_item(database: Database, user_id: UUID, product_id: UUID, quantity: int) -> CartView:
    """Make the cart hold exactly `quantity` of the product."""
    with traced("putCartItem", product_id=str(product_id), quantity=quantity):
        async with database.transaction() as session:
            if await session.get(Product, product_id) is None:
                raise NoSuchProduct(f"No product has the id {product_id}")
            row = {"user_id": user_id, "product_id": product_id, "quantity": quantity}
            try:
                created = await insert_new(session, CartItem, row)
            except IntegrityError:  # only the user can be missing: the product has just been read
                raise NotLoggedIn("The token's account does not exist; register again") from None
            if not created:
                mine = (CartItem.user_id == user_id, CartItem.product_id == product_id)
                await session.execute(update(CartItem).where(*mine).values(quantity=quantity))
            lines = await session.scalar(select(func.count()).select_from(CartItem).where(CartItem.user_id == user_id))
            if (lines or 0) > LINES_MAX:
                raise CartFull(f"A cart holds at most {LINES_MAX} different products; order or remove some")
            return await _view(session, user_id)


async def remove_item(database: Database, user_id: UUID, product_id: UUID) -> None:
    """Take the product out of the cart; nothing when it is not in it."""
    async with database.transaction() as session:
        await session.execute(delete(CartItem).where(CartItem.user_id == user_id, CartItem.product_id == product_id))


async def take_all(session: AsyncSession, user_id: UUID) -> dict[UUID, int]:
    """Empty the cart in the session's transaction and return what was in it: product id → pieces."""
    taken = await session.execute(
        delete(CartItem).where(CartItem.user_id == user_id).returning(CartItem.product_id, CartItem.quantity)
    )
    return {product_id: quantity for product_id, quantity in taken}  # noqa: C416 - rows, which dict() types loosely


async def _view(session: AsyncSession, user_id: UUID) -> CartView:
    found = await session.execute(
        select(Product, CartItem.quantity)
        .join(CartItem, CartItem.product_id == Product.id)
        .where(CartItem.user_id == user_id)
        .order_by(Product.id)
    )
    lines = [
        CartLine(product_id=product.id, name=product.name, quantity=quantity, unit_price_cents=product.price_cents)
        for product, quantity in found
    ]
    return CartView(items=lines, total_cents=sum(line.quantity * line.unit_price_cents for line in lines))
