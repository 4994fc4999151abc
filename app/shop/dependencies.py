"""What routes ask for: the shop's parts and the logged-in user."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from observability import bind_user
from shop.active_users import ActiveUsers
from shop.cache import Cache
from shop.database import Database
from shop.payments.gateway import PaymentGateway
from shop.settings import ShopSettings
from shop.users.passwords import Passwords
from shop.users.tokens import NotLoggedIn, Tokens


@dataclass(frozen=True, slots=True)
class Shop:
    """The parts of a running shop."""

    settings: ShopSettings
    database: Database
    cache: Cache
    gateway: PaymentGateway
    passwords: Passwords
    tokens: Tokens
    active_users: ActiveUsers


def get_shop(request: Request) -> Shop:
    """Return the parts that the application's lifespan opened."""
    shop: Shop = request.app.state.shop
    return shop


ShopParts = Annotated[Shop, Depends(get_shop)]

_bearer = HTTPBearer(auto_error=False, description="The token of POST /api/v1/sessions")


async def current_user(
    shop: ShopParts, authorization: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> UUID:
    """Return who is logged in; from here on the request's logs and span carry the id."""
    if authorization is None:
        raise NotLoggedIn("Header Authorization: send `Bearer <token>`; POST /api/v1/sessions gives one")
    user_id = shop.tokens.read(authorization.credentials)
    bind_user(str(user_id))
    shop.active_users.note(str(user_id))
    return user_id


CurrentUser = Annotated[UUID, Depends(current_user)]
