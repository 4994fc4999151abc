"""How a failure stands in a span."""

from opentelemetry.trace import Span, Status, StatusCode

from observability.logs import redaction
from observability.logs.shape import describe_error
from observability.once import first


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
