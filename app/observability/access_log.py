"""The log lines of a request: started, then completed or failed."""

from functools import partial
from time import time_ns
from typing import TYPE_CHECKING, Any

from observability.context import Asked
from observability.logs import redaction
from observability.logs.pipeline import pipeline
from observability.logs.shape import LEVELS, Where, where
from observability.metrics.http import CLIENT_CLOSED_REQUEST
from observability.once import first

if TYPE_CHECKING:
    from observability.asgi import HttpRequest

_LOGGER = "observability.http"
_CLIENT_ERROR = 400
_SERVER_ERROR = 500

_Answer = tuple[str, int, float, str | None]
"""Route, status, seconds and user."""


def started(request: "HttpRequest") -> None:
    """Log that a request has come in."""
    _log(request, "INFO", None)


def finished(request: "HttpRequest", route: str, status: int, seconds: float, error: BaseException | None) -> None:
    """Log the answer; `error` is the exception that made it fail."""
    failed = error is not None and status != CLIENT_CLOSED_REQUEST
    level = "ERROR" if failed or status >= _SERVER_ERROR else "WARN" if status >= _CLIENT_ERROR else "INFO"
    if pipeline.threshold > LEVELS[level] or (request.quiet and level == "INFO"):
        return
    answer = (route, status, seconds, request.user_id)
    if error is not None:
        first(error, "log")  # the server, which sees it next, would log it again
    if failed:
        message, meta = _answered("request.failed", request.asked(), answer)
        pipeline.emit(level, message, _LOGGER, {**meta, "exc_info": error}, clean=True)
    else:
        _log(request, level, answer)


def failed_after_response(request: "HttpRequest", error: BaseException) -> None:
    """Log an exception that came after the answer was sent whole: a background task's."""
    if isinstance(error, Exception) and first(error, "log"):
        meta = _meta("background.failed", request.asked())
        meta["route"] = request.route
        meta["exc_info"] = error
        pipeline.emit("ERROR", f"{meta['method']} {meta['url']}: background task failed", _LOGGER, meta, clean=True)


def _log(request: "HttpRequest", level: str, answer: _Answer | None) -> None:
    """Leave the line to the writer's thread, where many of them together cost less than each would cost its request.

    What is left is plain values, so nobody changes it meanwhile.
    """
    writer, span = pipeline.writer, request.span
    place = where() if span is None else (request.request_id, request.user_id, span.trace_id, span.span_id)
    if writer is not None and not pipeline.shape.baggage_names:  # baggage is known only here
        writer.put(level, _render, level, time_ns(), place, request.asked(), answer)
    else:
        pipeline.emit_line(level, _render(level, time_ns(), place, request.asked(), answer))


def _render(level: str, created_ns: int, place: Where, asked: Asked, answer: _Answer | None) -> bytes:
    if answer is None:
        meta = _meta("request.started", asked)
        message = f"{meta['method']} {meta['url']} started"
    else:
        message, meta = _answered("request.completed", asked, answer)
    line = partial(pipeline.shape.line, level, message, _LOGGER, meta, created_ns, clean=True, place=place)
    return pipeline.render(_LOGGER, line)


def _answered(event: str, asked: Asked, answer: _Answer) -> tuple[str, dict[str, Any]]:
    """Return message and meta of an answered request's line."""
    route, status, seconds, user_id = answer
    meta = _meta(event, asked)
    meta["route"] = route
    meta["status"] = status
    meta["responseTime"] = round(seconds * 1000, 3)
    if user_id is not None:
        meta["userId"] = redaction.text(user_id)
    return f"{meta['method']} {meta['url']} {status}", meta


def _meta(event: str, asked: Asked) -> dict[str, Any]:
    """Return what each line of the request says, cleaned."""
    method, path, query, ip, agent = asked
    url = redaction.text(path)
    return {
        "event": event,
        "method": redaction.text(method),
        "url": f"{url}?{redaction.query(query.decode('latin-1'))}" if query else url,
        "ip": ip and redaction.text(ip),
        "userAgent": redaction.text(agent.decode("latin-1")),
    }
