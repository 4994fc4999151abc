"""The log lines of a request: started, then completed or failed."""

from typing import TYPE_CHECKING, Any

from observability.logs import redaction
from observability.logs.pipeline import pipeline
from observability.logs.shape import LEVELS
from observability.metrics.http import CLIENT_CLOSED_REQUEST
from observability.once import first

if TYPE_CHECKING:
    from observability.asgi import HttpRequest

_LOGGER = "observability.http"
_CLIENT_ERROR = 400
_SERVER_ERROR = 500


def started(request: "HttpRequest") -> None:
    """Log that a request has come in."""
    meta = _meta(request, "request.started")
    pipeline.emit("INFO", f"{meta['method']} {meta['url']} started", _LOGGER, meta, clean=True)


def finished(request: "HttpRequest", route: str, status: int, seconds: float, error: BaseException | None) -> None:
    """Log the answer; `error` is the exception that made it fail."""
    failed = error is not None and status != CLIENT_CLOSED_REQUEST
    level = "ERROR" if failed or status >= _SERVER_ERROR else "WARN" if status >= _CLIENT_ERROR else "INFO"
    if pipeline.threshold > LEVELS[level] or (request.quiet and level == "INFO"):
        return
    meta = _meta(request, "request.failed" if failed else "request.completed")
    meta["route"] = route
    meta["status"] = status
    meta["responseTime"] = round(seconds * 1000, 3)
    if request.user_id is not None:
        meta["userId"] = redaction.text(request.user_id)
    if error is not None:
        first(error, "log")  # the server, which sees it next, would log it again
    if failed:
        meta["exc_info"] = error
    pipeline.emit(level, f"{meta['method']} {meta['url']} {status}", _LOGGER, meta, clean=True)


def failed_after_response(request: "HttpRequest", error: BaseException) -> None:
    """Log an exception that came after the answer was sent whole: a background task's."""
    if isinstance(error, Exception) and first(error, "log"):
        meta = _meta(request, "background.failed")
        meta["route"] = request.route
        meta["exc_info"] = error
        pipeline.emit("ERROR", f"{meta['method']} {meta['url']}: background task failed", _LOGGER, meta, clean=True)


def _meta(request: "HttpRequest", event: str) -> dict[str, Any]:
    """Return what each line of the request says, cleaned: once, although there are two lines at least."""
    described = request.described
    if described is None:
        scope = request.scope
        query: bytes = scope.get("query_string", b"")
        described = request.described = {
            "method": redaction.text(scope["method"]),
            "url": redaction.text(f"{scope['path']}?{query.decode('latin-1')}" if query else scope["path"]),
            "ip": request.client_ip and redaction.text(request.client_ip),
            "userAgent": redaction.text(request.headers.get(b"user-agent", b"").decode("latin-1")),
        }
    return {"event": event, **described}
