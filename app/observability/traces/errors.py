"""How a failure stands in a span."""

from opentelemetry.trace import Span, Status, StatusCode
from starlette.exceptions import HTTPException

from observability.logs import redaction
from observability.logs.shape import describe_error
from observability.once import first

_SERVER_ERROR = 500


def record(span: Span, error: BaseException) -> None:
    """Set the span's status, and record the exception unless a span further in already has."""
    if not span.is_recording():
        return
    described = describe_error(error)  # redacted, as a log line would be
    span.set_attribute("error.type", described["type"])
    span.set_status(Status(StatusCode.ERROR, redaction.text(described["message"])))
    if first(error, "span"):
        span.add_event(
            "exception",
            {
                "exception.type": described["type"],
                "exception.message": described["message"],
                "exception.stacktrace": described["stack"],
            },
        )


def record_unless_refusal(span: Span, error: BaseException) -> None:
    """Record a failure; name a refusal in `app.refusal` and leave the status unset, as the conventions do with a 4xx.

    By a refusal the service says no: the operation did what it should. An HTTPException is one by its status, any
    other exception by an attribute `refusal` that is true.
    """
    if isinstance(error, HTTPException):
        refusal = error.status_code < _SERVER_ERROR
    else:
        refusal = bool(getattr(error, "refusal", False))
    if refusal:
        span.set_attribute("app.refusal", type(error).__qualname__)
    else:
        record(span, error)
