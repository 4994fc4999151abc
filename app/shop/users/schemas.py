"""What the users' routes take and give."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from shop.fields import RequestModel, ShortText

Email = Annotated[
    str,
    StringConstraints(
        max_length=254,
        to_lower=True,
        pattern=r"^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$",
    ),
    Field(examples=["li.lei@example.com"]),
]
# the upper bound keeps a hash from being made expensive by a megabyte of password
Password = Annotated[SecretStr, Field(min_length=8, max_length=128, examples=["correct horse battery"])]


class Registration(RequestModel):
    """A new account."""

    email: Email
    password: Password
    name: Annotated[ShortText, Field(examples=["李雷"])]


class Credentials(RequestModel):
    """A login."""

    email: Email
    password: Password


class Session(BaseModel):
    """A successful login: send `Authorization: Bearer <token>`."""

    token: str
    expires_at: datetime


class UserView(BaseModel):
    """An account, as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    name: str
    created_at: datetime
