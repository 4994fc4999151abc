"""Traces: the SDK as OTEL_* says, and a helper for the spans of one's own code."""

from collections.abc import Sequence
from contextlib import ContextDecorator
from typing import Any, Self

from opentelemetry.trace import Link, Span, SpanContext


def configure(service: str) -> None:
    """Set the SDK up from OTEL_*; off when OTEL_SDK_DISABLED is true or no OTLP endpoint is set."""
    raise NotImplementedError(service)


class traced(ContextDecorator):  # noqa: N801 - used like a function: `with traced(...)`, `@traced(...)`
    """A span around a block (`with`, in sync and async code) or a function (`@traced`, sync or async).

        with traced("createOrder", order_id=order.id, links=[context]) as span:
            ...

    Attribute names: `order_id` → `order.id`, `user_id` → `user.id` (the first underscore after a known prefix becomes
    a dot); other names get the prefix `app.`. An exception is recorded once, on the innermost span, and sets the
    status ERROR.
    """

    def __init__(self, name: str, *, links: Sequence[Link | SpanContext] = (), **attributes: Any) -> None:
        raise NotImplementedError(name, links, attributes)

    def __enter__(self) -> Span:
        """Start the span and make it current; on it, `set_attribute` takes OpenTelemetry's own names."""
        raise NotImplementedError

    def __exit__(self, *exc_info: object) -> None:
        """End the span."""
        raise NotImplementedError

    def _recreate_cm(self) -> Self:
        raise NotImplementedError
