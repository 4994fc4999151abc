"""The server span of a request, by OpenTelemetry's HTTP semantic conventions (stable since 1.23)."""

import re
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.types import Scope

from observability.logs import redaction
from observability.metrics.http import METHODS, OTHER_METHOD, UNMATCHED
from observability.traces import errors
from observability.traces.attributes import put
from observability.traces.state import state

_SERVER_ERROR = 500
_HOST = re.compile(r"(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?").fullmatch


class ServerSpan:
    """Started before the application, current while it runs, finished with the answer's last byte."""

    __slots__ = ("_headers", "_scope", "_span", "_token", "sampled_trace_id")

    def __init__(self, span: trace.Span, context: Any, scope: Scope, headers: dict[bytes, bytes]) -> None:
        self._span = span
        self._scope = scope
        self._headers = headers
        self._token = otel_context.attach(trace.set_span_in_context(span, context))
        ids = span.get_span_context()
        self.sampled_trace_id = ids.trace_id if ids.trace_flags.sampled else 0

    def finish(self, method: str, route: str, status: int, error: BaseException | None, user_id: str | None) -> None:
        """Name the span by what is known at the end, and end it."""
        span = self._span
        if span.is_recording():
            name = method if method in METHODS else "HTTP"
            attributes = _attributes(self._scope, self._headers, method)
            attributes["http.response.status_code"] = status
            if route != UNMATCHED:
                attributes["http.route"] = route
                name = f"{name} {route}"
            if user_id is not None:
                attributes["user.id"] = user_id
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
    span = state.tracer.start_span(
        method if method in METHODS else "HTTP",
        # An empty context, not the current one: the server's task may carry another request's.
        context=context if context is not None else otel_context.Context(),
        kind=SpanKind.SERVER,
    )
    return ServerSpan(span, context, scope, headers)


def _attributes(scope: Scope, headers: dict[bytes, bytes], method: str) -> dict[str, str | int]:
    known = method in METHODS
    attributes: dict[str, str | int] = {
        "http.request.method": method if known else OTHER_METHOD,
        "url.path": redaction.text(scope["path"]),
        "url.scheme": scope.get("scheme", "http"),
        "network.protocol.version": scope.get("http_version", "1.1"),
    }
    if not known:
        attributes["http.request.method_original"] = redaction.text(method)
    if query := scope.get("query_string"):
        attributes["url.query"] = redaction.text(query.decode("latin-1"))
    address, port = _server(scope, headers)
    if address:
        attributes["server.address"] = address
    if port:
        attributes["server.port"] = port
    if client := scope.get("client"):
        attributes["client.address"] = client[0]
    if agent := headers.get(b"user-agent"):
        attributes["user_agent.original"] = redaction.text(agent.decode("latin-1"))
    return attributes


def _server(scope: Scope, headers: dict[bytes, bytes]) -> tuple[str, int | None]:
    """Return the name and port that the client asked for; without a Host header (HTTP/1.0), the socket's own."""
    host = headers.get(b"host")
    if not host:
        address, port = scope.get("server") or ("", None)
        return address, port
    text = redaction.text(host.decode("latin-1"))
    parts = _HOST(text)
    if parts is None:
        return text, None
    return parts[1].strip("[]"), int(parts[2]) if parts[2] else None
