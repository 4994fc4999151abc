"""What the gateway takes and gives."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints


class ChargeRequest(BaseModel):
    """A card to charge."""

    model_config = ConfigDict(extra="forbid")

    order_id: UUID
    customer_id: UUID | None = None  # whose order it is, for whoever looks into the gateway's lines and spans
    amount_cents: Annotated[int, Field(gt=0, le=10**12, examples=[12900])]
    currency: Literal["CNY"]
    card_number: Annotated[SecretStr, Field(min_length=12, max_length=19, examples=["4242424242424242"])]
    expiry: Annotated[str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])/[0-9]{2}$"), Field(examples=["12/30"])]
    cvc: Annotated[SecretStr, Field(min_length=3, max_length=4, examples=["123"])]


class Charge(BaseModel):
    """What became of it."""

    charge_id: str
    status: Literal["approved", "declined"]
    decline_code: str | None
