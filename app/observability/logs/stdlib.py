"""The standard library's `logging` (uvicorn, SQLAlchemy, …) into the same shape and queue."""

import logging
from typing import Any

from pythonjsonlogger.core import BaseJsonFormatter

from observability.logs.pipeline import pipeline
from observability.once import first


class _Fields(BaseJsonFormatter):
    """python-json-logger finds the fields of a record: `extra`, a dict as message, stack_info."""

    def of(self, record: logging.LogRecord) -> dict[str, Any]:
        message_dict = dict(record.msg) if isinstance(record.msg, dict) else {}
        if record.stack_info:
            message_dict["stack"] = self.formatStack(record.stack_info)
        fields: dict[str, Any] = {}
        self.add_fields(fields, record, message_dict)
        return fields


class Handler(logging.Handler):
    """Sends every record down the pipeline."""

    def __init__(self) -> None:
        super().__init__()
        self._fields = _Fields()

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record, unless it tells of an exception that has its line already (uvicorn repeats those)."""
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not first(error, "log"):
            return
        try:
            message = "" if isinstance(record.msg, dict) else record.getMessage()
        except (TypeError, ValueError):  # wrong %-arguments somewhere in a library
            message = str(record.msg)
        meta = self._fields.of(record)
        meta.pop("message", None)
        meta.pop("color_message", None)  # uvicorn's second rendering of the message, with escape sequences
        if error is not None:
            meta["exc_info"] = error
        # a float of seconds is right to the microsecond; its nanoseconds may fall into the millisecond before
        created_ns = round(record.created * 1e6) * 1_000
        pipeline.emit(_level(record.levelno), message, record.name, meta, created_ns)


def install(threshold: int) -> None:
    """Make the root logger use this handler alone, and let uvicorn's loggers propagate to it."""
    root = logging.getLogger()
    root.handlers[:] = [Handler()]
    root.setLevel(threshold)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # Our middleware logs each request, with more in it.
    logging.getLogger("uvicorn.access").disabled = True
    # One line a request to another service at INFO is the span's business.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(capture=True)


def _level(number: int) -> str:
    if number >= logging.ERROR:
        return "ERROR"
    if number >= logging.WARNING:
        return "WARN"
    return "INFO" if number >= logging.INFO else "DEBUG"
