"""The console for people: whatever a line holds is shown, and nothing of it stops the files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from observability import get_logger, logs
from observability.context import RequestContext, request_context
from observability.logs.console import Console
from observability.logs.shape import Shape
from observability.logs.writer import Writer
from observability.settings import LogSettings
from tests.unit.observability.nasty import NASTY, VALUES

# what structlog's renderer, or ours, gives a meaning of its own
NAMES = [
    *("error", "stack", "exception", "exc_info", "event", "timestamp", "level", "logger", "logger_name"),
    *("positional_args", "message", "requestId", "meta", "", ".", ".event"),
]
SHAPE, TEXT = Shape("test-service"), Console("text")._render
assert TEXT is not None


def shown(line: bytes) -> str:
    """What people see of the line, without its colours."""
    return re.sub("\x1b\\[[0-9;]*m", "", TEXT(line).decode())


@pytest.mark.parametrize("value", ["some text", 7, None, ["a"], {"stack": "deep"}, {"stack": 7}, {"message": "m"}])
@pytest.mark.parametrize("name", NAMES)
def test_a_field_is_shown_and_not_interpreted(name: str, value: Any) -> None:
    if name == "exc_info" and value is None:
        return  # says that there is no exception
    context = request_context.set(RequestContext("request-1"))
    try:
        text = shown(SHAPE.line("WARN", "what happened", "shop.orders", {name: value, "other": 1}))
    finally:
        request_context.reset(context)
    first, _, rest = text.partition("\n")
    if name == "error" and value == {"stack": "deep"}:
        assert (f" {name}={{}}" in first, rest) == (True, "deep\n")
    else:
        assert (f" {name}={value!r}" in first, rest) == (True, "")
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[warning *\] what happened +\[shop.orders\] ", first)
    assert " other=1" in first
    assert " requestId=request-1" in first


def test_an_exception_is_shown_with_its_stack_below(lines: Any, tmp_path: Path, capfd: Any) -> None:
    del lines  # ended here
    logs.configure(LogSettings(log_path=str(tmp_path / "text"), log_console="text"), "test-service")
    try:
        raise ValueError("no such order")  # noqa: TRY301 - the exception is the point
    except ValueError as error:
        get_logger("x").error("by hand", exc_info=error)
        get_logger("x").error("as elsewhere", exc_info=True)
        get_logger("x").exception("in short")
    logs.shutdown(5)
    text = capfd.readouterr().out
    for message in ("by hand", "as elsewhere", "in short"):
        assert re.search(message + r".* error=\{'type': 'ValueError', 'message': 'no such order'\}\nTraceback ", text)
    assert text.count("\nValueError: no such order\n") == 3


def test_what_cannot_be_rendered_is_shown_raw_and_stops_nothing(tmp_path: Path, capfd: Any) -> None:
    odd = [b"no JSON\n", b"{}\n", b"[]\n", b'{"level":"INFO","message":"","timestamp":"","logger":"","meta":7}\n']
    writer = Writer(LogSettings(log_path=str(tmp_path), log_console="text"))
    for line in odd:
        writer.put("INFO", line)
    writer.put("INFO", SHAPE.line("INFO", "the last", "x", {}))
    writer.close(5)
    *first, last = (tmp_path / "combined.log").read_bytes().splitlines(keepends=True)
    *raw, rendered = capfd.readouterr().out.splitlines(keepends=True)
    assert first == odd == [line.encode() for line in raw]
    assert orjson.loads(last)["message"] == "the last"
    assert "the last" in rendered
    assert not rendered.startswith("{")


def test_fuzz_every_line_is_rendered_and_every_line_is_in_the_file(tmp_path: Path, capfdbinary: Any) -> None:
    writer = Writer(LogSettings(log_path=str(tmp_path), log_console="text", log_max_bytes=10**9))
    made: list[bytes] = []

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(NASTY, NASTY, st.dictionaries(st.sampled_from(NAMES) | NASTY, VALUES, max_size=6), st.booleans())
    @example("m", "l", dict.fromkeys(NAMES, "text"), False)  # noqa: FBT003 - as given above
    @example("m", "l", {name: {"stack": 1} for name in NAMES}, True)  # noqa: FBT003
    def put(message: str, logger: str, meta: dict[str, Any], failed: bool) -> None:  # noqa: FBT001
        fields = {**meta, "exc_info": ValueError(message)} if failed else meta
        line = SHAPE.line("ERROR" if failed else "INFO", message, logger, dict(fields))
        made.append(line)
        writer.put("INFO", line)
        text, event = shown(line), orjson.loads(line)
        assert text.startswith(event["timestamp"]), "it is not raw"
        assert event["message"] in text
        assert all(f" {key}=" in text for key in event["meta"])
        assert all(value in text or repr(value) in text for value in event["meta"].values() if isinstance(value, str))

    put()
    writer.close(30)
    assert (tmp_path / "combined.log").read_bytes() == b"".join(made)
    assert capfdbinary.readouterr().out == b"".join(map(TEXT, made))
