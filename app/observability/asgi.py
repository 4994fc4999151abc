"""The one middleware: it opens the request's context, and metrics, log lines and the server span are read from it.

Pure ASGI, and outermost: it sees the 500 that the framework makes of an exception, and its header is on that too.
"""

import re
from collections.abc import Collection
from time import perf_counter
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from observability import access_log, routes
from observability.context import RequestContext, request_context
from observability.faults import injection
from observability.faults.switches import switches
from observability.ids import uuid7
from observability.metrics.http import CLIENT_CLOSED_REQUEST, in_progress, series
from observability.traces import server as server_span

_SERVER_ERROR = 500
_PATIENCE_SECONDS = 0.005
"""Nobody gives up sooner, and asking the server about it costs half as much as everything else here."""
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}").fullmatch


class ObservabilityMiddleware:
    """Counts, times, logs and traces each HTTP request of `app`; websockets get a context; lifespan passes through."""

    def __init__(self, app: ASGIApp, *, quiet: Collection[str] = ()) -> None:
        self.app = app
        self.quiet = frozenset(quiet)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection (ASGI 3)."""
        if scope["type"] == "http":
            await HttpRequest(self, scope, receive, send).run()
        elif scope["type"] == "websocket":
            given = dict(scope["headers"]).get(b"x-request-id")
            token = request_context.set(
                RequestContext(_request_id(given), _client_ip(scope), None, routes.watch(scope))
            )
            try:
                await self.app(scope, receive, send)
            finally:
                request_context.reset(token)
        else:
            await self.app(scope, receive, send)


class HttpRequest:
    """One HTTP request on its way through the application."""

    __slots__ = (
        "app",
        "body_read",
        "client_left",
        "context",
        "done",
        "first_byte",
        "headers",
        "last_byte",
        "path",
        "pending",
        "quiet",
        "receive_from_server",
        "scope",
        "send_to_server",
        "span",
        "started",
        "status",
    )

    def __init__(self, middleware: ObservabilityMiddleware, scope: Scope, receive: Receive, send: Send) -> None:
        self.started = perf_counter()
        self.app = middleware.app
        self.scope = scope
        self.receive_from_server = receive
        self.send_to_server = send
        self.path: str = scope["path"]
        self.quiet = self.path in middleware.quiet
        # The last of a repeated header wins; none of those read here may be repeated.
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.context = RequestContext(_request_id(self.headers.get(b"x-request-id")), _client_ip(scope))
        self.span: Any = None
        self.status = 0
        self.first_byte = self.last_byte = 0.0
        self.body_read = self.client_left = self.done = False
        self.pending: Message | None = None

    async def run(self) -> None:
        """Run the application inside of the request's context."""
        scope, context = self.scope, self.context
        context.matched = routes.watch(scope)
        token = request_context.set(context)
        in_progress.count += 1
        if not self.quiet and server_span.enabled():
            self.span = server_span.start(scope, self.headers)
        access_log.started(self)
        error: BaseException | None = None
        try:
            await self.app(scope, self.receive, self.send)
        except BaseException as exception:  # a cancelled request is finished too
            error = exception
            raise
        finally:
            self.finish(error)
            if self.span is not None:
                self.span.leave()
            request_context.reset(token)

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

    async def send(self, message: Message) -> None:
        """Pass on what the application answers (ASGI's `send`)."""
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message["status"]
            if switches.running:
                await injection.delay(self.context.route)
            if not self.client_left and perf_counter() - self.started > _PATIENCE_SECONDS:
                self.client_left = self.gone()
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self.context.request_id.encode()),
            ]
            await self.send_to_server(message)
            self.first_byte = perf_counter()
        elif kind == "http.response.body" and not message.get("more_body", False):
            await self.send_to_server(message)
            self.last_byte = perf_counter()
            if self.status < _SERVER_ERROR:  # after a 5xx the exception that it stands for is on its way here
                self.finish(None)
        else:
            await self.send_to_server(message)

    def gone(self) -> bool:
        """Ask the server, without waiting, whether the client has left: it takes answers for nobody in silence."""
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
        if self.client_left or isinstance(error, ClientDisconnect):
            status = CLIENT_CLOSED_REQUEST
        elif self.last_byte:
            status = self.status
        else:  # an exception before any byte, or an answer that broke off: the client has no whole answer
            status = _SERVER_ERROR
        end = self.last_byte or perf_counter()
        method = self.scope["method"]
        route = routes.template(self.context.route, self.status)
        span = self.span
        in_progress.count -= 1
        counter, duration, response_time = series(method, route, status)
        counter.inc()
        duration.observe(end - self.started, None if span is None else span.exemplar)
        response_time.observe((self.first_byte or end) - self.started)
        if span is not None:
            span.finish(method, route, status, error, self.context.user_id)
        access_log.finished(self, route, status, end - self.started, error)


def _request_id(given: bytes | None) -> str:
    """Return the client's id when it is well-formed (8 to 128 of A-Z a-z 0-9 . _ -), a new one otherwise."""
    return given.decode() if given is not None and _REQUEST_ID(given) else uuid7()


def _client_ip(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None
