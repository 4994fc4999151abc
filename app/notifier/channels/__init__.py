"""The ways to people. Each channel writes a message its own way and hands one page over at a time."""

from typing import Protocol

from notifier.message import Message


class Refused(Exception):  # noqa: N818 - it is the vendor's answer, not a fault of ours
    """The page was refused and always would be: trying again is no use."""


class Unavailable(Exception):  # noqa: N818 - as above
    """No answer, or one that may be another in a while. `pause` seconds nothing more should be sent this way."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


class Channel(Protocol):
    """One way to people."""

    name: str
    per_minute: int | None
    """Pages allowed in any 60 seconds; None is no limit."""

    def pages(self, message: Message) -> list[str]:
        """Write the message, in as many pages as the vendor's limits ask for."""

    async def send(self, title: str, page: str, message_id: str) -> None:
        """Hand one page over; return only when the vendor has taken it, else raise Refused or Unavailable."""

    async def close(self) -> None:
        """Release connections."""
