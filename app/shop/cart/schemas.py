"""What the cart's routes take and give."""

from uuid import UUID

from pydantic import BaseModel

from shop.fields import Cents, Quantity, RequestModel


class CartQuantity(RequestModel):
    """How many of the product the cart shall hold."""

    quantity: Quantity


class CartLine(BaseModel):
    """A product in the cart, at today's price."""

    product_id: UUID
    name: str
    quantity: Quantity
    unit_price_cents: Cents


class CartView(BaseModel):
    """The cart; prices are fixed when it is ordered."""

    items: list[CartLine]
    total_cents: Cents
    currency: str = "CNY"
