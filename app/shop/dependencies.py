"""What routes ask for: the shop's parts, the logged-in user, the visit."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from observability import bind_user
from shop import metrics
from shop.active_users import ActiveUsers
from shop.cache import Cache
from shop.database import Database
from shop.ids import new_id
from shop.payments.gateway import PaymentGateway
from shop.settings import ShopSettings
from shop.users.passwords import Passwords
from shop.users.tokens import NotLoggedIn, Tokens

VISIT_COOKIE = "visit"
VISIT_SECONDS = 30 * 60  # web analytics' usual end of a visit: half an hour without a request


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


async def visit(request: Request, response: Response) -> None:
    """Count a visitor's session once, and keep it alive while requests come."""
    session = request.cookies.get(VISIT_COOKIE)
    if session is None:
        session = str(new_id())
        metrics.visitor_sessions.inc()
    response.set_cookie(VISIT_COOKIE, session, max_age=VISIT_SECONDS, httponly=True, samesite="lax")
