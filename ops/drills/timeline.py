"""Follows alerts from Prometheus through Alertmanager into mail and chats, and back to quiet."""

import re
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ops import order
from ops.drills.stage import Stage
from ops.urls import address

CHANNELS = ("mail", "wecom", "dingtalk")
_WAY = ("pending", "firing", "alertmanager", "silenced", *CHANNELS, "quiet", *(f"{name} over" for name in CHANNELS))
_KEPT_MAILS = 200  # looked at; a drill makes fewer

# "【告警】HighErrorRate：…" is what a mail's and a chat message's first line says of each alert
_TITLE = re.compile(r"【(告警|恢复)】(\w+)")


@dataclass(frozen=True)
class Step:
    """Something that became known of an alert, and when (Unix seconds)."""

    at: float
    alert: str
    what: str
    """pending, firing, alertmanager, silenced, quiet; a channel, for the message; "CHANNEL over", for the last one."""


@dataclass
class Timeline:
    """What became of every alert since `since`. `mark` stands in every message that is ours, when others' come too."""

    stage: Stage
    since: float
    mark: str = ""
    channels: tuple[str, ...] = CHANNELS
    steps: list[Step] = field(default_factory=list)
    _read: set[str] = field(default_factory=set)
    _known: set[tuple[str, str]] = field(default_factory=set)
    _firing: set[str] = field(default_factory=set)

    def look(self) -> list[Step]:
        """Ask everybody once; return what is new, in the order in which it happened.

        Whoever does not answer, because the drill is about him, is asked again the next time.
        """
        new: list[Step] = []
        for source in (self._alertmanager, self._prometheus, self._mails, self._chats):
            try:
                for step in source():
                    if (step.alert, step.what) not in self._known and step.at >= self.since:
                        self._known.add((step.alert, step.what))
                        new.append(step)
            except (OSError, ValueError, KeyError):
                continue
        # what has the same time in different products' books: the way of the alert
        new.sort(key=lambda step: (step.at, step.alert, _WAY.index(step.what)))
        self.steps += new
        return new

    def at(self, alert: str, what: str) -> float | None:
        """When it happened; None when it has not."""
        return next((step.at for step in self.steps if (step.alert, step.what) == (alert, what)), None)

    def told(self, alert: str) -> bool:
        """Whether every channel has the message."""
        return all(self.at(alert, channel) for channel in self.channels)

    def over(self, alert: str) -> bool:
        """Whether every channel that told of it has told of its end."""
        return all(self.at(alert, f"{channel} over") for channel in self.channels if self.at(alert, channel))

    def alerts(self) -> list[str]:
        """Every alert that was told of anywhere, in that order."""
        return list(dict.fromkeys(step.alert for step in self.steps if step.what in self.channels))

    def _prometheus(self) -> Iterator[Step]:
        now = time.time()
        alerts = order.ask(f"{self.stage.prometheus}/api/v1/alerts")["data"]["alerts"]
        firing = {str(alert["labels"]["alertname"]) for alert in alerts if alert["state"] == "firing"}
        for alert in alerts:
            yield Step(_unix(alert["activeAt"]), str(alert["labels"]["alertname"]), "pending")
        for name in sorted(firing):
            yield Step(now, name, "firing")
        for name in sorted(self._firing - firing):
            yield Step(now, name, "quiet")
        self._firing = firing

    def _alertmanager(self) -> Iterator[Step]:
        for alert in order.ask(f"{self.stage.alertmanager}/api/v2/alerts"):
            name = str(alert["labels"]["alertname"])
            # Prometheus says there since when it fires; asked itself, it says only that it does
            yield Step(_unix(alert["startsAt"]), name, "firing")
            yield Step(_unix(alert["updatedAt"]), name, "alertmanager")
            if alert["status"]["inhibitedBy"]:
                yield Step(time.time(), name, "silenced")

    def _mails(self) -> Iterator[Step]:
        mailbox = address(self.stage.resolved, "mailpit", 8025)
        for mail in order.ask(f"{mailbox}/api/v1/messages?limit={_KEPT_MAILS}")["messages"]:
            at = _unix(mail["Created"])
            if at >= self.since and mail["ID"] not in self._read:
                text = order.ask(f"{mailbox}/api/v1/message/{urllib.parse.quote(mail['ID'])}")["Text"]
                self._read.add(mail["ID"])
                yield from self._said(at, "mail", text)

    def _chats(self) -> Iterator[Step]:
        for message in order.ask(f"{self.stage.robots}/messages"):
            at = float(message["received_at"])
            if at >= self.since and message["id"] not in self._read:
                self._read.add(message["id"])
                yield from self._said(at, str(message["vendor"]), message["content"])

    def _said(self, at: float, channel: str, text: str) -> Iterator[Step]:
        if self.mark not in text:
            return
        titles: list[Any] = _TITLE.findall(text)
        firing = {name for mark, name in titles if mark == "告警"}
        for name in dict.fromkeys(name for _, name in titles):
            yield Step(at, name, channel if name in firing else f"{channel} over")


def _unix(moment: str) -> float:
    """Read RFC 3339, whose fractions may be longer than Python's."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", moment)).timestamp()
