"""Login tokens: JSON Web Tokens (RFC 7519) that say who, and end by themselves."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import ClassVar
from uuid import UUID

import jwt

from shop.database import utc_now
from shop.problems import Problem

_ALGORITHM = "HS256"
_AUDIENCE = "shop"


class NotLoggedIn(Problem):
    """No token, or one that does not hold."""

    status = HTTPStatus.UNAUTHORIZED
    code = "not-logged-in"
    title = "Log in first"
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class Tokens:
    """Issues and reads tokens."""

    def __init__(self, key: str, lifetime_seconds: int) -> None:
        self.key = key
        self._lifetime = timedelta(seconds=lifetime_seconds)

    def issue(self, user_id: UUID) -> tuple[str, datetime]:
        """Return a token for the user, and when it ends."""
        now = utc_now()
        expires_at = (now + self._lifetime).replace(microsecond=0)
        claims = {"sub": str(user_id), "aud": _AUDIENCE, "iat": now, "exp": expires_at}
        return jwt.encode(claims, self.key, _ALGORITHM), expires_at

    def read(self, token: str) -> UUID:
        """Return whose token it is; raise NotLoggedIn when it is not ours or has ended."""
        try:
            claims = jwt.decode(
                token, self.key, [_ALGORITHM], audience=_AUDIENCE, options={"require": ["exp", "sub", "aud"]}
            )
            return UUID(claims["sub"])
        except jwt.ExpiredSignatureError:
            raise NotLoggedIn("The token has expired; log in again") from None
        except (jwt.InvalidTokenError, ValueError):
            raise NotLoggedIn("The token is not valid; log in again") from None
