"""What the catalogue's routes take and give."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shop.fields import PLAIN_TEXT, Cents

_EXAMPLE_ID = "01930000-0000-7000-8000-000000000001"


class ProductSummary(BaseModel):
    """A line of the product list."""

    id: UUID = Field(examples=[_EXAMPLE_ID])
    name: str = Field(examples=["机械键盘 87 键"])
    category: str = Field(examples=["电脑办公"])
    price_cents: Cents
    currency: str = "CNY"
    available: bool = Field(description="Whether any is in stock")


class ProductPage(ProductSummary):
    """A product's page."""

    sku: str
    description: str
    stock: int = Field(ge=0, description="Pieces left, a few seconds old; ordering decides")


class ProductList(BaseModel):
    """A page of the product list."""

    items: list[ProductSummary]
    total: int = Field(description="Products that match, on all pages")
    limit: int
    offset: int


class ProductQuery(BaseModel):
    """Which products, and which page of them."""

    model_config = ConfigDict(extra="forbid")

    q: Annotated[str, StringConstraints(max_length=100, pattern=PLAIN_TEXT)] | None = Field(
        None, description="Words in the name", examples=["键盘"]
    )
    category: Annotated[str, StringConstraints(max_length=32, pattern=PLAIN_TEXT)] | None = Field(
        None, examples=["电脑办公"]
    )
    limit: int = Field(20, ge=1, le=100)
    offset: int = Field(0, ge=0, le=100_000)


ProductQueryParameters = Annotated[ProductQuery, Query()]
