"""One client that keeps a server busy: a few connections, each asks again as soon as it was answered."""

import asyncio
import re
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import psutil

from benchmarks.client import headers

CONNECTIONS = 8
_LENGTH = re.compile(rb"content-length: (\d+)\r\n").search
_OK = b"HTTP/1.1 200 "


@dataclass
class Tally:
    """What one server did while it had its turns."""

    requests: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0


class _Connection(asyncio.Protocol):
    def __init__(self, requests: list[bytes]) -> None:
        self._requests = requests
        self._read = bytearray()
        self.answered = 0
        self.asking = False
        self.waiting = False
        self.idle = asyncio.Event()
        self.problem: str | None = None
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        if self.waiting:
            self.problem = "the server closed the connection"
            self.idle.set()

    def ask(self) -> None:
        self.waiting = True
        self.transport.write(self._requests[self.answered % len(self._requests)])

    def data_received(self, data: bytes) -> None:
        self._read += data
        end = self._read.find(b"\r\n\r\n")
        length = _LENGTH(self._read, 0, end + 2) if end > 0 else None
        if length is None or len(self._read) < end + 4 + int(length[1]):
            return
        if not self._read.startswith(_OK):
            self.problem = bytes(self._read[:200]).decode("latin-1")
            self.idle.set()
            return
        self._read.clear()
        self.answered += 1
        if self.asking:
            self.ask()
        else:
            self.waiting = False
            self.idle.set()


class Client:
    """Connections to one route of one server."""

    def __init__(self, port: int, path: str, process: psutil.Process) -> None:
        self._port = port
        self._process = process
        self._connections: list[_Connection] = []
        lines = [[b"%s: %s\r\n" % line for line in headers(number)] for number in range(256)]
        self._requests = [b"GET %s HTTP/1.1\r\n%s\r\n" % (path.encode(), b"".join(some)) for some in lines]
        self.tally = Tally()

    async def open(self) -> None:
        """Connect."""
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            _, connection = await loop.create_connection(lambda: _Connection(self._requests), "127.0.0.1", self._port)
            self._connections.append(connection)

    async def turn(self, seconds: float, *, counted: bool = True) -> None:
        """Keep the server busy for so long, then let it finish."""
        answered, cpu, began = self._answered(), self._cpu(), perf_counter()
        for connection in self._connections:
            connection.asking = True
            connection.idle.clear()
            connection.ask()
        await asyncio.sleep(seconds)
        for connection in self._connections:
            connection.asking = False
        for connection in self._connections:
            await connection.idle.wait()
            if connection.problem:
                raise RuntimeError(connection.problem)
        if counted:
            self.tally.seconds += perf_counter() - began
            self.tally.cpu_seconds += self._cpu() - cpu
            self.tally.requests += self._answered() - answered

    def close(self) -> None:
        """Disconnect."""
        for connection in self._connections:
            connection.transport.close()

    def _answered(self) -> int:
        return sum(connection.answered for connection in self._connections)

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)
