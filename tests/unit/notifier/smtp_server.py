"""A mail server as small as SMTP (RFC 5321) allows, which can also fail."""

from __future__ import annotations

import asyncio
import ssl
import threading
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Literal

_parser = BytesParser(EmailMessage, policy=policy.default)

Mode = Literal["ok", "hang", "4xx", "5xx", "garbage", "disconnect"]


class SmtpServer:
    """Takes mail in a thread of its own; `mode` says how it behaves, `mails` what it has taken."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.mode: Mode = "ok"
        self.mails: list[EmailMessage] = []
        self.envelopes: list[list[str]] = []
        self.logins: list[str] = []
        self.encrypted = 0
        self.connections = 0
        self.port = 0
        self.tls = tls
        self._open: set[asyncio.Task[None]] = set()
        self.start()

    def start(self) -> None:
        """Listen; after `close` on the same port as before."""
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,))
        self._thread.start()
        started.wait()

    def let_go(self) -> None:
        """Break off what is open, and so what hangs."""
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in self._open])

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", self.port))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        server.close()
        for task in self._open:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._open, return_exceptions=True))
        self._loop.run_until_complete(asyncio.sleep(0.01))  # transports close in the next round
        self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open.add(task)
        self.connections += 1
        try:
            await self._converse(reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side may leave at any time, and this one let go
        finally:
            self._open.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "hang":
            await asyncio.sleep(3600)
        if self.mode == "disconnect":
            return
        if self.mode == "garbage":
            writer.write(b"\x00\xff\xfe not SMTP at all\r\n" * 3)
            return
        talk = _Talk(self, reader, writer)
        talk.say("220 test")
        while line := (await reader.readline()).decode("ascii", "replace").strip():
            verb = line.upper().split(" ")[0].split(":")[0]
            answer = getattr(talk, verb.lower(), talk.other)
            await answer(line)
            await writer.drain()
            if verb == "QUIT":
                return


class _Talk:
    """One connection: a method a command."""

    def __init__(self, server: SmtpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._recipients: list[str] = []
        self._encrypted = False

    def say(self, line: str) -> None:
        self._writer.write(line.encode() + b"\r\n")

    async def ehlo(self, _: str) -> None:
        offers = ["test"]
        if self._server.tls and not self._encrypted:
            offers.append("STARTTLS")
        if self._encrypted:
            offers.append("AUTH PLAIN")
        for offer in offers:
            self.say(f"250-{offer}")
        self.say("250 8BITMIME")

    async def starttls(self, _: str) -> None:
        self.say("220 go on")
        await self._writer.drain()
        assert self._server.tls
        await self._writer.start_tls(self._server.tls)
        self._encrypted = True
        self._server.encrypted += 1

    async def auth(self, line: str) -> None:
        self._server.logins.append(line.split(" ")[2])
        self.say("235 welcome")

    async def mail(self, _: str) -> None:
        refusals = {"4xx": "451 try again later", "5xx": "550 no mail from you"}
        self.say(refusals.get(self._server.mode, "250 ok"))

    async def rcpt(self, line: str) -> None:
        self._recipients.append(line.split(":", 1)[1])
        self.say("250 ok")

    async def data(self, _: str) -> None:
        self.say("354 go on")
        data = await self._reader.readuntil(b"\r\n.\r\n")
        self._server.envelopes.append(self._recipients)
        self._server.mails.append(_parser.parsebytes(data[:-5]))
        self._recipients = []
        self.say("250 taken")

    async def quit(self, _: str) -> None:
        self.say("221 bye")

    async def other(self, _: str) -> None:
        self.say("250 ok")
