"""DingTalk (钉钉) group robot: https://open.dingtalk.com/document/orgapp/custom-robots-send-group-messages."""

import base64
import hashlib
import hmac
import time
from typing import Literal

from notifier.channels import Refused, Unavailable
from notifier.channels.robot import Robot
from notifier.markup import DINGTALK, PLAIN
from notifier.message import Message

# The vendor allows a body of 20000 bytes for either, in which JSON may double each; more nobody reads on a phone.
BYTES_MAX = 5000

_BUSY = -1
_TOO_FAST = frozenset({130101, 410100, 90030})  # old and new code of 20 a minute; calls a day
_BLOCK_SECONDS = 600.0  # from the vendor's documentation; asking earlier would be refused


def sign(secret: str, timestamp_ms: int) -> str:
    """Return the signature of 加签: base64 of HMAC-SHA256 over timestamp, line break, secret; not yet URL-encoded."""
    digest = hmac.digest(secret.encode(), f"{timestamp_ms}\n{secret}".encode(), hashlib.sha256)
    return base64.b64encode(digest).decode()


class DingTalk:
    """One group robot of DingTalk; signed when `secret` is given."""

    name = "dingtalk"

    def __init__(
        self, robot: Robot, secret: str | None, style: Literal["markdown", "text"], per_minute: int | None
    ) -> None:
        self._robot = robot
        self._secret = secret
        self._style = style
        self.per_minute = per_minute

    def pages(self, message: Message) -> list[str]:
        """Write the message within the vendor's limit."""
        return message.pages(PLAIN if self._style == "text" else DINGTALK, BYTES_MAX)

    async def send(self, title: str, page: str, message_id: str) -> None:
        """Send one page; markdown's title is what the phone's notification and the list of chats show."""
        del message_id
        query = None
        if self._secret is not None:
            now = time.time_ns() // 1_000_000  # signed at each attempt: it holds for an hour
            query = {"timestamp": str(now), "sign": sign(self._secret, now)}
        content = {"content": page} if self._style == "text" else {"title": title, "text": page}
        code, reason = await self._robot.post({"msgtype": self._style, self._style: content}, query)
        if code == 0:
            return
        if code in _TOO_FAST:
            raise Unavailable(f"errcode {code}: {reason}", _BLOCK_SECONDS)
        if code == _BUSY:
            raise Unavailable(f"errcode {code}: {reason}")
        raise Refused(f"errcode {code}: {reason}")

    async def close(self) -> None:
        """Close the connections."""
        await self._robot.close()
