"""GET /cart, PUT and DELETE /cart/items/{product_id}."""

from uuid import UUID

from fastapi import APIRouter

from shop.cart import service
from shop.cart.schemas import CartQuantity, CartView
from shop.catalog.service import NoSuchProduct
from shop.dependencies import CurrentUser, ShopParts
from shop.links import link
from shop.problems import responses
from shop.users.tokens import NotLoggedIn

router = APIRouter(prefix="/cart", tags=["cart"])


@router.get("", responses=responses(NotLoggedIn, links={200: {"order": link("create_order")}}))
async def get_cart(user_id: CurrentUser, shop: ShopParts) -> CartView:
    """Return my cart."""
    return await service.get_cart(shop.database, user_id)


@router.put(
    "/items/{product_id}",
    responses=responses(
        NotLoggedIn,
        NoSuchProduct,
        service.CartFull,
        links={
            200: {
                "look": link("get_cart"),
                "order": link("create_order"),
                "remove": link("remove_item", product_id="$response.body#/items/0/product_id"),
            }
        },
    ),
)
async def put_item(product_id: UUID, wanted: CartQuantity, user_id: CurrentUser, shop: ShopParts) -> CartView:
    """Make my cart hold so many of the product."""
    return await service.put_item(shop.database, user_id, product_id, wanted.quantity)


@router.delete("/items/{product_id}", status_code=204, responses=responses(NotLoggedIn))
async def remove_item(product_id: UUID, user_id: CurrentUser, shop: ShopParts) -> None:
    """Take the product out of my cart."""
    await service.remove_item(shop.database, user_id, product_id)
