"""The context of the request that runs now: opened once by the middleware, read by logs, spans and services."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class RequestContext:
    """One mutable object a request, so that what a dependency learns in a worker thread is seen everywhere."""

    request_id: str
    client_ip: str | None = None
    user_id: str | None = None


_current: ContextVar[RequestContext | None] = ContextVar("request", default=None)


def current() -> RequestContext | None:
    """Return the running request's context, or None outside of a request."""
    return _current.get()


def request_id() -> str | None:
    """Return the running request's id, or None outside of a request."""
    context = _current.get()
    return context.request_id if context else None


def bind_user(user_id: str) -> None:
    """Say who makes this request: the id goes into its log lines and its server span. Outside a request: nothing."""
    if context := _current.get():
        context.user_id = user_id
