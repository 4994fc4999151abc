"""What the orders' routes take and give."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shop.fields import Cents, Quantity, RequestModel
from shop.orders.models import OrderStatus


class OrderLine(RequestModel):
    """So many of a product."""

    product_id: UUID
    quantity: Quantity


class OrderRequest(RequestModel):
    """What to order; without `items` it is the cart, which is empty afterwards."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"items": [{"product_id": "01930000-0000-7000-8000-000000000001", "quantity": 2}]}]
        },
    )

    items: Annotated[list[OrderLine], Field(min_length=1, max_length=50)] | None = None

    @model_validator(mode="after")
    def _each_product_once(self) -> Self:
        products = [line.product_id for line in self.items or ()]
        if len(products) != len(set(products)):
            raise ValueError("items: a product stands twice; add its quantities up")
        return self

    def quantities(self) -> dict[UUID, int] | None:
        """Return product id → pieces; None for the cart."""
        return None if self.items is None else {line.product_id: line.quantity for line in self.items}


class OrderItemView(BaseModel):
    """A line of an order."""

    model_config = ConfigDict(from_attributes=True)

    product_id: UUID
    name: str
    quantity: Quantity
    unit_price_cents: Cents


class OrderView(BaseModel):
    """An order."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    status: OrderStatus
    items: list[OrderItemView]
    total_cents: Cents
    currency: str = "CNY"
    created_at: datetime
    updated_at: datetime


class OrderList(BaseModel):
    """A page of my orders, the newest first."""

    items: list[OrderView]
    limit: int
    offset: int
