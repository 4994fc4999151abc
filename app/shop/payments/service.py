"""Paying: written down, charged at the gateway, settled. No connection is held while the gateway takes its time.

A payment is `pending` from before the gateway is asked until its answer is settled. When the answer is lost, repeating
the request with the same key asks the gateway again under the same payment id, and the gateway charges once. A new key
has to wait until the old payment's outcome is known.
"""

from datetime import timedelta
from http import HTTPStatus
from time import perf_counter
from typing import ClassVar
from uuid import UUID

from sqlalchemy import select

from observability import faults, get_logger, traced
from shop import metrics
from shop.database import Database, utc_now
from shop.idempotency import Once
from shop.orders.models import Order, OrderStatus
from shop.orders.service import WrongStatus, lock_order, move, record_transition
from shop.payments.gateway import BUDGET_SECONDS, Charge, GatewayUnavailable, PaymentGateway
from shop.payments.models import Payment, PaymentStatus
from shop.payments.schemas import Card
from shop.problems import Problem

# A payment tried longer ago than this can have no request of ours on its way to the gateway any more.
SETTLED_AFTER = timedelta(seconds=BUDGET_SECONDS * 2)

DECLINED_TEST_CARD = "4000000000000002"  # what the fault payment_declines presents in place of the customer's card

_PAYABLE = (OrderStatus.CREATED, OrderStatus.PAYMENT_FAILED)
_log = get_logger(__name__)


class CardDeclined(Problem):
    """The card's bank said no."""

    status = HTTPStatus.PAYMENT_REQUIRED
    code = "card-declined"
    title = "The card was declined"


class PaymentInProgress(Problem):
    """Another payment of this order has no outcome yet."""

    status = HTTPStatus.CONFLICT
    code = "payment-in-progress"
    title = "A payment of this order is in progress"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "10"}


async def process_payment(  # noqa: PLR0913, PLR0917 - what a payment needs; bundling it would only hide it
    database: Database, gateway: PaymentGateway, user_id: UUID, order_id: UUID, card: Card, once: Once
) -> Order:
    """Charge the card for the order and return the paid order; raise CardDeclined or GatewayUnavailable."""
    with traced("processPayment", order_id=str(order_id), user_id=str(user_id)) as span:
        await settle_lost_payment(database, gateway, user_id, order_id, except_key=once.key)
        payment = await _begin(database, user_id, order_id, once)
        if payment.status == PaymentStatus.PENDING:
            payment = await _charge(database, gateway, payment, card)
        span.set_attribute("app.payment.status", payment.status)
        if payment.status == PaymentStatus.DECLINED:
            raise CardDeclined(f"The bank declined the card ({payment.decline_code}); try another one")
        if payment.status == PaymentStatus.ABANDONED:
            raise PaymentInProgress("Another payment has taken the place of this one; make a new Idempotency-Key")
        async with database.reading() as session:
            return await session.get_one(Order, order_id)


async def settle_lost_payment(
    database: Database, gateway: PaymentGateway, user_id: UUID, order_id: UUID, *, except_key: str | None = None
) -> None:
    """Ask the gateway about the order's payment that has no outcome, if there is one (but for the one of `except_key`).

    Raise PaymentInProgress while its request may still be on its way.
    """
    async with database.reading() as session:
        pending = await session.scalar(
            select(Payment)
            .join(Order, Order.id == Payment.order_id)
            .where(Order.id == order_id, Order.user_id == user_id, Payment.status == PaymentStatus.PENDING)
        )
    if pending is None or pending.idempotency_key == except_key:
        return
    await settle_by_gateway(database, gateway, pending)


async def settle_by_gateway(database: Database, gateway: PaymentGateway, payment: Payment) -> None:
    """Settle a pending payment by what the gateway knows of it; raise PaymentInProgress when it is too young."""
    if utc_now() - payment.attempted_at < SETTLED_AFTER:
        raise PaymentInProgress("Another payment of this order is being made; ask again in some seconds")
    await _settle(database, payment, await gateway.find(payment.id))


async def _begin(database: Database, user_id: UUID, order_id: UUID, once: Once) -> Payment:
    """Return this key's payment, a new one if need be. The order's lock lets one in at a time."""
    async with database.transaction() as session:
        order = await lock_order(session, user_id, order_id)
        payments = (await session.scalars(select(Payment).where(Payment.order_id == order.id))).all()
        for payment in payments:
            if payment.idempotency_key == once.key:
                once.check(payment.fingerprint)
                if payment.status == PaymentStatus.PENDING:
                    payment.attempted_at = utc_now()
                return payment
        if order.status not in _PAYABLE:
            raise WrongStatus(f"The order is {order.status}; it cannot be paid")
        if any(payment.status == PaymentStatus.PENDING for payment in payments):
            raise PaymentInProgress("Another payment of this order is being made; ask again in some seconds")
        payment = Payment(
            order_id=order.id, idempotency_key=once.key, fingerprint=once.fingerprint, amount_cents=order.total_cents
        )
        session.add(payment)
        await session.flush()
        return payment


async def _charge(database: Database, gateway: PaymentGateway, payment: Payment, card: Card) -> Payment:
    if faults.active("payment_declines"):
        card = Card.model_validate({"card_number": DECLINED_TEST_CARD, "expiry": card.expiry, "cvc": card.cvc})
    started = perf_counter()
    try:
        charge = await gateway.charge(payment.id, payment.order_id, payment.amount_cents, card)
    except GatewayUnavailable:
        metrics.payments.labels("error").inc()
        _log.exception("Payment has no outcome yet", orderId=str(payment.order_id), paymentId=str(payment.id))
        await _note_failure(database, payment)
        raise
    metrics.payment_duration.observe(perf_counter() - started)
    return await _settle(database, payment, charge)


async def _settle(database: Database, pending: Payment, charge: Charge | None) -> Payment:
    """Write the outcome down, once: of two that come here with the same answer, the second changes nothing."""
    async with database.transaction() as session:
        order = await session.get_one(Order, pending.order_id, with_for_update=True)
        payment = await session.get_one(Payment, pending.id)
        if payment.status != PaymentStatus.PENDING:
            return payment
        if charge is None:
            payment.status = PaymentStatus.ABANDONED.value
            return payment
        payment.status = charge.status
        payment.charge_id = charge.charge_id
        payment.decline_code = charge.decline_code
        approved = charge.status == "approved"
        changed = await move(session, order, OrderStatus.PAID if approved else OrderStatus.PAYMENT_FAILED)
    metrics.payments.labels("successful" if approved else "declined").inc()
    _log.info("Payment " + charge.status, orderId=str(order.id), chargeId=charge.charge_id, code=charge.decline_code)
    if changed:
        record_transition(order)
    return payment


async def _note_failure(database: Database, payment: Payment) -> None:
    """Let the order show that paying did not work; it may still turn out paid when the gateway's answer is found."""
    async with database.transaction() as session:
        order = await session.get_one(Order, payment.order_id, with_for_update=True)
        changed = order.status == OrderStatus.CREATED and await move(session, order, OrderStatus.PAYMENT_FAILED)
    if changed:
        record_transition(order)
