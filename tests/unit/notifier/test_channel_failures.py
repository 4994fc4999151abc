"""One channel fails, in every way: the others deliver within five seconds, and what failed is not forgotten."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from around import SECRET, Notifier, Robots, alert, group, notifier, until
from smtp_server import Mode, SmtpServer

from notifier.channels import dingtalk, wecom

CHATS = ("wecom", "dingtalk")
Change = Callable[..., float]

_names = count()


class Stack:
    """A notifier with three channels, each with a server of its own."""

    def __init__(self, made: Notifier, robots: dict[str, Robots], smtp: SmtpServer) -> None:
        self.notifier, self.robots, self.smtp = made, robots, smtp

    def told(self, channel: str, identifier: str) -> int:
        texts = (
            [mail.get_content() for mail in list(self.smtp.mails)]
            if channel == "email"
            else self.robots[channel].shown(channel)
        )
        return sum(identifier in text for text in texts)

    def asked(self, channel: str) -> int:
        """How often the notifier has spoken to the channel's server."""
        return self.smtp.connections if channel == "email" else self.robots[channel].requests(channel)

    def behave(self, channel: str, mode: str) -> None:
        """Change how the channel's server behaves; what hangs there is let go."""
        if channel == "email":
            self.smtp.mode = cast("Mode", mode)
            self.smtp.let_go()
        else:
            self.robots[channel].behave(channel, mode)

    def post(self) -> str:
        name = f"Alert{next(_names)}"
        return self.notifier.post(group(alert(name), name=name))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    robots = {vendor: Robots() for vendor in CHATS}
    smtp = SmtpServer()
    with notifier(
        str(Path(tmp_path_factory.mktemp("outbox")) / "notifier.db"),
        wecom_webhook_url=robots["wecom"].wecom_url,
        dingtalk_webhook_url=robots["dingtalk"].dingtalk_url,
        dingtalk_secret=SECRET,
        smtp_host="127.0.0.1",
        smtp_port=smtp.port,
        email_mode="always",
        delivery_timeout_seconds=30,  # longer than anybody may have to wait for another channel
    ) as made:
        yield Stack(made, robots, smtp)
    for server in robots.values():
        server.close()
    smtp.close()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendors' blocks of a minute and of ten, in less than a second."""
    monkeypatch.setattr(wecom, "_PAUSE_SECONDS", 0.4)
    monkeypatch.setattr(dingtalk, "_BLOCK_SECONDS", 0.4)


@pytest.mark.parametrize("hanging", [*CHATS, "email"])
def test_while_one_hangs_the_others_deliver(stack: Stack, change: Change, hanging: str) -> None:
    for result in ("delivered", "retried", "failed"):
        change("alert_notifications_total", channel=hanging, result=result)
    before = stack.asked(hanging)
    stack.behave(hanging, "hang")
    try:
        identifiers = [stack.post()]
        until(lambda: stack.asked(hanging) > before)
        posted = time.monotonic()
        identifiers.append(stack.post())  # whoever waits for the hanging one does so now, whatever the order
        for other in {*CHATS, "email"} - {hanging}:
            until(lambda other=other: all(stack.told(other, one) for one in identifiers))  # type: ignore[misc] # mypy does not infer lambdas with defaults
        assert time.monotonic() - posted < 5
        assert stack.asked(hanging) == before + 1
        for result in ("delivered", "retried", "failed"):
            assert change("alert_notifications_total", channel=hanging, result=result) == 0, "it hangs still"
    finally:
        stack.behave(hanging, "ok")
    until(lambda: all(stack.told(hanging, one) == 1 for one in identifiers))
    assert change("alert_notifications_total", channel=hanging, result="retried") == 1


def test_a_mail_server_that_hangs_is_given_up(start: Any, smtp: SmtpServer) -> None:
    smtp.mode = "hang"
    made = start(smtp_host="127.0.0.1", smtp_port=smtp.port, delivery_lifetime_seconds=0.1)
    made.post(group())
    [dead] = until(made.dead_letters)
    assert dead["last_error"] == "no answer in 0.7 s"


@pytest.mark.parametrize("vendor", CHATS)
@pytest.mark.parametrize("mode", ["refuse", "disconnect", "5xx", "garbage", "rate-limit", "errcode"])
def test_a_robot_fails(stack: Stack, change: Change, vendor: str, mode: str) -> None:
    robots = stack.robots[vendor]
    change("alert_notifications_total", channel=vendor, result="failed")
    change("alert_notifications_total", channel=vendor, result="retried")
    if mode == "refuse":
        robots.server.stop()
    else:
        robots.behave(vendor, mode)
    posted = time.monotonic()
    identifier = stack.post()
    try:
        for other in {*CHATS, "email"} - {vendor}:
            until(lambda other=other: stack.told(other, identifier))  # type: ignore[misc] # as above
        assert time.monotonic() - posted < 5
        result = "failed" if mode == "errcode" else "retried"
        until(lambda: change("alert_notifications_total", channel=vendor, result=result))
        assert mode == "refuse" or not stack.told(vendor, identifier)
    finally:
        if mode == "refuse":
            robots.server.start()
        robots.behave(vendor, "ok")
    if mode == "errcode":
        [dead] = [letter for letter in stack.notifier.dead_letters() if letter["notification_id"] == identifier]
        assert (dead["channel"], dead["attempts"]) == (vendor, 1)
        assert "errcode" in dead["last_error"]
        answer = stack.notifier.client.post(f"/api/v1/dead-letters/{dead['id']}/redelivery")
        assert answer.status_code == 202
    until(lambda: stack.told(vendor, identifier))
    assert stack.told(vendor, identifier) == 1
    assert change("alert_notifications_total", channel=vendor, result="failed") == (mode == "errcode")


@pytest.mark.parametrize("mode", ["refuse", "disconnect", "4xx", "5xx", "garbage"])
def test_the_mail_server_fails(stack: Stack, change: Change, mode: str) -> None:
    change("alert_notifications_total", channel="email", result="failed")
    change("alert_notifications_total", channel="email", result="retried")
    if mode == "refuse":
        stack.smtp.close()
    else:
        stack.behave("email", mode)
    posted = time.monotonic()
    identifier = stack.post()
    try:
        for chat in CHATS:
            until(lambda chat=chat: stack.told(chat, identifier))  # type: ignore[misc] # as above
        assert time.monotonic() - posted < 5
        result = "failed" if mode == "5xx" else "retried"
        until(lambda: change("alert_notifications_total", channel="email", result=result))
    finally:
        if mode == "refuse":
            stack.smtp.start()
        stack.behave("email", "ok")
    if mode == "5xx":
        assert any(letter["notification_id"] == identifier for letter in stack.notifier.dead_letters())
    else:
        until(lambda: stack.told("email", identifier))


def test_an_answer_drop_by_drop_is_a_hang(start: Any) -> None:
    """Each read is quick, the whole is not: the limit is for the whole."""
    listener = socket.create_server(("127.0.0.1", 0))
    ends = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not ends.wait(0.1):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/cgi-bin/webhook/send?key=k"
    made = start(wecom_webhook_url=address, delivery_lifetime_seconds=0.1)
    began = time.monotonic()
    made.post(group())
    [dead] = until(made.dead_letters)
    assert time.monotonic() - began < 3
    assert dead["last_error"] == "no answer in 0.7 s"
    ends.set()
    thread.join()
    listener.close()
