"""No secret gets through, nothing forges a line, and nothing makes a line get lost."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from observability import get_logger
from observability.context import RequestContext, request_context
from observability.logs import redaction
from observability.logs.pipeline import pipeline
from observability.logs.shape import Shape
from observability.logs.stdlib import Handler
from tests.unit.observability.nasty import NASTY, PLANTED, VALUES, Kept

SECRET_KEYS = [
    "password",
    "Password",
    "db_password",
    "user-password",
    "passwd",
    "secret",
    "client_secret",
    "token",
    "accessToken",
    "refresh_token",
    "authorization",
    "Authorization",
    "Proxy-Authorization",
    "cookie",
    "Set-Cookie",
    "api_key",
    "apiKey",
    "X-API-Key",
    "private_key",
    "credentials",
    "card_number",
    "cardNumber",
    "cvc",
    "CVV",
    "pan",
    "session_id",
    "sessionId",
    "csrf_token",
    "otp",
    "jwt",
    "faults_token",
    "TOKEN_KEY",
]


@pytest.mark.parametrize(("secret", "text"), PLANTED)
def test_a_planted_secret_is_in_no_field(secret: str, text: str, lines: Any) -> None:
    log = get_logger("test")
    log.info(text, value=text, deep={"list": [text, {"x": text}]}, raw=text.encode())
    log.bind(bound=text).warning("bound")
    logging.getLogger("lib").warning("%s", text, extra={"more": text})
    try:
        raise ValueError(text)  # noqa: TRY301 - the exception is the point
    except ValueError:
        log.exception("failed")
    read = lines()
    assert len(read) == 4
    assert secret not in str(read)
    assert all("[REDACTED]" in str(line) for line in read)


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_secret_key_hides_its_value(key: str) -> None:
    assert redaction.meta({key: "value-of-it"}) == {key: "[REDACTED]"}
    assert redaction.meta({"request": {"headers": {key: ["value-of-it"]}}})["request"]["headers"][key] == "[REDACTED]"


@pytest.mark.parametrize("key", ["passenger", "tokenizer", "company", "panel", "order_id", "secretary", "japan", "cvs"])
def test_a_harmless_key_keeps_its_value(key: str) -> None:
    assert redaction.meta({key: "value"}) == {key: "value"}


@pytest.mark.parametrize(
    "text",
    [
        "GET /api/v1/orders/0193c5b2-1f7e-7abc-8def-0123456789ab 200",
        "2026-11-24T10:11:12.123Z took 1234 ms",
        "1790000000000",
        "phone 13800138000",
        "http://127.0.0.1:3000/products?q=basic+shirt&limit=20",
        "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
        "postgresql://postgres:5432/shop",
        "订单已创建，金额 ¥12.50",
        "4242424242424241 is no card number",
        "0.4242424242424242",
        "order 01a20c21-6629-7197-8458-9be686b1cd00",  # 2166297197845 and 9 more would be a card's digits
        "/orders/01A20C21-6629-7197-8458-9BE686B1CD00/payment",
        "01a20c216629719784589be686b1cd00",
        "ch_01a20c216629719784589be686b1cd00",
    ],
)
def test_harmless_text_is_untouched(text: str) -> None:
    assert redaction.text(text) == text


@given(digits=st.text("0123456789", min_size=32, max_size=32), letters=st.sets(st.integers(0, 31), max_size=6))
def test_no_id_is_taken_for_a_card(digits: str, letters: set[int]) -> None:
    """Of ids with few letters or none, which have the longest runs of digits."""
    hexadecimal = "".join("a" if place in letters else digit for place, digit in enumerate(digits))
    for shown in (hexadecimal, str(UUID(hexadecimal))):
        assert redaction.text(f"order {shown} is paid") == f"order {shown} is paid"
        assert redaction.text(f"{shown} 4242424242424242") == f"{shown} [REDACTED]"


def test_hidden_and_forging_characters_are_shown() -> None:
    nasty = "a\nb\rc\x1b[31md\u202ee\u2028f\u0085g\x00h\x7fi\ud800j\u200bk\tl"
    shown = redaction.text(nasty)
    assert shown == ("a\\nb\\rc\\u001b[31md\\u202ee\\u2028f\\u0085g\\u0000h\\u007fi\\ud800j\\u200bk\\tl")
    assert redaction.text("Traceback\n  File\x1b", lines=True) == "Traceback\n  File\\u001b"


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


def test_any_object_can_be_logged(lines: Any) -> None:
    circle: list[Any] = []
    circle.append(circle)
    get_logger("test").info(
        "all",
        hostile=Hostile(),
        circle=circle,
        number=2**200,
        big=2**63,
        nan=float("nan"),
        when=datetime.now(UTC),
        money=Decimal("1.5"),
        raw=b"\xff\xfe",
        key=uuid4(),
        keys={1: "a", None: "b", (1, 2): "c"},
        kind=int,
        error=ValueError("x"),
        many=list(range(1000)),
        long="x" * 100_000,
        deep={"a": {"b": {"c": {"d": {"e": {"f": {}}}}}}},
    )
    (line,) = lines()
    assert line["message"] == "all"
    assert line["meta"]["nan"] is None
    assert len(line["meta"]["many"]) == redaction.MAX_ITEMS + 1
    assert len(line["meta"]["long"]) < redaction.MAX_TEXT + 100


def test_a_key_has_a_largest_size() -> None:
    long = "\U0001f600" * 9_000
    cleaned = redaction.meta({long: 1, "k" * 9_000: 2, "deep": {long: 3}})
    assert all(len(key) < redaction.MAX_NAME + 30 for key in [*cleaned, *cleaned["deep"]])
    assert [*cleaned.values()][:2] == [1, 2]
    assert list(cleaned["deep"].values()) == [3]
    secret = "x" * 250 + " password=Zq9-unguessable"
    assert "Zq9" not in str(redaction.meta({secret: 1}))


def test_a_line_has_a_largest_size(lines: Any) -> None:
    get_logger("test").info("big", **{f"k{number}": "x" * 8000 for number in range(100)})
    (line,) = lines()
    assert "truncated" in line["meta"]


@settings(max_examples=100, deadline=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(NASTY, st.dictionaries(st.text(max_size=20), VALUES, max_size=5))
def test_fuzz_every_line_is_one_line_of_json(message: str, meta: dict[str, Any]) -> None:
    line = Shape("fuzz").line("INFO", message, "test", meta)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.isascii() or not redaction._hidden.search(line.decode().rstrip("\n"))
    parsed = orjson.loads(line)
    assert list(parsed)[:4] == ["timestamp", "level", "message", "service"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NASTY, min_size=5, max_size=5), VALUES)
def test_fuzz_every_field_of_every_way_to_log(monkeypatch: pytest.MonkeyPatch, texts: list[str], value: Any) -> None:
    """Logger, user id, keys, exceptions and their types, arguments of logging: whatever is logged, it is one line."""
    message, name, user, key, reason = texts
    writer = Kept()
    monkeypatch.setattr(pipeline, "writer", writer)
    context = request_context.set(RequestContext("request-1", user_id=user))
    try:
        error = type("Error\u202e", (Exception,), {})(reason)
        get_logger(name).info(message, **{key: value})
        get_logger(name).bind(**{key: value}).warning(message)
        get_logger(name).error(message, exc_info=error)
        library = logging.Logger(name)  # noqa: LOG001 - the registry would keep all of them
        library.addHandler(Handler())
        library.warning(message)  # a lone % of it is no format without arguments
        library.warning(message, value)  # which may not fit
        library.error({key: value, "message": message}, extra={f"x{key}": value})
        library.error("%s", message, exc_info=error)
    finally:
        request_context.reset(context)
    assert len(writer.lines) == 7
    for line in writer.lines:
        assert line.endswith(b"\n")
        text = line.decode().rstrip("\n")
        parsed = orjson.loads(text)
        assert isinstance(parsed["meta"], dict)
        assert parsed["requestId"] == "request-1"
        assert not redaction._hidden.search(text), "nothing hides or forges"
        assert parsed["message"] != "A line could not be rendered"


@settings(max_examples=60, deadline=None)
@given(NASTY, NASTY)
def test_fuzz_a_secret_does_not_survive_its_surroundings(before: str, after: str) -> None:
    secret = "Zq9-unguessable-Zq9"
    for planted in (f"{before} password={secret} {after}", f"{before} Bearer {secret} {after}"):
        assert secret not in str(redaction.clean({"x": planted}))


@pytest.mark.parametrize(
    "text",
    [
        "a" * 8000,
        "1" * 8000,
        "a_" * 4000,
        "token" * 1600,
        '"' * 8000,
        "\\" * 8000,
        "= " * 4000,
        "eyJ" * 2600,
        "://a" * 2000,
        "bearer " * 1100,
        "1-" * 4000,
        "cookie" * 1300,
    ],
)
def test_no_text_makes_redaction_slow(text: str) -> None:
    for redact in (redaction.text, lambda value: redaction.query(f"{value}%20")):
        started = time.process_time()
        redact(text)
        assert time.process_time() - started < 0.2
