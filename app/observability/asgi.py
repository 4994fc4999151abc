"""The one middleware: it opens the request's context, and metrics, log lines and the server span are read from it.

Pure ASGI, and outermost: it sees the 500 that the framework makes of an exception, and its header is on that too.
"""

import re
from collections.abc import Awaitable, Collection
from time import perf_counter
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from observability import access_log, routes
from observability.context import Asked, Matched, RequestContext, request_context
from observability.faults import injection
from observability.faults.switches import switches
from observability.ids import uuid7
from observability.logs.pipeline import pipeline
from observability.logs.shape import LEVELS
from observability.metrics.http import CLIENT_CLOSED_REQUEST, Trace, in_progress, new_series, series
from observability.traces import server as server_span
from observability.traces.state import state

_CLIENT_ERROR = 400
_NOT_FOUND = 404
_SERVER_ERROR = 500
_PATIENCE_SECONDS = 0.005
"""Nobody gives up sooner, and asking the server about it costs half as much as everything else here."""
_INFO = LEVELS["INFO"]
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}").fullmatch


class ObservabilityMiddleware:
    """Counts, times, logs and traces each HTTP request of `app`; websockets get a context; lifespan passes through."""

    def __init__(self, app: ASGIApp, *, quiet: Collection[str] = ()) -> None:
        self.app = app
        self.quiet = frozenset(quiet)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection (ASGI 3)."""
        if scope["type"] == "http":
            request = HttpRequest(scope, receive, send, quiet=scope["path"] in self.quiet)
            token = request_context.set(request)
            in_progress.count += 1
            if not request.quiet:
                if state.on:
                    request.asked()  # now, for what is inside may rewrite the scope
                    request.span = server_span.start(scope, request.headers)
                if pipeline.threshold <= _INFO:
                    access_log.started(request)
            error: BaseException | None = None
            try:
                await self.app(scope, request.receive, request.send)
            except BaseException as exception:  # a cancelled request is finished too
                error = exception
                # After a whole answer the failure is recorded here and over. A server that hears of it closes the
                # connection, on which a proxy may have sent the next request already: that one would get a 502.
                if not request.last_byte or not isinstance(exception, Exception):
                    raise
            finally:
                if error is not None or not request.done:
                    request.finish(error)
                if request.span is not None:
                    request.span.leave()
                request_context.reset(token)
        elif scope["type"] == "websocket":
            given, client = dict(scope["headers"]).get(b"x-request-id"), scope.get("client")
            request_id = uuid7() if given is None else _request_id(given)
            context = RequestContext(request_id, client[0] if client else None, None, routes.watch(scope))
            token = request_context.set(context)
            try:
                await self.app(scope, receive, send)
            finally:
                request_context.reset(token)
        else:
            await self.app(scope, receive, send)


class HttpRequest(RequestContext):
    """One HTTP request on its way through the application."""

    __slots__ = (
        "_asked",
        "body_read",
        "client_left",
        "done",
        "first_byte",
        "headers",
        "last_byte",
        "pending",
        "quiet",
        "receive_from_server",
        "scope",
        "send_to_server",
        "span",
        "started",
        "status",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, quiet: bool) -> None:
        self.started = perf_counter()
        self.scope = scope
        self.receive_from_server = receive
        self.send_to_server = send
        self.quiet = quiet
        # The last of a repeated header wins; none of those read here may be repeated.
        headers: dict[bytes, bytes] = dict(scope["headers"])
        self.headers = headers
        given, client = headers.get(b"x-request-id"), scope.get("client")
        self.request_id = uuid7() if given is None else _request_id(given)
        self.client_ip = client[0] if client else None
        self.user_id = None
        self.matched: Matched = routes.watch(scope)
        self.span: server_span.ServerSpan | None = None
        self.status = 0
        self.first_byte = self.last_byte = 0.0
        self.body_read = self.client_left = self.done = False
        self.pending: Message | None = None
        self._asked: Asked | None = None

    def asked(self) -> Asked:
        """Return what was asked for: made once, of plain values, for whoever writes it down later."""
        asked = self._asked
        if asked is None:
            scope = self.scope
            query, agent = scope.get("query_string", b""), self.headers.get(b"user-agent", b"")
            asked = self._asked = (scope["method"], scope["path"], query, self.client_ip, agent)
        return asked

    async def receive(self) -> Message:
        """Pass on what the server has received (ASGI's `receive`)."""
        if self.pending is not None:
            message, self.pending = self.pending, None
        else:
            message = await self.receive_from_server()
        if message["type"] == "http.disconnect":
            self.client_left = self.client_left or not self.done
        elif not message.get("more_body", False):
            self.body_read = True
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Pass on what the application answers (ASGI's `send`); no coroutine of its own where there is none to wait."""
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self.request_id.encode()),
            ]
            if switches.running:
                return self.send_late(message)
            self.first_byte = perf_counter()
            if not self.client_left and self.first_byte - self.started > _PATIENCE_SECONDS:
                self.client_left = self.gone()
        elif kind == "http.response.body" and not message.get("more_body", False):
            return self.send_last(message)
        return self.send_to_server(message)

    async def send_late(self, message: Message) -> None:
        """Begin the answer when the fault `latency` lets it."""
        await injection.delay(self.route)
        if not self.client_left and perf_counter() - self.started > _PATIENCE_SECONDS:
            self.client_left = self.gone()
        self.first_byte = perf_counter()
        await self.send_to_server(message)

    async def send_last(self, message: Message) -> None:
        """End the answer."""
        await self.send_to_server(message)
        self.last_byte = perf_counter()
        if self.status < _SERVER_ERROR:  # after a 5xx the exception that it stands for is on its way here
            self.finish(None)

    def gone(self) -> bool:
        """Ask the server, without waiting, whether the client has left: it takes answers for nobody in silence."""
        # uvicorn has it written down (no public name); any other server is asked in ASGI's way, which costs much more
        known = getattr(getattr(self.receive_from_server, "__self__", None), "disconnected", None)
        if isinstance(known, bool):
            return known
        if self.pending is not None or (not self.body_read and b"expect" in self.headers):
            return False  # asking a server for a body that nobody wanted would send its `100 Continue`
        asked: Any = self.receive_from_server()
        try:
            asked.send(None)  # one step: it either has a message now, or it would wait
        except StopIteration as answer:
            if answer.value["type"] == "http.disconnect":
                return True
            self.pending = answer.value
        finally:
            asked.close()
        return False

    def finish(self, error: BaseException | None) -> None:
        """Record the request, once: at the last byte, not after background tasks, or when it ends without one."""
        if self.done:
            if error is not None:
                access_log.failed_after_response(self, error)
            return
        self.done = True
        if self.client_left or (error is not None and isinstance(error, ClientDisconnect)):
            status = CLIENT_CLOSED_REQUEST
        elif self.last_byte:
            status = self.status
        else:  # an exception before any byte, or an answer that broke off: the client has no whole answer
            status = _SERVER_ERROR
        in_progress.count -= 1
        end = self.last_byte or perf_counter()
        duration = end - self.started
        method, span = self.scope["method"], self.span
        route = self.matched.route
        if route is None or self.status == _NOT_FOUND:
            route = routes.template(route, self.status)
        trace: Trace = self.headers.get(b"traceparent") if span is None else span.sampled and span.trace_id
        found = series.get((method, route, status)) or new_series(method, route, status)
        found.note(duration, (self.first_byte or end) - self.started, trace, end)
        if span is not None:
            span.finish(self, route, status, error)
        if pipeline.threshold <= _INFO or status >= _CLIENT_ERROR:
            access_log.finished(self, route, status, duration, error)


def _request_id(given: bytes) -> str:
    """Return the client's id when it is well-formed, a new one otherwise."""
    return given.decode() if _REQUEST_ID(given) else uuid7()
