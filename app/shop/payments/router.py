"""POST /orders/{order_id}/payment."""

from uuid import UUID

from fastapi import APIRouter

from shop.dependencies import CurrentUser, ShopParts
from shop.fields import IdempotencyKey
from shop.idempotency import IdempotencyKeyReused, Once
from shop.links import with_order
from shop.orders.models import Order
from shop.orders.schemas import OrderView
from shop.orders.service import NoSuchOrder, WrongStatus
from shop.payments import service
from shop.payments.gateway import GatewayUnavailable
from shop.payments.schemas import Card
from shop.problems import responses
from shop.users.tokens import NotLoggedIn

router = APIRouter(prefix="/orders", tags=["payments"])


@router.post(
    "/{order_id}/payment",
    response_model=OrderView,
    responses=responses(
        NotLoggedIn,
        NoSuchOrder,
        WrongStatus,
        service.CardDeclined,
        service.PaymentInProgress,
        GatewayUnavailable,
        IdempotencyKeyReused,
        links={200: with_order("$response.body#/id"), 402: with_order("$request.path.order_id")},
    ),
)
async def pay(
    order_id: UUID, card: Card, user_id: CurrentUser, shop: ShopParts, idempotency_key: IdempotencyKey
) -> Order:
    """Pay one of my orders. Repeated with the same Idempotency-Key the card is charged once."""
    return await service.process_payment(
        shop.database,
        shop.gateway,
        user_id,
        order_id,
        card,
        Once.of(idempotency_key, card, secret=shop.tokens.key),
    )
