"""The stand-ins' settings; all have working defaults."""

from typing import Annotated

from pydantic import Field

from observability.settings import Settings


class RobotSettings(Settings):
    """What the vendors would have given us."""

    host: str = "0.0.0.0"  # noqa: S104 - a container is reached from outside of itself
    port: Annotated[int, Field(ge=1, le=65535)] = 9096
    wecom_key: str = "demo"
    dingtalk_access_token: str = "demo"  # noqa: S105 - a stand-in guards nothing
    # a robot without 加签 takes unsigned messages
    dingtalk_secret: str | None = None
    # the vendors' number; tests raise it
    robots_allow_per_minute: Annotated[int, Field(ge=1)] = 20
