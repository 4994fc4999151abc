"""WeCom (企业微信) group robot: https://developer.work.weixin.qq.com/document/path/91770."""

from typing import Literal

from notifier.channels import Refused, Unavailable
from notifier.channels.robot import Robot
from notifier.markup import PLAIN, WECOM
from notifier.message import Message

TEXT_BYTES_MAX = 2048
MARKDOWN_BYTES_MAX = 4096

_BUSY = -1
_TOO_FAST = frozenset({45009, 45033})  # calls a minute; calls at the same time
_PAUSE_SECONDS = 60.0


class WeCom:
    """One group robot of WeCom."""

    name = "wecom"

    def __init__(self, robot: Robot, style: Literal["markdown", "text"], per_minute: int | None) -> None:
        self._robot = robot
        self._style = style
        self.per_minute = per_minute

    def pages(self, message: Message) -> list[str]:
        """Write the message within the vendor's limit."""
        if self._style == "text":
            return message.pages(PLAIN, TEXT_BYTES_MAX)
        return message.pages(WECOM, MARKDOWN_BYTES_MAX)

    async def send(self, title: str, page: str, message_id: str) -> None:
        """Send one page; WeCom has no place for a title or an id beside the text."""
        del title, message_id
        code, reason = await self._robot.post({"msgtype": self._style, self._style: {"content": page}})
        if code == 0:
            return
        if code in _TOO_FAST:
            raise Unavailable(f"errcode {code}: {reason}", _PAUSE_SECONDS)
        if code == _BUSY:
            raise Unavailable(f"errcode {code}: {reason}")
        raise Refused(f"errcode {code}: {reason}")

    async def close(self) -> None:
        """Close the connections."""
        await self._robot.close()
