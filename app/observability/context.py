"""The context of the request that runs now: opened once by the middleware, read by logs, spans and services."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

Asked = tuple[str, str, bytes, str | None, bytes]
"""What a client asked for, as it came: method, path, query, client's address and user agent."""


class Matched(Protocol):
    """What holds the template of the route that the router picks."""

    route: str | None


@dataclass(slots=True)
class RequestContext:
    """One mutable object a request, so that what a dependency learns in a worker thread is seen everywhere."""

    request_id: str
    client_ip: str | None = None
    user_id: str | None = None
    matched: Matched | None = None

    @property
    def route(self) -> str | None:
        """The template of the matched route; None before it is known, and when there is none."""
        return self.matched.route if self.matched else None


request_context: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def current() -> RequestContext | None:
    """Return the running request's context, or None outside of a request."""
    return request_context.get()


def request_id() -> str | None:
    """Return the running request's id, or None outside of a request."""
    context = request_context.get()
    return context.request_id if context else None


def bind_user(user_id: str) -> None:
    """Say who makes this request: the id goes into its log lines and its server span. Outside a request: nothing."""
    if context := request_context.get():
        context.user_id = user_id
