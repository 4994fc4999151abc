"""Order, repetition, limits, fallback, dead letters."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from around import Notifier, Robots, alert, group, notifier, until
from smtp_server import SmtpServer

from chat_robots import limits
from notifier import outbox
from notifier.channels import wecom

Start = Callable[..., Notifier]


def test_the_same_news_again_is_sent_once(start: Start, robots: Robots) -> None:
    made = start(wecom_webhook_url=robots.wecom_url)
    first = made.post(group())
    again = group()
    again["alerts"][0]["annotations"]["description"] = "the value has moved between Alertmanager's attempts"
    assert made.client.post("/api/v1/alertmanager", json=again).json() == {"id": first, "duplicate": True}
    over = made.post(group(alert(status="resolved")))
    assert over != first
    until(lambda: len(robots.shown("wecom")) == 2)
    time.sleep(0.2)
    assert len(robots.shown("wecom")) == 2


def test_alertmanagers_repetition_is_sent(start: Start, robots: Robots) -> None:
    made = start(wecom_webhook_url=robots.wecom_url, deduplication_seconds=0)
    assert made.post(group()) != made.post(group())
    until(lambda: len(robots.shown("wecom")) == 2)


def test_the_end_never_overtakes_and_other_groups_do_not_wait(
    start: Start, robots: Robots, change: Callable[..., float]
) -> None:
    made = start(wecom_webhook_url=robots.wecom_url, delivery_backoff_seconds=4)
    robots.behave("wecom", "5xx")
    change("alert_notifications_total", channel="wecom", result="retried")
    made.post(group())
    until(lambda: change("alert_notifications_total", channel="wecom", result="retried"))
    robots.behave("wecom", "ok")
    made.post(group(alert(status="resolved")))
    made.post(group(name="Other"))
    assert "Other" in until(lambda: robots.shown("wecom"))[0]
    until(lambda: len(robots.shown("wecom")) == 3)
    assert ["【告警】" in text for text in robots.shown("wecom")] == [True, True, False]


def test_the_vendors_limit_is_kept(start: Start, monkeypatch: pytest.MonkeyPatch, change: Callable[..., float]) -> None:
    """Thirty messages at a robot that allows 20 a minute (here: a second and a half): slower, but never too fast."""
    monkeypatch.setattr(limits, "_WINDOW_SECONDS", 1.4)
    monkeypatch.setattr(outbox, "RATE_WINDOW_SECONDS", 1.5)
    change("alert_notification_rate_limit_waits_total", channel="dingtalk")
    robots = Robots(per_minute=20)
    made = start(dingtalk_webhook_url=robots.dingtalk_url, dingtalk_secret="SECtest", robots_per_minute=18)
    for number in range(30):
        made.post(group(name=f"Alert{number}"))
    until(lambda: len(robots.shown("dingtalk")) == 30, 10)
    assert robots.requests("dingtalk") == 30  # none was refused
    assert change("alert_notification_rate_limit_waits_total", channel="dingtalk") >= 1
    robots.close()


def test_the_limit_survives_a_restart(tmp_path: Path, robots: Robots) -> None:
    for number in range(2):
        with notifier(str(tmp_path / "o.db"), wecom_webhook_url=robots.wecom_url, robots_per_minute=1) as made:
            made.post(group(name=f"Alert{number}"))
            until(lambda: robots.shown("wecom"))
            time.sleep(0.3 * number)
    assert robots.requests("wecom") == 1


def test_a_block_is_waited_for(
    start: Start, robots: Robots, monkeypatch: pytest.MonkeyPatch, change: Callable[..., float]
) -> None:
    change("alert_notifications_total", channel="wecom", result="retried")
    monkeypatch.setattr(wecom, "_PAUSE_SECONDS", 0.7)
    made = start(wecom_webhook_url=robots.wecom_url)
    robots.behave("wecom", "rate-limit")
    posted = time.time()
    made.post(group())
    until(lambda: change("alert_notifications_total", channel="wecom", result="retried"))
    robots.behave("wecom", "ok")
    made.post(group(name="Other"))
    until(lambda: len(robots.shown("wecom")) == 2)
    assert min(robots.times("wecom")) > posted + 0.7  # nothing at all earlier, not even for another group


def mail_settings(smtp: SmtpServer, **more: Any) -> dict[str, Any]:
    return {"smtp_host": "127.0.0.1", "smtp_port": smtp.port, "email_fallback_after_seconds": 2, **more}


def test_no_mail_while_one_chat_delivers(start: Start, robots: Robots, smtp: SmtpServer, chats: dict[str, Any]) -> None:
    made = start(**chats, **mail_settings(smtp, email_fallback_after_seconds=0.5))
    robots.behave("wecom", "errcode")
    made.post(group())
    until(made.dead_letters)
    time.sleep(1.5)
    assert not smtp.mails


def test_the_overview_tells_what_stands_by(start: Start, smtp: SmtpServer, chats: dict[str, Any]) -> None:
    page = start(**chats, **mail_settings(smtp)).client.get("/").text
    assert page.count("<td>开<td>") == 2
    assert "邮件 email<td>备用" in page


def test_mail_alone_stands_by_for_nobody(start: Start, smtp: SmtpServer) -> None:
    made = start(**mail_settings(smtp))
    page = made.client.get("/").text
    assert "邮件 email<td>开" in page
    assert page.count("未设置") == 2
    made.post(group())
    until(lambda: smtp.mails)


def test_mail_at_once_when_both_chats_refuse(
    start: Start, robots: Robots, smtp: SmtpServer, chats: dict[str, Any]
) -> None:
    made = start(**chats, **mail_settings(smtp, email_fallback_after_seconds=600))
    robots.behave("wecom", "errcode")
    robots.behave("dingtalk", "errcode")
    identifier = made.post(group())
    [mail] = until(lambda: smtp.mails)
    assert mail["Subject"] == "【告警】HighErrorRate：商店 5xx 错误率过高"
    assert mail["To"] == "a@example.com, b@example.com"
    assert mail["Message-ID"] == f"<{identifier}@notifier>"
    assert identifier in mail.get_content()
    assert [to for envelope in smtp.envelopes for to in envelope] == ["<a@example.com>", "<b@example.com>"]


def test_mail_in_time_when_both_chats_hang(
    start: Start, robots: Robots, smtp: SmtpServer, chats: dict[str, Any]
) -> None:
    made = start(**chats, **mail_settings(smtp, email_fallback_after_seconds=1))
    robots.behave("wecom", "hang")
    robots.behave("dingtalk", "hang")
    made.post(group())
    until(lambda: smtp.mails)
    robots.behave("wecom", "ok")
    until(lambda: robots.shown("wecom"))
    time.sleep(1.2)
    assert len(smtp.mails) == 1


def test_dead_letters(start: Start, robots: Robots) -> None:
    made = start(wecom_webhook_url=robots.wecom_url)
    robots.behave("wecom", "errcode")
    identifiers = [made.post(group(name=f"Alert{number}")) for number in range(3)]
    letters = until(lambda: [found for found in [made.dead_letters()] if len(found) == 3])[0]
    assert [letter["notification_id"] for letter in letters] == identifiers[::-1]
    assert letters[0]["last_error"].startswith("errcode 93000: invalid webhook url")
    older = made.client.get("/api/v1/dead-letters", params={"limit": 1, "before": letters[0]["id"]}).json()
    assert [letter["id"] for letter in older] == [letters[1]["id"]]
    until(lambda: 'alert_notification_dead_letters{channel="wecom"} 3.0' in made.client.get("/metrics").text)

    robots.behave("wecom", "ok")
    again = f"/api/v1/dead-letters/{letters[1]['id']}/redelivery"
    assert made.client.post(again).json() == {"id": letters[1]["id"]}
    [text] = until(lambda: robots.shown("wecom"))
    assert identifiers[1] in text
    assert made.client.post(again).status_code == 409
    for unknown in (0, 10**6, 2**70):
        assert made.client.post(f"/api/v1/dead-letters/{unknown}/redelivery").status_code == 404
    assert made.client.post("/api/v1/dead-letters/x/redelivery").status_code == 422
    assert len(made.dead_letters()) == 2


def test_what_never_arrives_becomes_a_dead_letter(start: Start, robots: Robots, change: Callable[..., float]) -> None:
    change("alert_notifications_total", channel="wecom", result="failed")
    made = start(wecom_webhook_url=robots.wecom_url, delivery_lifetime_seconds=0.6)
    robots.behave("wecom", "5xx")
    made.post(group())
    [letter] = until(made.dead_letters)
    assert letter["last_error"] == "HTTP 502"
    assert 2 <= letter["attempts"] <= 10
    assert change("alert_notifications_total", channel="wecom", result="failed") == 1


def test_a_locked_outbox_is_503_and_a_retry_gets_through(start: Start, robots: Robots, tmp_path: Path) -> None:
    made = start(wecom_webhook_url=robots.wecom_url)
    thief = sqlite3.connect(tmp_path / "notifier.db", isolation_level=None)
    thief.execute("BEGIN IMMEDIATE")
    answer = made.client.post("/api/v1/alertmanager", json=group())
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    thief.execute("ROLLBACK")
    thief.close()
    made.post(group())
    until(lambda: robots.shown("wecom"))


def test_no_secret_reaches_logs_metrics_or_dead_letters(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    key = "a-very-secret-robot-key"
    made = start(wecom_webhook_url=f"http://127.0.0.1:1/cgi-bin/webhook/send?key={key}", delivery_lifetime_seconds=0.1)
    made.post(group())
    [letter] = until(made.dead_letters)
    assert letter["last_error"] == "no connection: ConnectError"
    everything = (
        str(letter) + made.client.get("/metrics").text + made.client.get("/readyz").text + made.client.get("/").text
    )
    made.close()
    logs = Path(os.environ["LOG_PATH"])
    everything += "".join(file.read_text() for file in logs.iterdir())
    everything += "".join(capfd.readouterr())
    assert "Notification failed" in everything
    assert key not in everything
