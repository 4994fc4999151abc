"""Creating orders, and moving them from status to status."""

from http import HTTPStatus
from uuid import UUID

from opentelemetry.trace import SpanContext
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from observability import faults, get_logger, traced
from observability.traces import here
from shop import metrics
from shop.cache import Cache
from shop.cart.service import take_all
from shop.catalog import service as catalog
from shop.database import Database, insert_new, utc_now
from shop.idempotency import Once
from shop.ids import new_id
from shop.orders.models import FOLLOWS, Order, OrderItem, OrderStatus, OrderTransition
from shop.problems import Problem, ServiceBusy
from shop.users.tokens import NotLoggedIn

_log = get_logger(__name__)


class NoSuchOrder(Problem):
    """No order of this user has this id."""

    status = HTTPStatus.NOT_FOUND
    code = "no-such-order"
    title = "No such order"


class EmptyOrder(Problem):
    """Nothing was asked for and the cart is empty."""

    status = HTTPStatus.CONFLICT
    code = "empty-cart"
    title = "The cart is empty"


class WrongStatus(Problem):
    """The order is not at the point where this can be done."""

    status = HTTPStatus.CONFLICT
    code = "wrong-status"
    title = "The order's status does not allow this"


async def create_order(
    database: Database, cache: Cache, user_id: UUID, quantities: dict[UUID, int] | None, once: Once
) -> tuple[Order, SpanContext | None]:
    """Reserve the stock and create the order, or return the one that this idempotency key created before.

    `quantities` is product id → pieces, None for the cart. A new order comes with the span that created it, for what is
    done later to link to; one that was there already comes with None.
    """
    order_id = new_id()
    with traced("createOrder", order_id=str(order_id), user_id=str(user_id)) as span:
        if faults.active("orders_stopped"):
            raise ServiceBusy("Orders cannot be taken at this moment; the cart is kept")
        async with database.transaction() as session:
            if not await _begin(session, order_id, user_id, once):
                earlier = await _by_key(session, user_id, once.key)
                once.check(earlier.fingerprint)
                span.set_attribute("order.id", str(earlier.id))
                return earlier, None
            wanted = quantities if quantities is not None else await take_all(session, user_id)
            if not wanted:
                raise EmptyOrder("Put something into the cart first, or send `items`")
            products = await catalog.find_products(session, wanted)
            order = await session.get_one(Order, order_id)
            order.items = [
                OrderItem(
                    product_id=product_id,
                    name=products[product_id].name,
                    quantity=quantity,
                    unit_price_cents=products[product_id].price_cents,
                )
                for product_id, quantity in sorted(wanted.items())
            ]
            order.total_cents = sum(item.quantity * item.unit_price_cents for item in order.items)
            session.add(OrderTransition(order_id=order_id, status=order.status))
            await session.flush()
            sold_out = await catalog.reserve_stock(session, products, wanted)
        span.set_attribute("order.total_cents", order.total_cents)
        await catalog.stock_changed(cache, list(wanted), lists=sold_out)
        metrics.order_value.observe(order.total_cents)
        record_transition(order)
        return order, here()


async def get_order(database: Database, user_id: UUID, order_id: UUID) -> Order:
    """Return one of the user's orders."""
    async with database.reading() as session:
        return await _mine(session, user_id, order_id)


async def list_orders(database: Database, user_id: UUID, limit: int, offset: int) -> list[Order]:
    """Return the user's orders, the newest first."""
    async with database.reading() as session:
        found = await session.scalars(
            select(Order).where(Order.user_id == user_id).order_by(Order.id.desc()).limit(limit).offset(offset)
        )
        return list(found)


async def complete_order(database: Database, user_id: UUID, order_id: UUID) -> Order:
    """Note that the customer has received the goods."""
    with traced("completeOrder", order_id=str(order_id), user_id=str(user_id)):
        async with database.transaction() as session:
            order = await lock_order(session, user_id, order_id)
            changed = await move(session, order, OrderStatus.COMPLETED)
        if changed:
            record_transition(order)
        return order


async def lock_order(session: AsyncSession, user_id: UUID, order_id: UUID) -> Order:
    """Return the user's order, locked until the session's transaction ends."""
    return await _mine(session, user_id, order_id, lock=True)


async def move(session: AsyncSession, order: Order, status: OrderStatus) -> bool:
    """Move a locked order on; False when it is there already. After the commit call `record_transition`."""
    if order.status == status:
        return False
    if status not in FOLLOWS[OrderStatus(order.status)]:
        raise WrongStatus(f"The order is {order.status}; it cannot become {status}")
    with traced("updateOrderStatus", order_id=str(order.id), status=status.value):
        order.status = status.value
        order.updated_at = utc_now()
        if status is OrderStatus.CANCELLED:
            await catalog.return_stock(session, {item.product_id: item.quantity for item in order.items})
        session.add(OrderTransition(order_id=order.id, status=order.status))
        await session.flush()
    return True


def record_transition(order: Order) -> None:
    """Count and log the status that the order has come to; only what is committed is counted."""
    metrics.orders.labels(order.status).inc()
    _log.info("Order " + order.status, orderId=str(order.id), status=order.status, totalCents=order.total_cents)


async def _begin(session: AsyncSession, order_id: UUID, user_id: UUID, once: Once) -> bool:
    """Claim the idempotency key with the order's row; a concurrent duplicate waits here for our commit."""
    now = utc_now()
    row = {
        "id": order_id,
        "user_id": user_id,
        "status": OrderStatus.CREATED.value,
        "total_cents": 0,
        "idempotency_key": once.key,
        "fingerprint": once.fingerprint,
        "created_at": now,
        "updated_at": now,
    }
    try:
        return bool(await insert_new(session, Order, row))
    except IntegrityError:
        raise NotLoggedIn("The token's account does not exist; register again") from None


async def _by_key(session: AsyncSession, user_id: UUID, key: str) -> Order:
    found = await session.scalars(select(Order).where(Order.user_id == user_id, Order.idempotency_key == key))
    return found.one()


async def _mine(session: AsyncSession, user_id: UUID, order_id: UUID, *, lock: bool = False) -> Order:
    query = select(Order).where(Order.id == order_id, Order.user_id == user_id)
    order = await session.scalar(query.with_for_update() if lock else query)
    if order is None:
        raise NoSuchOrder(f"You have no order with the id {order_id}")
    return order
