"""The one shape of a line (docs/conventions.md, "A log line"), whoever logs."""

import os
import socket
import sys
import time
import traceback
from typing import Any

import orjson
from opentelemetry import baggage, trace

from observability.context import request_context
from observability.ids import uuid7
from observability.logs import redaction
from observability.spans import LightSpan

LEVELS = {"DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40}
MAX_LINE = 60_000
"""Bytes of one line; rsyslog's default limit for a message is 64 KiB on current versions."""
_MAX_BAGGAGE = 200
"""Characters of one entry: it comes from outside, and each line of the request repeats it."""


class _Process:
    """Keeps the process's number: asking the kernel in each line would cost more than the line's id."""

    def __init__(self) -> None:
        self.pid = os.getpid()


_process = _Process()
os.register_at_fork(after_in_child=_process.__init__)  # type: ignore[misc]  # a child has its own


Where = tuple[str | None, str | None, int, int]
"""What runs when a line is logged: request id, user id, trace id and span id.

Trace id 0: no trace. An unsampled request has a trace id, too."""


def where() -> Where:
    """Return what runs now."""
    request, span = request_context.get(), trace.get_current_span()
    request_id, user_id = (None, None) if request is None else (request.request_id, request.user_id)
    if type(span) is LightSpan:
        return request_id, user_id, span.trace_id, span.span_id
    ids = span.get_span_context()
    return request_id, user_id, *((ids.trace_id, ids.span_id) if ids.is_valid else (0, 0))


class Shape:
    """Builds lines for one process."""

    def __init__(self, service: str, baggage_names: str = "") -> None:
        self.service = service
        self.baggage_names = [name.strip() for name in baggage_names.split(",") if name.strip()]
        self.hostname = socket.gethostname()
        self._second = (0, "")

    def line(  # noqa: PLR0913 - what a line is made of
        self,
        level: str,
        message: str,
        logger: str,
        meta: dict[str, Any],
        created_ns: int | None = None,
        *,
        clean: bool = False,
        place: Where | None = None,
    ) -> bytes:
        """Return the line, newline included. `created_ns` (Unix time in ns) and `place`: now by default."""
        event: dict[str, Any] = {
            "timestamp": self._timestamp(created_ns or time.time_ns()),
            "level": level,
            "message": message if clean else redaction.text(message),
            "service": self.service,
        }
        request_id, user_id, trace_id, span_id = place or where()
        if request_id is not None:
            event["requestId"] = request_id
        if trace_id:
            event["trace_id"] = f"{trace_id:032x}"
            event["span_id"] = f"{span_id:016x}"
        if user_id is not None:
            event["userId"] = redaction.text(user_id)
        event["eventId"] = uuid7()
        event["logger"] = redaction.text(logger)
        event["pid"] = _process.pid
        event["hostname"] = self.hostname
        error = meta.pop("exc_info", None)
        if self.baggage_names and (carried := baggage.get_all()):
            known = {name: str(carried[name])[:_MAX_BAGGAGE] for name in self.baggage_names if name in carried}
            if known:
                meta = {**meta, "baggage": redaction.clean(known)}
        event["meta"] = meta if clean else redaction.meta(meta)
        if error is True:
            error = sys.exception()
        if isinstance(error, BaseException):
            event["meta"]["error"] = describe_error(error)
        elif error is not None:  # a field that happens to have this name
            event["meta"]["exc_info"] = redaction.clean(error, 1)
        line = orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)
        if len(line) > MAX_LINE:
            event["meta"] = {"truncated": f"meta had {len(line)} bytes", "keys": sorted(event["meta"])[:20]}
            event["message"] = event["message"][:1000]
            line = orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)
        return line

    def _timestamp(self, now_ns: int) -> str:
        second, rest = divmod(now_ns, 1_000_000_000)
        cached = self._second  # one tuple: another thread may replace it meanwhile
        if cached[0] != second:
            cached = self._second = (second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)))
        return f"{cached[1]}.{rest // 1_000_000:03d}Z"


def describe_error(error: BaseException) -> dict[str, str]:
    """Return meta.error: type, message, stack; the stack without the values of variables."""
    try:
        message = str(error)
        stack = "".join(traceback.format_exception(error, limit=-50))
    except Exception:  # noqa: BLE001 - an exception's own __str__ may raise anything
        message, stack = "<cannot be shown>", "".join(traceback.format_tb(error.__traceback__, limit=-50))
    return {
        "type": redaction.text(type(error).__qualname__),
        "message": redaction.text(message),
        "stack": redaction.text(stack, lines=True),
    }
