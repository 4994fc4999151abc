"""The console: JSON lines for machines, coloured text for people."""

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, Literal

import orjson
import structlog

_META = "."
"""Before each key of meta: structlog gives some (`event`, `stack`, `exc_info`) a meaning, and anybody may log them."""


class Console:
    """Writes lines to stdout, in the writer's thread."""

    def __init__(self, kind: Literal["auto", "text", "json", "off"]) -> None:
        if kind == "auto":
            kind = "text" if sys.stdout is not None and sys.stdout.isatty() else "json"
        renderers: dict[str, Callable[[bytes], bytes] | None] = {"text": _Text().line, "json": bytes, "off": None}
        self._render = renderers[kind]

    def write(self, lines: Iterable[bytes]) -> None:
        """Write; a console that is gone (closed pipe) is no reason to stop logging to files."""
        if self._render is None:
            return
        block = b"".join(map(self._render, lines))
        try:
            while block:
                block = block[os.write(1, block) :]
        except OSError:
            self._render = None


class _Text:
    """Lines for people. What has no such form is shown as it is: this thread writes the files, too, and must live."""

    def __init__(self) -> None:
        self._renderer = structlog.dev.ConsoleRenderer(colors=sys.stdout is not None and sys.stdout.isatty())
        pair, *columns = self._renderer.columns
        self._renderer.columns = [
            structlog.dev.Column("", lambda key, value: pair.formatter(key.removeprefix(_META), value)),
            *columns,
        ]

    def line(self, line: bytes) -> bytes:
        try:
            return f"{self._rendered(orjson.loads(line))}\n".encode()
        except Exception:  # noqa: BLE001 - whatever is wrong with one line, the others must be written
            return line

    def _rendered(self, event: dict[str, Any]) -> str:
        level = {"WARN": "warning"}.get(event["level"], event["level"].lower())
        shown = {"timestamp": event["timestamp"], "level": level, "event": event["message"], "logger": event["logger"]}
        if "requestId" in event:
            shown["requestId"] = event["requestId"]
        meta = event["meta"]
        error = meta.get("error")
        if isinstance(error, dict) and isinstance(error.get("stack"), str):
            shown["exception"] = error.pop("stack")  # on lines of its own
        return self._renderer(None, level, {f"{_META}{key}": value for key, value in meta.items()} | shown)
