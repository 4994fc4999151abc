"""The notifier's settings. A channel is on when its address is set, and by nothing else."""

from collections.abc import Set as AbstractSet
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator

from notifier.outbox import EMAIL
from observability.settings import Settings

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class NotifierSettings(Settings):
    """Only WEBHOOK_TOKEN must be set. Each SecretStr `X` may be given as `X_FILE`, a path."""

    host: str = "0.0.0.0"  # noqa: S104 - a container is reached from outside of itself
    port: Annotated[int, Field(ge=1, le=65535)] = 9095
    webhook_token: Annotated[SecretStr, Field(min_length=16)]
    # Alertmanager's largest honest webhook: hundreds of alerts of a kilobyte or two
    webhook_max_bytes: Annotated[int, Field(ge=1_024)] = 1_048_576

    # The address of a robot is its password: whoever knows it can write to the group.
    wecom_webhook_url: SecretStr | None = None
    # markdown is not shown to members who read the group in WeChat; text is, at half the length
    wecom_format: Literal["markdown", "text"] = "markdown"
    dingtalk_webhook_url: SecretStr | None = None
    dingtalk_secret: SecretStr | None = None
    # text has no headings, and bare addresses in place of named links
    dingtalk_format: Literal["markdown", "text"] = "markdown"
    # for stand-ins on the same network; the vendors' own addresses are https
    robots_allow_http: bool = False
    # The vendors allow 20; slower ones on their way must not arrive as 21, which DingTalk blocks for 10 minutes.
    robots_per_minute: Annotated[int, Field(ge=1)] = 18

    smtp_host: str | None = None
    smtp_port: Annotated[int, Field(ge=1, le=65535)] = 587
    # starttls: the server must offer it; tls: from the first byte (port 465); off: a mail catcher on the same network
    smtp_security: Literal["starttls", "tls", "off"] = "starttls"
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_from: str | None = None
    smtp_to: Annotated[str | None, Field(description="Addresses, separated by commas.")] = None
    # fallback: only what no chat has taken; always: everything (what docker-compose.yml asks for with a real server)
    email_mode: Literal["fallback", "always"] = "fallback"
    email_fallback_after_seconds: Seconds = 30.0

    # A healthy vendor answers in a tenth of it.
    delivery_timeout_seconds: Seconds = 5.0
    delivery_backoff_seconds: Seconds = 1.0
    # Then it is a dead letter and an alert. Longer than DingTalk's 10-minute block, shorter than Alertmanager's repeat.
    delivery_lifetime_seconds: Seconds = 900.0
    # Alertmanager sends again what it got no answer for, at the latest a group_interval (5 minutes by default) later.
    deduplication_seconds: Annotated[float, Field(ge=0, le=86_400)] = 300.0
    notifier_database: str = "notifier.db"

    # An outside service that calls people when the ping stays away; its address is its password, too
    deadman_url: SecretStr | None = None
    # The zone of every time that people read
    tz: str = "Asia/Shanghai"

    @field_validator("wecom_webhook_url", "dingtalk_webhook_url", "dingtalk_secret", "smtp_password", "deadman_url")
    @classmethod
    def _empty_is_unset(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value and value.get_secret_value().strip() else None

    @field_validator("tz")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("is no zone of the tz database; use a name like Asia/Shanghai or UTC") from error
        return value

    @model_validator(mode="after")
    def _addresses(self) -> Self:
        for name in ("wecom_webhook_url", "dingtalk_webhook_url", "deadman_url"):
            secret: SecretStr | None = getattr(self, name)
            if secret and (wrong := _wrong_address(secret.get_secret_value(), allow_http=self.robots_allow_http)):
                raise ValueError(f"{name.upper()}: {wrong}")
        if self.dingtalk_secret and not self.dingtalk_webhook_url:
            raise ValueError("DINGTALK_SECRET: set without DINGTALK_WEBHOOK_URL; set both, or neither")
        if self.smtp_host and not (self.smtp_from and self.recipients):
            raise ValueError("SMTP_HOST: set without SMTP_FROM and SMTP_TO; set all three, or none for no email")
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("SMTP_USERNAME: goes with SMTP_PASSWORD (or SMTP_PASSWORD_FILE); set both, or neither")
        if self.smtp_username and self.smtp_security == "off":
            raise ValueError("SMTP_SECURITY: off would send SMTP_PASSWORD in the clear; use starttls or tls")
        return self

    def standby(self, channels: AbstractSet[str]) -> frozenset[str]:
        """Return which of the channels that are set up speaks only where the others fail."""
        return frozenset({EMAIL}) if self.email_mode == "fallback" and channels > {EMAIL} else frozenset()

    @property
    def recipients(self) -> list[str]:
        """The addresses in SMTP_TO."""
        return [address.strip() for address in (self.smtp_to or "").split(",") if address.strip()]


def _wrong_address(address: str, *, allow_http: bool) -> str | None:
    """Return what is wrong with a robot's address, without repeating it."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - reading it raises on a port that is none
    except ValueError:
        return "is not a URL; copy it again from the robot's page"
    if any(character <= " " or character == "\x7f" for character in address):
        return "has white space in it; copy it again from the robot's page"
    if parts.username or parts.password:
        return "has a user in it; the robots know none"
    if not parts.hostname or parts.scheme not in {"https", "http"}:
        return "is not an https URL; copy it again from the robot's page"
    if parts.scheme == "http" and not allow_http:
        return "is http, which anybody on the way can read; use https, or set ROBOTS_ALLOW_HTTP=true for a stand-in"
    return None
