"""Cancelling orders: by the customer, or by the shop when nobody pays."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Exists, exists, select
from sqlalchemy.orm import InstrumentedAttribute

from observability import get_logger, traced
from shop.cache import Cache
from shop.catalog.service import stock_changed
from shop.database import Database, utc_now
from shop.orders.models import Order, OrderStatus
from shop.orders.service import lock_order, move, record_transition
from shop.payments.gateway import GatewayUnavailable, PaymentGateway
from shop.payments.models import Payment, PaymentStatus
from shop.payments.service import SETTLED_AFTER, PaymentInProgress, settle_by_gateway, settle_lost_payment

_BATCH = 100

_log = get_logger(__name__)


async def cancel_order(
    database: Database, cache: Cache, gateway: PaymentGateway, user_id: UUID, order_id: UUID
) -> Order:
    """Cancel the order and return its stock. Not while a payment's outcome is open: it might be paid."""
    with traced("cancelOrder", order_id=str(order_id), user_id=str(user_id)):
        await settle_lost_payment(database, gateway, user_id, order_id)
        async with database.transaction() as session:
            order = await lock_order(session, user_id, order_id)
            if await session.scalar(select(_open_payment(order.id))):
                raise PaymentInProgress("A payment of this order is being made; ask again in some seconds")
            changed = await move(session, order, OrderStatus.CANCELLED)
        if changed:
            await _after_cancelling(cache, order)
        return order


async def cancel_unpaid_orders(database: Database, cache: Cache, window_seconds: int) -> int:
    """Cancel what nobody has paid within the window, and return how many orders that were. Any replica may do it."""
    async with database.transaction() as session:
        found = await session.scalars(
            select(Order)
            .where(
                Order.status.in_([OrderStatus.CREATED, OrderStatus.PAYMENT_FAILED]),
                Order.created_at < utc_now() - timedelta(seconds=window_seconds),
                ~_open_payment(Order.id),
            )
            .order_by(Order.created_at)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)  # what another replica is cancelling, or a customer is paying
        )
        orders = list(found)
        for order in orders:
            await move(session, order, OrderStatus.CANCELLED)
    for order in orders:
        await _after_cancelling(cache, order)
    return len(orders)


async def settle_lost_payments(database: Database, gateway: PaymentGateway) -> int:
    """Ask the gateway about every payment whose answer was lost, and return how many have an outcome now."""
    async with database.reading() as session:
        found = await session.scalars(
            select(Payment)
            .where(Payment.status == PaymentStatus.PENDING, Payment.attempted_at < utc_now() - SETTLED_AFTER)
            .limit(_BATCH)
        )
        lost = list(found)
    settled = 0
    for payment in lost:
        try:
            await settle_by_gateway(database, gateway, payment)
        except (GatewayUnavailable, PaymentInProgress) as problem:
            _log.warning("Lost payment stays open", paymentId=str(payment.id), reason=problem.detail)
        else:
            settled += 1
    return settled


async def _after_cancelling(cache: Cache, order: Order) -> None:
    record_transition(order)
    await stock_changed(cache, [item.product_id for item in order.items], lists=True)


def _open_payment(order_id: UUID | InstrumentedAttribute[UUID]) -> Exists:
    return exists().where(Payment.order_id == order_id, Payment.status == PaymentStatus.PENDING)
