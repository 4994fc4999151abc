"""Logs: structlog to one JSON line, written by a thread of its own. See docs/conventions.md for the line's shape.

The level can be changed while the process runs: `set_level`, or the signals SIGUSR1 (DEBUG) and SIGUSR2 (back to
LOG_LEVEL): `docker compose kill -s SIGUSR1 app`.
"""

import logging
import signal
import sys
import threading
from typing import Any, Self

import structlog

from observability.logs import stdlib
from observability.logs.pipeline import pipeline
from observability.logs.shape import LEVELS, Shape
from observability.logs.writer import Writer
from observability.once import first
from observability.settings import LogSettings, fail

__all__ = ["Logger", "configure", "get_logger", "set_level", "shutdown"]


class Logger(structlog.BoundLoggerBase):
    """What `get_logger` returns: a structlog bound logger. Keyword arguments become the line's `meta`.

    Its own methods, because structlog's filtering loggers fix their level when they are made.
    """

    def debug(self, event: str, /, **meta: Any) -> None:
        """Log at DEBUG."""
        if pipeline.threshold <= LEVELS["DEBUG"]:
            self._log("DEBUG", event, meta)

    def info(self, event: str, /, **meta: Any) -> None:
        """Log at INFO."""
        if pipeline.threshold <= LEVELS["INFO"]:
            self._log("INFO", event, meta)

    def warning(self, event: str, /, **meta: Any) -> None:
        """Log at WARN."""
        if pipeline.threshold <= LEVELS["WARN"]:
            self._log("WARN", event, meta)

    def error(self, event: str, /, **meta: Any) -> None:
        """Log at ERROR; `exc_info=exception`, or `True` for the one being handled, adds meta.error."""
        self._log("ERROR", event, meta)

    def exception(self, event: str, /, **meta: Any) -> None:
        """Log at ERROR with the exception being handled in meta.error."""
        error = meta.setdefault("exc_info", sys.exception())
        if isinstance(error, BaseException):
            first(error, "log")  # so that a server that reports it again is not heard
        self._log("ERROR", event, meta)

    def bind(self, **meta: Any) -> Self:
        """Return a logger that adds `meta` to each line."""
        return super().bind(**meta)

    def _log(self, level: str, event: str, meta: dict[str, Any]) -> None:
        # Not structlog's processors: they keep the message under the key `event`, which our HTTP lines' meta has, too.
        pipeline.emit(level, event, self._logger, {**self._context, **meta})


def get_logger(name: str) -> Logger:
    """Return the logger `name` (pass `__name__`). Works before `configure`: such lines go to stderr."""
    return Logger(name, [], {})


def configure(settings: LogSettings, service: str) -> None:
    """Start writing lines as `service`, and send the standard library's logging the same way."""
    try:
        writer = Writer(settings)
    except OSError as error:
        fail(f"LOG_PATH: cannot write to {settings.log_path}: {error}; name a folder that this user may write to")
    pipeline.shape = Shape(service, settings.log_baggage)
    previous, pipeline.writer = pipeline.writer, writer
    if previous is not None:
        previous.close(timeout=1.0)
    stdlib.install(LEVELS[settings.log_level])
    set_level(settings.log_level)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGUSR1, lambda *_: set_level("DEBUG"))
        signal.signal(signal.SIGUSR2, lambda *_: set_level(settings.log_level))


def set_level(level: str) -> None:
    """Change the level (ERROR, WARN, INFO, DEBUG) of the running process."""
    if level not in LEVELS:
        raise ValueError(f"level: {level!r} is none of {', '.join(LEVELS)}")
    pipeline.threshold = LEVELS[level]
    logging.getLogger().setLevel(LEVELS[level])


def shutdown(timeout: float) -> None:
    """Write what is queued, for about `timeout` seconds at most; later lines go to stderr."""
    writer, pipeline.writer = pipeline.writer, None
    if writer is not None:
        writer.close(timeout)
