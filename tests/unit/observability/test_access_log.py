"""The lines of requests: what a stranger sends is in them, but neither his secrets nor what forges or hides."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote, quote_plus

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

import observability
from observability.asgi import ObservabilityMiddleware
from observability.logs import redaction
from observability.logs.pipeline import pipeline
from tests.unit.observability.nasty import NASTY, PLANTED, Kept

EVENTS = {
    "answer": ["request.started", "request.completed"],
    "refuse": ["request.started", "request.completed"],
    "break": ["request.started", "request.failed"],
    "background": ["request.started", "request.completed", "background.failed"],
}


def lines_of(monkeypatch: pytest.MonkeyPatch, what: str, user: str, reason: str, **asked: Any) -> list[bytes]:
    """Send one request through the middleware and return its lines."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        observability.bind_user(user)
        if what == "break":
            raise ValueError(reason)
        await send({"type": "http.response.start", "status": 404 if what == "refuse" else 200})
        await send({"type": "http.response.body", "body": b""})
        if what == "background":
            raise ValueError(reason)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        del message

    agent, ip = asked.pop("agent"), asked.pop("ip")
    # A well-formed id is kept whatever it looks like, or a caller could not find his requests: none of a secret's form.
    headers = [(b"user-agent", agent), (b"x-request-id", b" " + agent)]
    scope = {"type": "http", "client": (ip, 1), "headers": headers, **asked}
    kept = Kept()
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "writer", kept)
        try:
            asyncio.run(ObservabilityMiddleware(app)(scope, receive, send))
        except ValueError:
            assert what == "break"
    return kept.lines


@pytest.mark.parametrize("what", EVENTS)
@pytest.mark.parametrize("encode", [str, quote, quote_plus])
@pytest.mark.parametrize(("secret", "text"), PLANTED)
def test_a_secret_in_a_request_is_in_no_line(
    monkeypatch: pytest.MonkeyPatch, secret: str, text: str, encode: Any, what: str
) -> None:
    query = f"q={encode(text)}&page=1".encode()
    raw = text.encode()
    lines = lines_of(
        monkeypatch, what, text, text, method=text, path=f"/{text}", query_string=query, agent=raw, ip=text
    )
    shown = [orjson.loads(line) for line in lines]
    assert [line["meta"]["event"] for line in shown] == EVENTS[what]
    for line in shown:
        assert secret not in str(line)
        assert encode(secret) not in str(line)
        for field in ("method", "url", "ip", "userAgent"):
            assert redaction.REDACTED in line["meta"][field]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (b"q=basic+shirt&limit=20", "q=basic+shirt&limit=20"),
        ("q=手机".encode(), None),
        (b"q=%E6%89%8B%E6%9C%BA%20Pro", "q=%E6%89%8B%E6%9C%BA%20Pro"),
        (b"token=a%20b&x=1", "token=[REDACTED]&x=1"),
        (b"card=4242+4242+4242+4242", "card=[REDACTED]"),
        (b"x=%0a%E2%80%AE&next=%2Fin%3Ftoken%3Dabc", "x=\\n\\u202e&next=/in?token=[REDACTED]"),
        (b"x=%0a%E2%80%AE", "x=%0a%E2%80%AE"),
    ],
)
def test_a_query_is_shown_as_it_came_unless_its_encoding_hides_a_secret(
    monkeypatch: pytest.MonkeyPatch, query: bytes, shown: str | None
) -> None:
    first, _ = lines_of(
        monkeypatch, "answer", "u", "", method="GET", path="/p", query_string=query, agent=b"a", ip="::1"
    )
    assert orjson.loads(first)["meta"]["url"] == "/p?" + (shown or redaction.text(query.decode("latin-1")))


BYTES = st.binary(max_size=100) | NASTY.map(lambda text: text.encode("utf-8", "surrogatepass"))
QUERIES = BYTES | NASTY.map(lambda text: quote(text, errors="surrogatepass").encode())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(EVENTS)), st.lists(NASTY, min_size=5, max_size=5), QUERIES, BYTES, st.booleans())
def test_fuzz_every_line_of_a_request(  # noqa: PLR0913, PLR0917 - all that a stranger may choose
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    texts: list[str],
    query: bytes,
    agent: bytes,
    baggage: bool,  # noqa: FBT001
) -> None:
    user, reason, method, path, ip = texts
    secret = "Zq9-unguessable-Zq9"
    query += b"&password=" + secret.encode()
    monkeypatch.setattr(pipeline.shape, "baggage_names", ["tenant"] if baggage else [])  # such lines are made at once
    lines = lines_of(monkeypatch, what, user, reason, method=method, path=path, query_string=query, agent=agent, ip=ip)
    assert len(lines) == len(EVENTS[what])
    for line, event in zip(lines, EVENTS[what], strict=True):
        assert line.endswith(b"\n")
        text = line.decode().rstrip("\n")
        assert not redaction._hidden.search(text), "nothing hides or forges"
        assert secret not in text
        parsed = orjson.loads(text)
        assert parsed["logger"] == "observability.http"
        assert "truncated" in parsed["meta"] or parsed["meta"]["event"] == event
