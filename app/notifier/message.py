"""The words: what people read when a group of alerts fires or is over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from notifier.alertmanager import Alert, Webhook
from notifier.markup import Markup, one_line
from notifier.splitting import split, truncate

PAGES_MAX = 5
"""Messages that one notification may become in a chat; what is left is a link away, and the group stays readable."""

_TITLE_BYTES_MAX = 240
_LEVELS = {"critical": "严重 critical", "warning": "警告 warning", "info": "提示 info"}
_MARKS = {"firing": "【告警】", "resolved": "【恢复】"}
_DESCRIBED = {"firing": "描述", "resolved": "触发时"}
"""What the description is called: when all is over, its value is that of the past."""
_LINKS = (("处置手册", "runbook_url"), ("仪表板", "dashboard_url"))

Status = Literal["firing", "resolved"]


@dataclass(frozen=True, slots=True)
class Message:
    """One notification to be written for each channel. `id` is in every text, so that a repetition can be told."""

    id: str
    webhook: Webhook
    zone: ZoneInfo

    @property
    def title(self) -> str:
        """The first line, in plain text."""
        return truncate(_title(self.webhook.status, self.webhook.of(self.webhook.status)), _TITLE_BYTES_MAX)

    def text(self, markup: Markup) -> str:
        """Return all of it, without the id."""
        lines: list[str] = []
        for status in _MARKS:
            if alerts := self.webhook.of("firing" if status == "firing" else "resolved"):
                lines += [*([""] if lines else []), *self._section(alerts, markup)]
        if self.webhook.truncated_alerts:
            lines.append(f"另有 {self.webhook.truncated_alerts} 条没有随通知送来")
        if everything := markup.link("全部告警与静默", self.webhook.external_url):
            lines.append(everything)
        return markup.newline.join(lines)

    def pages(self, markup: Markup, limit: int) -> list[str]:
        """Return the text, each page with the id and at most `limit` bytes of UTF-8."""
        text = self.text(markup)
        first_line = markup.literal(self.title) + "（续）" + markup.newline
        room = limit - len((first_line + self._footer(markup, PAGES_MAX, PAGES_MAX)).encode())
        pieces = split(text, room)
        if len(pieces) > PAGES_MAX:
            more = f"{markup.newline}…其余内容请到 Alertmanager 查看"
            last = truncate(pieces[PAGES_MAX - 1], room - len(more.encode())) + more
            pieces = [*pieces[: PAGES_MAX - 1], last]
        return [
            ("" if number == 1 else first_line) + piece + self._footer(markup, number, len(pieces))
            for number, piece in enumerate(pieces, 1)
        ]

    def _footer(self, markup: Markup, number: int, pages: int) -> str:
        return f"{markup.newline}编号：{self.id}" + (f"（{number}/{pages}）" if pages > 1 else "")

    def _section(self, alerts: Sequence[Alert], markup: Markup) -> list[str]:
        """Write the alerts of one status: what they share once, then a line for each."""
        status = alerts[0].status
        level = _shared(alerts, _level)
        service = _shared(alerts, lambda alert: alert.labels.get("service", ""))
        links = _shared(alerts, lambda alert: _links(alert, markup))
        lines = [markup.title(markup.literal(truncate(_title(status, alerts), _TITLE_BYTES_MAX)), status)]
        lines += [markup.named("级别", level)] if level else []
        lines += [markup.named("服务", service)] if service else []
        for number, alert in enumerate(alerts, 1):
            when = _when(alert, self.zone)
            if len(alerts) == 1:
                lines += [markup.named(_DESCRIBED[status], _description(alert)), markup.named("时间", when)]
            else:
                own_level = "" if level else f"（{markup.literal(_level(alert))}）"
                lines.append(f"{number}. {markup.literal(_description(alert))}{own_level} · {when}")
            if links is None and (own_links := _links(alert, markup)):
                lines.append(own_links)
        return [*lines, links] if links else lines


def _shared(alerts: Sequence[Alert], read: Callable[[Alert], str]) -> str | None:
    """Return what `read` gives for all alerts; None when they differ."""
    values = {read(alert) for alert in alerts}
    return values.pop() if len(values) == 1 else None


def _title(status: Status, alerts: Sequence[Alert]) -> str:
    name = _shared(alerts, lambda alert: alert.name) or "多个告警"
    summary = _shared(alerts, lambda alert: alert.annotations.get("summary", ""))
    count = f"（{len(alerts)} 条）" if len(alerts) > 1 else ""
    return f"{_MARKS[status]}{one_line(name)}" + (f"：{one_line(summary)}" if summary else "") + count


def _level(alert: Alert) -> str:
    severity = alert.labels.get("severity", "")
    return _LEVELS.get(severity, severity or "未定 none")


def _description(alert: Alert) -> str:
    """Return the description, or what else tells alerts of one name apart."""
    if text := alert.annotations.get("description") or alert.annotations.get("summary"):
        return text
    return "，".join(f"{name}={value}" for name, value in sorted(alert.labels.items()) if name != "alertname") or "无"


def _links(alert: Alert, markup: Markup) -> str:
    found = (markup.link(name, alert.annotations.get(key, "")) for name, key in _LINKS)
    return markup.between_links.join(link for link in found if link)


def _when(alert: Alert, zone: ZoneInfo) -> str:
    started = _local(alert.starts_at, zone)
    if alert.status == "firing" or alert.ends_at is None or alert.ends_at < alert.starts_at:
        return started
    return f"{started} – {_local(alert.ends_at, zone)}（持续 {_lasted(alert.ends_at - alert.starts_at)}）"


def _local(moment: datetime, zone: ZoneInfo) -> str:
    # with its offset, because names like CST mean several zones
    return moment.astimezone(zone).isoformat(sep=" ", timespec="seconds")


def _lasted(duration: timedelta) -> str:
    minutes, seconds = divmod(round(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} 小时 {minutes} 分"
    return f"{minutes} 分 {seconds} 秒" if minutes else f"{seconds} 秒"
