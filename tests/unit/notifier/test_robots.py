"""The stand-ins refuse what the vendors refuse, and our signature is the documented one."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from around import SECRET, Robots
from hypothesis import given
from hypothesis import strategies as st

from chat_robots.vendors import DingTalkRobot
from notifier.channels.dingtalk import sign

OK = {"errcode": 0, "errmsg": "ok"}
TEXT = {"msgtype": "text", "text": {"content": "好"}}
MARKDOWN = {"msgtype": "markdown", "markdown": {"title": "题", "text": "好"}}


def ask(url: str, payload: Any, **query: str) -> dict[str, Any]:
    answer = httpx.post(httpx.URL(url).copy_merge_params(query), json=payload)
    assert answer.status_code == 200  # always: the verdict is in errcode
    found: dict[str, Any] = answer.json()
    return found


def signed(now: float | None = None) -> dict[str, str]:
    milliseconds = int((time.time() if now is None else now) * 1000)
    return {"timestamp": str(milliseconds), "sign": sign(SECRET, milliseconds)}


def test_the_signature_is_the_documented_one() -> None:
    # printf '1700000000000\nSECtest' | openssl dgst -sha256 -hmac SECtest -binary | base64
    assert sign("SECtest", 1_700_000_000_000) == "aZLLrriXgn05YbwaGR7knYsLeJADjr9NwLaNNKpxh4g="


@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1), milliseconds=st.integers(0, 2**45)
)
def test_it_survives_the_way_through_a_url(secret: str, milliseconds: int) -> None:
    url = httpx.URL("https://robots.example.com/robot/send?access_token=t").copy_merge_params(
        {"sign": sign(secret, milliseconds)}
    )
    assert httpx.QueryParams(url.query)["sign"] == sign(secret, milliseconds)
    assert b"+" not in url.query  # which a server reads as a space
    assert httpx.QueryParams(url.query)["access_token"] == "t"


@pytest.mark.parametrize(
    ("payload", "errcode"),
    [
        (TEXT, 0),
        ({"msgtype": "markdown", "markdown": {"content": "好" * 1365}}, 0),
        ({"msgtype": "markdown", "markdown": {"content": "好" * 1366}}, 40058),
        ({"msgtype": "text", "text": {"content": "好" * 682}}, 0),
        ({"msgtype": "text", "text": {"content": "好" * 683}}, 40058),
        ({"msgtype": "text", "text": {"content": ""}}, 44004),
        ({"msgtype": "song"}, 40008),
        ([], 40035),
    ],
)
def test_wecom(robots: Robots, payload: Any, errcode: int) -> None:
    assert ask(robots.wecom_url, payload)["errcode"] == errcode
    assert len(robots.shown("wecom")) == (errcode == 0)


def test_wecoms_key(robots: Robots) -> None:
    assert ask(f"{robots.url}/cgi-bin/webhook/send?key=wrong", TEXT)["errcode"] == 93000


@pytest.mark.parametrize(
    ("payload", "errcode"),
    [
        (MARKDOWN, 0),
        (TEXT, 0),
        ({"msgtype": "markdown", "markdown": {"text": "好"}}, 40035),
        ({"msgtype": "markdown", "markdown": {"title": "题", "text": "好" * 7000}}, 460101),
        ({"msgtype": "text", "text": {"content": "好" * 6000}}, 0),
        ({"msgtype": "text", "text": {"content": "好" * 7000}}, 460101),
        ({"msgtype": "text", "text": {"content": " "}}, 40035),
        ({"msgtype": "text", "text": {"text": "好"}}, 40035),
        ({"msgtype": "song"}, 400105),
    ],
)
def test_dingtalk(robots: Robots, payload: Any, errcode: int) -> None:
    assert ask(robots.dingtalk_url, payload, **signed())["errcode"] == errcode


@pytest.mark.parametrize(
    "query",
    [
        {},
        {**signed(), "sign": "AAAA"},
        signed(0),
        signed(time.time() - 3700),
        {**signed(), "timestamp": str(int(time.time()))},
    ],
    ids=["unsigned", "wrong", "old", "an hour late", "in seconds"],
)
def test_dingtalks_signature(robots: Robots, query: dict[str, str]) -> None:
    assert ask(robots.dingtalk_url, MARKDOWN, **query)["errcode"] == 310000
    assert not robots.shown("dingtalk")


def test_dingtalk_blocks_for_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    robot = DingTalkRobot("t", None, 20)
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert [robot.limit.take() for _ in range(21)] == [True] * 20 + [False]
    now += 599
    assert not robot.limit.take()
    now += 2
    assert robot.limit.take()


def test_wecom_counts_each_minute() -> None:
    few = Robots(per_minute=2)
    answers = [ask(few.wecom_url, TEXT)["errcode"] for _ in range(3)]
    few.close()
    assert answers == [0, 0, 45009]


def test_the_page_asks_nobody_else(robots: Robots) -> None:
    page = httpx.get(robots.url)
    assert "值班群" in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for elsewhere in ("src=", "@import", "//cdn", "<link"):
        assert elsewhere not in page.text


def test_a_wrong_switch_is_refused(robots: Robots) -> None:
    assert httpx.put(f"{robots.url}/robots/wecom", json={"mode": "dance"}).status_code == 422
    assert httpx.put(f"{robots.url}/robots/pigeon", json={"mode": "ok"}).status_code == 404
