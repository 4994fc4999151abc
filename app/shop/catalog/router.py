"""GET /products, GET /products/{product_id}."""

from uuid import UUID

from fastapi import APIRouter, Response

from shop.catalog import service
from shop.catalog.schemas import ProductList, ProductPage, ProductQueryParameters
from shop.dependencies import ShopParts
from shop.links import with_product
from shop.problems import responses

router = APIRouter(prefix="/products", tags=["catalog"])


@router.get(
    "", response_model=ProductList, responses=responses(links={200: with_product("$response.body#/items/0/id")})
)
async def list_products(query: ProductQueryParameters, shop: ShopParts) -> Response:
    """List and search products."""
    page = await service.product_list(shop.database, shop.cache, query)
    return Response(page, media_type="application/json")


@router.get(
    "/{product_id}",
    response_model=ProductPage,
    responses=responses(service.NoSuchProduct, links={200: with_product("$response.body#/id")}),
)
async def get_product(product_id: UUID, shop: ShopParts) -> Response:
    """Return a product's page."""
    page = await service.product_page(shop.database, shop.cache, product_id)
    return Response(page, media_type="application/json")
