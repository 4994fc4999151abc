"""POST and GET /orders, GET /orders/{order_id}, POST /orders/{order_id}/completion and /cancellation."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, BackgroundTasks, Query

from shop.catalog.service import NoSuchProduct, OutOfStock
from shop.dependencies import CurrentUser, ShopParts
from shop.fields import IdempotencyKey
from shop.idempotency import IdempotencyKeyReused, Once
from shop.links import with_order
from shop.orders import cancellation, service
from shop.orders.models import Order
from shop.orders.notifications import send_order_notification
from shop.orders.schemas import OrderList, OrderRequest, OrderView
from shop.payments.service import PaymentInProgress
from shop.problems import responses
from shop.users.tokens import NotLoggedIn

router = APIRouter(prefix="/orders", tags=["orders"])


@router.post(
    "",
    status_code=201,
    response_model=OrderView,
    responses=responses(
        NotLoggedIn,
        NoSuchProduct,
        OutOfStock,
        service.EmptyOrder,
        IdempotencyKeyReused,
        links={201: with_order("$response.body#/id")},
    ),
)
async def create_order(
    user_id: CurrentUser,
    shop: ShopParts,
    idempotency_key: IdempotencyKey,
    background: BackgroundTasks,
    request: OrderRequest | None = None,
) -> Order:
    """Order the cart, or `items`. Repeated with the same Idempotency-Key it returns the same order."""
    order, created_in = await service.create_order(
        shop.database,
        shop.cache,
        user_id,
        request.quantities() if request else None,
        Once.of(idempotency_key, request, secret=shop.tokens.key),
    )
    if created_in is not None:
        background.add_task(send_order_notification, shop.database, order, created_in)
    return order


@router.get("", responses=responses(NotLoggedIn, links={200: with_order("$response.body#/items/0/id")}))
async def list_orders(
    user_id: CurrentUser,
    shop: ShopParts,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> OrderList:
    """List my orders, the newest first."""
    orders = await service.list_orders(shop.database, user_id, limit, offset)
    return OrderList(items=[OrderView.model_validate(order) for order in orders], limit=limit, offset=offset)


@router.get(
    "/{order_id}",
    response_model=OrderView,
    responses=responses(NotLoggedIn, service.NoSuchOrder, links={200: with_order("$response.body#/id")}),
)
async def get_order(order_id: UUID, user_id: CurrentUser, shop: ShopParts) -> Order:
    """Return one of my orders."""
    return await service.get_order(shop.database, user_id, order_id)


@router.post(
    "/{order_id}/completion",
    response_model=OrderView,
    responses=responses(
        NotLoggedIn, service.NoSuchOrder, service.WrongStatus, links={200: with_order("$response.body#/id")}
    ),
)
async def complete_order(order_id: UUID, user_id: CurrentUser, shop: ShopParts) -> Order:
    """Say that the goods have arrived."""
    return await service.complete_order(shop.database, user_id, order_id)


@router.post(
    "/{order_id}/cancellation",
    response_model=OrderView,
    responses=responses(
        NotLoggedIn,
        service.NoSuchOrder,
        service.WrongStatus,
        PaymentInProgress,
        links={200: with_order("$response.body#/id")},
    ),
)
async def cancel_order(order_id: UUID, user_id: CurrentUser, shop: ShopParts) -> Order:
    """Cancel an order that is not paid; its stock goes back on sale."""
    return await cancellation.cancel_order(shop.database, shop.cache, shop.gateway, user_id, order_id)
