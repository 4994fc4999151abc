"""Alertmanager's webhook, version 4: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config."""

import hashlib
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

_EARLIEST, _LATEST = 2, 9998  # years that stay years in any zone


def _in_range(value: datetime) -> datetime:
    if not _EARLIEST <= value.year <= _LATEST:
        raise ValueError("is no time of this era")
    return value


Labels = dict[str, str]


class _Strict(BaseModel):
    # 5 is not "5". Unknown fields are let in: later versions of Alertmanager add some.
    model_config = ConfigDict(strict=True, frozen=True)


class Alert(_Strict):
    """One alert of a group."""

    status: Literal["firing", "resolved"]
    labels: Labels
    annotations: Labels = {}
    starts_at: Annotated[AwareDatetime, AfterValidator(_in_range), Field(alias="startsAt")]
    ends_at: Annotated[AwareDatetime | None, Field(alias="endsAt")] = None
    generator_url: Annotated[str, Field(alias="generatorURL")] = ""
    fingerprint: Annotated[str, Field(min_length=1)]

    @property
    def name(self) -> str:
        """The alert's name; Prometheus always sets it, a hand-made alert may lack it."""
        return self.labels.get("alertname") or "未命名告警"


class Webhook(_Strict):
    """One group, as Alertmanager notifies of it: firing while any of its alerts is."""

    version: Literal["4"]
    group_key: Annotated[str, Field(alias="groupKey", min_length=1)]
    status: Literal["firing", "resolved"]
    receiver: str = ""
    group_labels: Annotated[Labels, Field(alias="groupLabels")] = {}
    common_labels: Annotated[Labels, Field(alias="commonLabels")] = {}
    common_annotations: Annotated[Labels, Field(alias="commonAnnotations")] = {}
    external_url: Annotated[str, Field(alias="externalURL")] = ""
    truncated_alerts: Annotated[int, Field(alias="truncatedAlerts", ge=0)] = 0
    alerts: Annotated[list[Alert], Field(min_length=1)]

    def of(self, status: Literal["firing", "resolved"]) -> list[Alert]:
        """Return the group's alerts that are in this status."""
        return [alert for alert in self.alerts if alert.status == status]

    def digest(self) -> str:
        """Say which news this is: the same when Alertmanager, or its twin, sends the same news again.

        Annotations stay out: a value in them may have moved between two attempts.
        """
        news = hashlib.sha256()
        for part in (self.receiver, self.group_key, *sorted(map(_news, self.alerts))):
            news.update(part.encode() + b"\0")
        return news.hexdigest()


def _news(alert: Alert) -> str:
    ended = alert.ends_at.isoformat() if alert.ends_at and alert.status == "resolved" else ""
    return f"{alert.fingerprint} {alert.status} {alert.starts_at.isoformat()} {ended}"
