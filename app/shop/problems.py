"""Errors as RFC 9457 problem details: what went wrong, in which field, and the request's id for asking about it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from observability import get_logger
from observability.context import request_id
from shop.links import Links

MEDIA_TYPE = "application/problem+json"

_log = get_logger(__name__)


class FieldError(BaseModel):
    """One wrong field of the request."""

    field: str = Field(examples=["body.items.0.quantity"])
    detail: str = Field(examples=["Input should be less than or equal to 99"])


class ProblemDetails(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:ecommerce:problem:out-of-stock",
                "title": "Not enough in stock",
                "status": 409,
                "detail": "“机械键盘 87 键” has 1 left, 2 were ordered",
                "requestId": "0192f5b2-6c1e-7d3a-9f64-2b1c8d7e5a90",
            }
        }
    )

    type: str
    title: str
    status: int
    detail: str
    requestId: str | None = None  # noqa: N815 - the house's spelling in JSON
    errors: list[FieldError] | None = None


class Problem(Exception):  # noqa: N818 - "problem" is RFC 9457's own word
    """Base of the domain's errors: raised in a service, answered as problem details."""

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST
    code: ClassVar[str] = "bad-request"
    title: ClassVar[str] = "Bad request"
    headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    @property
    def refusal(self) -> bool:
        """Whether the shop says no, as it should, rather than fails: then the span it leaves is no error."""
        return self.status < HTTPStatus.INTERNAL_SERVER_ERROR


class InvalidRequest(Problem):
    """The request's fields are wrong in form."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid-request"
    title = "The request has wrong fields"


class ServiceBusy(Problem):
    """A part that the shop needs does not answer, or not in time; asking again later may work."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "service-busy"
    title = "The shop cannot answer now"
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "2"}


def responses(*problems: type[Problem], links: Mapping[int, Links] | None = None) -> dict[int | str, dict[str, Any]]:
    """Return what FastAPI's `responses=` takes, so that OpenAPI declares these problems beside the common ones.

    `links` are the operations that may follow an answer, by its status.
    """
    declared: dict[int | str, dict[str, Any]] = {}
    every: tuple[type[Problem], ...] = (*problems, InvalidRequest, ServiceBusy)
    for problem in every:
        entry = declared.setdefault(
            int(problem.status),
            _response(""),
        )
        entry["description"] = "; ".join(filter(None, (entry["description"], f"{problem.title} (`{problem.code}`)")))
    for status, following in (links or {}).items():
        declared.setdefault(status, {})["links"] = following
    return declared


def install(app: FastAPI) -> None:
    """Answer every error of `app` as problem details, and add their schema to its OpenAPI document."""
    app.add_exception_handler(Problem, _domain)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(DBAPIError, _database)
    app.add_exception_handler(PoolTimeoutError, _database)
    app.add_exception_handler(OSError, _database)
    app.add_exception_handler(Exception, _unexpected)
    make_document = app.openapi

    def openapi() -> dict[str, Any]:
        document = make_document()
        schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(schema.pop("$defs"))
        schemas["ProblemDetails"] = schema
        for operations in document["paths"].values():
            for operation in operations.values():
                if "requestBody" in operation:  # what FastAPI answers before it looks at fields
                    operation["responses"].setdefault("400", _response("The body is not JSON in UTF-8"))
                    operation["responses"].setdefault("413", _response("The body is too large"))
        return document

    app.openapi = openapi  # type: ignore[method-assign] # the way FastAPI documents for changing the document


def _response(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
    }


def _answer(  # noqa: PLR0913 - the members of RFC 9457
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    errors: Sequence[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    problem = ProblemDetails(
        type=f"urn:ecommerce:problem:{code}",
        title=title,
        status=status,
        detail=detail,
        requestId=request_id(),
        errors=list(errors) if errors else None,
    )
    content = problem.model_dump(exclude_none=True)
    return JSONResponse(content, status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


async def _domain(_request: Request, problem: Exception) -> JSONResponse:
    if not isinstance(problem, Problem):
        raise problem
    return _answer(problem.status, problem.code, problem.title, problem.detail, headers=problem.headers)


async def _validation(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    # The value itself stays out: it may be a password or a card number.
    wrong = [
        FieldError(field=".".join(map(str, e["loc"])), detail=str(e["msg"]).removeprefix("Value error, "))
        for e in error.errors()
    ]
    detail = "; ".join(f"{e.field}: {e.detail}" for e in wrong)
    return _answer(InvalidRequest.status, InvalidRequest.code, InvalidRequest.title, detail, errors=wrong)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "-")
    return _answer(error.status_code, code, phrase, str(error.detail), headers=error.headers)


async def _database(_request: Request, error: Exception) -> JSONResponse:
    """Answer 503, so that clients ask again, when the database (or a socket) is away for now."""
    if isinstance(error, DBAPIError) and not _may_pass(error):
        raise error
    _log.error("A part the shop needs does not answer", exc_info=error)
    return await _domain(_request, ServiceBusy("The shop's storage does not answer; try again in a moment"))


def _may_pass(error: DBAPIError) -> bool:
    # 08 connection, 40 deadlock or serialization, 53 resources, 55P03 lock timeout, 57 cancelled or shutting down
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return error.connection_invalidated or state[:2] in {"08", "40", "53", "57"} or state == "55P03"


async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    """Whatever else goes wrong is the shop's fault; the middleware logs it, the answer tells nothing but the id."""
    title = HTTPStatus.INTERNAL_SERVER_ERROR.phrase
    return _answer(500, "internal-server-error", title, "The shop failed; the request id finds the reason in the logs")
