"""Logs: structlog to one JSON line, written by a thread of its own. See docs/conventions.md for the line's shape."""

from typing import Any

from observability.settings import LogSettings


class Logger:
    """What `get_logger` returns: a structlog bound logger. Keyword arguments become the line's `meta`."""

    def debug(self, event: str, **meta: Any) -> None:
        """Log at DEBUG."""

    def info(self, event: str, **meta: Any) -> None:
        """Log at INFO."""

    def warning(self, event: str, **meta: Any) -> None:
        """Log at WARN."""

    def error(self, event: str, **meta: Any) -> None:
        """Log at ERROR; `exc_info=exception` adds meta.error."""

    def exception(self, event: str, **meta: Any) -> None:
        """Log at ERROR with the exception being handled in meta.error."""

    def bind(self, **meta: Any) -> "Logger":
        """Return a logger that adds `meta` to each line."""
        raise NotImplementedError(meta)


def get_logger(name: str) -> Logger:
    """Return the logger `name` (pass `__name__`). Works before `configure`: such lines go to stderr."""
    raise NotImplementedError(name)


def configure(settings: LogSettings, service: str) -> None:
    """Start writing lines as `service`, and send the standard library's logging the same way."""
    raise NotImplementedError(settings, service)


def set_level(level: str) -> None:
    """Change the level (ERROR, WARN, INFO, DEBUG) of the running process."""
    raise NotImplementedError(level)
