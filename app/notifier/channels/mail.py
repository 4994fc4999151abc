"""Email over SMTP."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Literal

import aiosmtplib

from notifier.channels import Refused, Unavailable
from notifier.markup import PLAIN
from notifier.message import Message
from observability import get_logger

_PERMANENT = range(500, 600)

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """The server that takes our mail, and who writes to whom."""

    host: str
    port: int
    security: Literal["starttls", "tls", "off"]
    sender: str
    recipients: Sequence[str]
    username: str | None = None
    password: str | None = None
    timeout: float = 5.0


class Mail:
    """Email to one list of people."""

    name = "email"
    per_minute: int | None = None

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def pages(self, message: Message) -> list[str]:
        """Write the message; mail has no limit that a webhook could reach."""
        return [f"{message.text(PLAIN)}\n编号：{message.id}\n"]

    async def send(self, title: str, page: str, message_id: str) -> None:
        """Hand the mail to the server; sent twice it has the same Message-ID, so that readers show it once."""
        box = self._mailbox
        mail = EmailMessage()
        mail["Subject"] = title
        mail["From"] = box.sender
        mail["To"] = ", ".join(box.recipients)
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{message_id}@notifier>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
        mail.set_content(page)
        try:
            async with asyncio.timeout(box.timeout):
                refused, _ = await aiosmtplib.send(
                    mail,
                    hostname=box.host,
                    port=box.port,
                    username=box.username,
                    password=box.password,
                    timeout=box.timeout,
                    use_tls=box.security == "tls",
                    # demanded, not tried: whoever sits between could otherwise strip it and read the password
                    start_tls=box.security == "starttls",
                )
        except TimeoutError as error:
            raise Unavailable(f"no answer in {box.timeout:g} s") from error
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = {refused.code for refused in error.recipients}
            reason = "all recipients refused: " + ", ".join(map(str, sorted(codes)))
            raise (Refused if all(code in _PERMANENT for code in codes) else Unavailable)(reason) from error
        except aiosmtplib.SMTPResponseException as error:
            reason = f"SMTP {error.code}: {error.message}"[:300]
            raise (Refused if error.code in _PERMANENT else Unavailable)(reason) from error
        except (OSError, aiosmtplib.SMTPException) as error:
            raise Unavailable(f"{type(error).__name__}: {error}"[:300]) from error

        if refused:
            _log.warning("Mail server refused some of the recipients", refused=len(refused), messageId=message_id)

    async def close(self) -> None:
        """Nothing is kept open."""
