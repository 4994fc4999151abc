"""Traces: the SDK as OTEL_* says, and a helper for the spans of one's own code."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanContext

from observability.logs import redaction
from observability.spans import NOTHING, put
from observability.traces import errors
from observability.traces.setup import configure, shutdown
from observability.traces.state import state

if TYPE_CHECKING:
    from contextvars import Token

__all__ = ["configure", "here", "shutdown", "traced"]

P = ParamSpec("P")
R = TypeVar("R")

_OWN_NAMESPACES = ("order_", "user_", "app_")


class traced:  # noqa: N801 - used like a function: `with traced(...)`, `@traced(...)`
    """A span around a block (`with`, in sync and async code) or a function (`@traced`, sync or async).

        with traced("createOrder", order_id=order.id, links=[context]) as span:
            ...

    Attribute names: `order_…`, `user_…` and `app_…` get a dot for that underscore (`order_id` → `order.id`), any
    other name the prefix `app.`; None is left out. `root` starts a trace of its own (say where it came from with a
    link). An exception sets the status ERROR and is recorded once, on the innermost span; a refusal (`refusal` is true
    on it, or it is an HTTPException under 500) is no error and only named, in `app.refusal`.
    """

    __slots__ = ("_attributes", "_links", "_name", "_root", "_span", "_token")

    def __init__(
        self, name: str, *, links: Sequence[Link | SpanContext] = (), root: bool = False, **attributes: Any
    ) -> None:
        self._name = name
        self._links = links
        self._root = root
        self._attributes = attributes
        self._token: Token[otel_context.Context] | None = None

    def __enter__(self) -> Span:
        """Start the span and make it current; on it, `set_attribute` takes OpenTelemetry's own names."""
        if not state.on:
            return trace.INVALID_SPAN
        self._span = state.start_span(
            self._name,
            NOTHING if self._root else None,
            links=[link if isinstance(link, Link) else Link(link) for link in self._links],
        )
        if self._span.is_recording():
            put(
                self._span,
                {
                    _attribute_name(name): _attribute_value(value)
                    for name, value in self._attributes.items()
                    if value is not None
                },
            )
        self._token = otel_context.attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """End the span."""
        if self._token is None:
            return
        if isinstance(error, Exception):  # a cancelled task is no failure
            errors.record_unless_refusal(self._span, error)
        otel_context.detach(self._token)
        self._span.end()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate `function`: a new span at each call."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def in_async_span(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self._again():
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", in_async_span)

        @functools.wraps(function)
        def in_span(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._again():
                return function(*args, **kwargs)

        return in_span

    def _again(self) -> "traced":
        return traced(self._name, links=self._links, root=self._root, **self._attributes)


def here() -> SpanContext:
    """Return the current span's context, for a link from work that is done later."""
    return trace.get_current_span().get_span_context()


def _attribute_name(name: str) -> str:
    return name.replace("_", ".", 1) if name.startswith(_OWN_NAMESPACES) else f"app.{name}"


def _attribute_value(value: Any) -> Any:
    return value if isinstance(value, bool | int | float) else redaction.text(str(value))
