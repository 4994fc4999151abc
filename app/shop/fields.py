"""Field types that more than one domain's schemas use."""

from typing import Annotated

from fastapi import Header
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Control characters have no place in a name, and PostgreSQL cannot store NUL.
PLAIN_TEXT = r"^[^\x00-\x1f\x7f]*$"

ShortText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Quantity = Annotated[int, Field(strict=True, ge=1, le=99, description="How many pieces", examples=[2])]
Cents = Annotated[int, Field(ge=0, description="Money in fen (1/100 CNY)", examples=[12900])]

IdempotencyKey = Annotated[
    str,
    Header(
        pattern=r"^[\x21-\x7e]+$",
        min_length=1,
        max_length=128,
        description="Made by the client, one a purchase: repeating the request with the same key acts once.",
        examples=["0192f5b2-6c1e-7d3a-9f64-2b1c8d7e5a90"],
    ),
]


class RequestModel(BaseModel):
    """Base of request bodies: a misspelt field is an error, not silence."""

    model_config = ConfigDict(extra="forbid")
