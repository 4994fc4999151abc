"""Errors as RFC 9457 problem details."""

from collections.abc import Mapping
from http import HTTPStatus
from sqlite3 import Error

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from observability import get_logger
from observability.context import request_id

MEDIA_TYPE = "application/problem+json"

_log = get_logger(__name__)


def install(app: FastAPI) -> None:
    """Answer every error of `app` as problem details."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Error, _database)
    app.add_exception_handler(Exception, _unexpected)


def _answer(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    content = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if identifier := request_id():
        content["requestId"] = identifier
    return JSONResponse(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return _answer(error.status_code, str(error.detail), error.headers)


async def _validation(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    return _answer(422, "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))


async def _database(_request: Request, error: Exception) -> JSONResponse:
    """Answer 503: Alertmanager keeps the notification and asks again."""
    _log.error("The outbox cannot be written", exc_info=error)
    return _answer(503, "The outbox cannot be written; try again in a moment", {"Retry-After": "2"})


async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    return _answer(500, "The notifier failed; the request id finds the reason in the logs")
