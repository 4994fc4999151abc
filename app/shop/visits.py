"""Visitor sessions, the denominator of the conversion rate: a cookie that lasts while requests come."""

from http.cookies import CookieError, SimpleCookie
from uuid import UUID

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shop import metrics
from shop.ids import new_id

COOKIE = "visit"
LIFETIME_SECONDS = 30 * 60  # web analytics' usual end of a visit: half an hour without a request


class VisitMiddleware:
    """Counts a visit at its first request, and renews its cookie at each. A client without cookies visits anew."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/v1/"):
            await self._app(scope, receive, send)
            return
        visit = _read(Headers(scope=scope).get("cookie", ""))
        if visit is None:
            visit = str(new_id())
            metrics.visitor_sessions.inc()

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                cookie = f"{COOKIE}={visit}; Max-Age={LIFETIME_SECONDS}; Path=/; HttpOnly; SameSite=Lax"
                MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, send_with_cookie)


def _read(header: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
        # only what we could have made ourselves is given back
        return str(UUID(morsel.value)) if morsel else None
    except (CookieError, ValueError):
        return None
