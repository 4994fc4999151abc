"""The server span of a request."""

from typing import TYPE_CHECKING

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.types import Scope

from observability.metrics.http import METHODS
from observability.spans import NOTHING, LightSpan, put
from observability.traces import errors
from observability.traces.conventions import describe, facts
from observability.traces.state import state

if TYPE_CHECKING:
    from observability.asgi import HttpRequest

_SERVER_ERROR = 500
_SPAN_KEY = next(iter(trace.set_span_in_context(trace.INVALID_SPAN, NOTHING)))


class ServerSpan:
    """Started before the application, current while it runs, finished with the answer's last byte."""

    __slots__ = ("_span", "_token", "sampled", "span_id", "trace_id")

    def __init__(self, span: trace.Span, context: otel_context.Context | None) -> None:
        self._span = span
        if context is None:
            context = otel_context.Context({_SPAN_KEY: span})  # what the next line does, without its two copies
        else:
            context = trace.set_span_in_context(span, context)
        self._token = otel_context.attach(context)
        if type(span) is LightSpan:
            self.trace_id, self.span_id, self.sampled = span.trace_id, span.span_id, span.sampled
        else:
            ids = span.get_span_context()
            self.trace_id, self.span_id, self.sampled = ids.trace_id, ids.span_id, ids.trace_flags.sampled

    def finish(self, request: "HttpRequest", route: str, status: int, error: BaseException | None) -> None:
        """Name the span by what is known at the end, and end it."""
        span = self._span
        if span.is_recording():
            known = facts(request, route, status)
            if status < _SERVER_ERROR and type(span) is LightSpan and span.is_plain():
                span.end_as("", known)
                return
            name, attributes = describe(*known)
            put(span, attributes)
            span.update_name(name)
            if error is not None and status >= _SERVER_ERROR:
                errors.record(span, error)
            elif status >= _SERVER_ERROR:
                span.set_attribute("error.type", str(status))
                span.set_status(Status(StatusCode.ERROR))
        span.end()

    def leave(self) -> None:
        """Make it no longer current: when the application has returned, background tasks included."""
        otel_context.detach(self._token)


def start(scope: Scope, headers: dict[bytes, bytes]) -> ServerSpan:
    """Start the span as child of the caller's, when the request's headers carry one."""
    context = None
    if not state.propagation_headers.isdisjoint(headers):
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
        context = propagate.extract(carrier)
    method = scope["method"]
    span = state.start_span(
        method if method in METHODS else "HTTP",
        # Not the current context: the server's task may carry another request's.
        NOTHING if context is None else context,
        SpanKind.SERVER,
    )
    return ServerSpan(span, context)
