"""The notifier's parts, opened and closed together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, cast
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from pydantic import SecretStr

from notifier.channels import Channel
from notifier.channels.dingtalk import DingTalk
from notifier.channels.mail import Mail, Mailbox
from notifier.channels.robot import Robot
from notifier.channels.wecom import WeCom
from notifier.database import open_database
from notifier.dead_letters import DeadLetters
from notifier.delivery import Deliveries
from notifier.outbox import Outbox
from notifier.settings import NotifierSettings
from notifier.watchdog import Watchdog


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes work with."""

    settings: NotifierSettings
    zone: ZoneInfo
    outbox: Outbox
    dead_letters: DeadLetters
    deliveries: Deliveries
    watchdog: Watchdog


@asynccontextmanager
async def open_service(settings: NotifierSettings) -> AsyncIterator[Service]:
    """Open the outbox and start to send."""
    async with open_database(settings.notifier_database) as database:
        lifetime = settings.delivery_lifetime_seconds
        outbox = Outbox(database, lifetime=lifetime, deduplication=settings.deduplication_seconds)
        deliveries = Deliveries(
            _channels(settings),
            outbox,
            backoff=settings.delivery_backoff_seconds,
            fallback_after=settings.email_fallback_after_seconds,
            patience=settings.delivery_timeout_seconds + 1,
        )
        watchdog = Watchdog(_plain(settings.deadman_url), settings.delivery_timeout_seconds)
        await deliveries.start()
        try:
            yield Service(
                settings=settings,
                zone=ZoneInfo(settings.tz),
                outbox=outbox,
                dead_letters=DeadLetters(database, lifetime=lifetime),
                deliveries=deliveries,
                watchdog=watchdog,
            )
        finally:
            await deliveries.stop()
            await watchdog.close()


def _channels(settings: NotifierSettings) -> list[Channel]:
    timeout = settings.delivery_timeout_seconds
    channels: list[Channel] = []
    if wecom := _plain(settings.wecom_webhook_url):
        channels.append(WeCom(Robot(wecom, timeout), settings.wecom_format, settings.robots_per_minute))
    if dingtalk := _plain(settings.dingtalk_webhook_url):
        robot, secret = Robot(dingtalk, timeout), _plain(settings.dingtalk_secret)
        channels.append(DingTalk(robot, secret, settings.dingtalk_format, settings.robots_per_minute))
    if settings.smtp_host and settings.smtp_from:
        mailbox = Mailbox(
            host=settings.smtp_host,
            port=settings.smtp_port,
            security=settings.smtp_security,
            sender=settings.smtp_from,
            recipients=settings.recipients,
            username=settings.smtp_username,
            password=_plain(settings.smtp_password),
            timeout=timeout,
        )
        channels.append(Mail(mailbox))
    return channels


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value().strip() if secret else None


def _of(request: Request) -> Service:
    return cast("Service", request.app.state.service)


ServiceOf = Annotated[Service, Depends(_of)]
