"""How long after a failure the next attempt is: longer each time, never in step, and not before the vendor allows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from around import Notifier, Robots, Server, group, until
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from hypothesis import given
from hypothesis import strategies as st

from notifier.channels import Channel, Unavailable
from notifier.channels.robot import Robot
from notifier.delivery import Worker
from notifier.outbox import Outbox

Start = Callable[..., Notifier]


def delay(backoff: float, attempts: int) -> float:
    worker = Worker(cast("Channel", None), cast("Outbox", None), backoff=backoff)
    return worker._delay(attempts)


@pytest.mark.parametrize(
    ("attempts", "full"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60), (12, 60), (10_000, 60)]
)
def test_each_pause_is_twice_the_last_up_to_a_minute_and_none_is_the_same(attempts: int, full: float) -> None:
    drawn = [delay(1.0, attempts) for _ in range(500)]
    assert full / 2 <= min(drawn) < 0.6 * full
    assert 0.9 * full < max(drawn) <= full
    assert len(set(drawn)) > 400


@given(backoff=st.floats(0.001, 86_400), attempts=st.integers(1, 10**6))
def test_no_pause_is_longer_than_a_minute_or_none_at_all(backoff: float, attempts: int) -> None:
    assert 0 < delay(backoff, attempts) <= 60


class Busy:
    """A robot's address that answers 429 until `over`, and when it was asked."""

    def __init__(self, retry_after: str | None) -> None:
        self.over = False
        self.asked: list[float] = []
        app = FastAPI(openapi_url=None)

        @app.post("/")
        async def answer() -> JSONResponse:
            self.asked.append(time.monotonic())
            if self.over:
                return JSONResponse({"errcode": 0, "errmsg": "ok"})
            return JSONResponse({}, 429, {"Retry-After": retry_after} if retry_after is not None else None)

        self.server = Server(app)
        self.url = f"http://127.0.0.1:{self.server.port}/"


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [
        ("7", 7),
        ("0", 1),
        ("100000", 600),
        (None, 60),
        ("Wed, 25 Nov 2026 07:28:00 GMT", 60),
        ("-5", 60),
        ("nan", 60),
        ("inf", 60),
        ("1e3", 60),
    ],
)
async def test_the_pause_that_a_429_asks_for(retry_after: str | None, pause: float) -> None:
    busy = Busy(retry_after)
    robot = Robot(busy.url, 5)
    try:
        with pytest.raises(Unavailable, match="HTTP 429") as refused:
            await robot.post({})
    finally:
        await robot.close()
        busy.server.stop()
    assert refused.value.pause == pause


@pytest.mark.parametrize(("backoff", "least"), [(0.1, 1.0), (3.0, 1.5)], ids=["the vendor's", "our own"])
def test_of_two_pauses_the_longer_one_counts(
    start: Start, change: Callable[..., float], backoff: float, least: float
) -> None:
    change("alert_notifications_total", channel="wecom", result="retried")
    busy = Busy("1")
    try:
        made = start(wecom_webhook_url=busy.url, delivery_backoff_seconds=backoff)
        made.post(group())
        until(lambda: change("alert_notifications_total", channel="wecom", result="retried"))
        busy.over = True
        until(lambda: len(busy.asked) == 2)
        assert busy.asked[1] - busy.asked[0] >= least
    finally:
        busy.server.stop()


def test_the_pauses_grow_while_nobody_answers(start: Start, robots: Robots, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the outbox is told, by a robot that is broken: what was drawn is what is waited for."""
    told: list[tuple[int, float]] = []
    retry = Outbox.retry

    async def noted(outbox: Outbox, delivery: Any, reason: str, after: float) -> None:
        told.append((delivery.attempts, after))
        await retry(outbox, delivery, reason, after)

    monkeypatch.setattr(Outbox, "retry", noted)
    robots.behave("wecom", "5xx")
    start(wecom_webhook_url=robots.wecom_url, delivery_backoff_seconds=0.1).post(group())
    until(lambda: len(told) >= 4)
    assert [attempts for attempts, _ in told[:4]] == [1, 2, 3, 4]
    for attempts, after in told[:4]:
        assert 0.05 * 2 ** (attempts - 1) <= after <= 0.1 * 2 ** (attempts - 1)
