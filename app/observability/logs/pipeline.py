"""From an event to the writer: what structlog's loggers and the standard library's have in common."""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from observability.logs.shape import LEVELS, Shape

if TYPE_CHECKING:
    from observability.logs.writer import Writer


class Pipeline:
    """The process's way for lines. Without a writer (before `configure`, after `shutdown`) they go to stderr."""

    def __init__(self) -> None:
        self.threshold = LEVELS["INFO"]
        self.shape = Shape("unconfigured")
        self.writer: Writer | None = None

    def emit(  # noqa: PLR0913 - what a line is made of
        self,
        level: str,
        message: str,
        logger: str,
        meta: dict[str, Any],
        created_ns: int | None = None,
        *,
        clean: bool = False,
    ) -> None:
        """Render the line and hand it over. Whatever is logged, this neither raises nor waits.

        `clean`: message and meta are redacted already, but for an exception.
        """
        line = partial(self.shape.line, level, message, logger, meta, created_ns, clean=clean)
        self.emit_line(level, self.render(logger, line))

    def emit_line(self, level: str, line: bytes) -> None:
        """Hand a rendered line over."""
        writer = self.writer
        if writer is None:
            os.write(2, line)
        else:
            writer.put(level, line)

    def render(self, logger: str, line: Callable[[], bytes]) -> bytes:
        """Return what `line` makes (a call of Shape.line), or a line that says why it could not be rendered."""
        try:
            return line()
        except Exception as error:  # noqa: BLE001 - a line about the failure is better than none, or than a failed request
            return self.shape.line(
                "ERROR", "A line could not be rendered", __name__, {"from": logger, "problem": type(error).__qualname__}
            )


pipeline = Pipeline()
