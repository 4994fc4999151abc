"""The console: JSON lines for machines, coloured text for people."""

import os
import sys
from collections.abc import Callable, Iterable
from typing import Literal

import orjson
import structlog


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
    def __init__(self) -> None:
        self._renderer = structlog.dev.ConsoleRenderer(colors=sys.stdout is not None and sys.stdout.isatty())

    def line(self, line: bytes) -> bytes:
        event = orjson.loads(line)
        meta = event["meta"]
        error = meta.pop("error", None)
        level = {"WARN": "warning"}.get(event["level"], event["level"].lower())
        shown = {"timestamp": event["timestamp"], "level": level, "event": event["message"], "logger": event["logger"]}
        if error:
            shown["exception"] = error.get("stack") or error["message"]
        if "requestId" in event:
            meta["requestId"] = event["requestId"]
        return f"{self._renderer(None, level, meta | shown)}\n".encode()
