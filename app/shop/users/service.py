"""Registration and login."""

from datetime import datetime
from http import HTTPStatus
from typing import ClassVar
from uuid import UUID

from sqlalchemy import select

from observability import bind_user, get_logger, traced
from shop import metrics
from shop.database import Database, insert_new, utc_now
from shop.ids import new_id
from shop.problems import Problem
from shop.users.models import User
from shop.users.passwords import Passwords
from shop.users.schemas import Credentials, Registration
from shop.users.tokens import NotLoggedIn, Tokens

_log = get_logger(__name__)


class EmailTaken(Problem):
    """Somebody has an account with this email."""

    status = HTTPStatus.CONFLICT
    code = "email-taken"
    title = "This email has an account"


class WrongCredentials(Problem):
    """Unknown email or wrong password: the answer does not say which."""

    status = HTTPStatus.UNAUTHORIZED
    code = "wrong-credentials"
    title = "Email or password is wrong"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


async def register(database: Database, passwords: Passwords, registration: Registration) -> User:
    """Create the account."""
    with traced("registerUser"):
        user = User(
            id=new_id(),
            email=registration.email,
            name=registration.name,
            password_hash=await passwords.hash(registration.password.get_secret_value()),
            created_at=utc_now(),
        )
        row = {column.key: getattr(user, column.key) for column in User.__table__.columns}
        async with database.transaction() as session:
            created = await insert_new(session, User, row)
        if not created:
            raise EmailTaken("body.email: there is an account with this email; log in instead")
        bind_user(str(user.id))
        metrics.users_registered.inc()
        _log.info("User registered")
        return user


async def log_in(
    database: Database, passwords: Passwords, tokens: Tokens, credentials: Credentials
) -> tuple[str, datetime]:
    """Return a token and when it ends."""
    with traced("logIn"):
        async with database.reading() as session:
            user = await session.scalar(select(User).where(User.email == credentials.email))
        # No connection is held here: hashing takes longer than the query.
        password = credentials.password.get_secret_value()
        if not await passwords.verify(user.password_hash if user else None, password) or user is None:
            metrics.logins.labels("failure").inc()
            _log.warning("Login failed")
            raise WrongCredentials("Email or password is wrong")
        bind_user(str(user.id))
        metrics.logins.labels("success").inc()
        _log.info("User logged in")
        return tokens.issue(user.id)


async def get_user(database: Database, user_id: UUID) -> User:
    """Return the account."""
    async with database.reading() as session:
        user = await session.get(User, user_id)
    if user is None:
        raise NotLoggedIn("The token's account does not exist; register again")
    return user
