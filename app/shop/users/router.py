"""POST /users, POST /sessions, GET /users/me."""

from fastapi import APIRouter

from shop.dependencies import CurrentUser, ShopParts
from shop.links import link
from shop.problems import responses
from shop.users import service
from shop.users.models import User
from shop.users.schemas import Credentials, Registration, Session, UserView
from shop.users.tokens import NotLoggedIn

router = APIRouter(tags=["users"])


@router.post(
    "/users",
    status_code=201,
    response_model=UserView,
    responses=responses(
        service.EmailTaken,
        links={
            201: {
                "logIn": link("log_in", body={"email": "$request.body#/email", "password": "$request.body#/password"})
            }
        },
    ),
)
async def register(registration: Registration, shop: ShopParts) -> User:
    """Create an account."""
    return await service.register(shop.database, shop.passwords, registration)


@router.post(
    "/sessions",
    status_code=201,
    responses=responses(
        service.WrongCredentials,
        links={201: {"whoAmI": link("who_am_i"), "browse": link("list_products"), "myOrders": link("list_orders")}},
    ),
)
async def log_in(credentials: Credentials, shop: ShopParts) -> Session:
    """Log in; the token is sent as `Authorization: Bearer <token>`."""
    token, expires_at = await service.log_in(shop.database, shop.passwords, shop.tokens, credentials)
    return Session(token=token, expires_at=expires_at)


@router.get("/users/me", response_model=UserView, responses=responses(NotLoggedIn))
async def who_am_i(user_id: CurrentUser, shop: ShopParts) -> User:
    """Return the account that is logged in."""
    return await service.get_user(shop.database, user_id)
