"""Which faults run in this process, and what starts and ends with them."""

import asyncio
import errno
import mmap
import os
import random
from collections.abc import Awaitable
from typing import get_args

from prometheus_client import Gauge

from observability.context import current
from observability.faults.model import Fault, FaultName, FaultStore
from observability.faults.store import MemoryStore
from observability.logs import get_logger
from observability.logs.writer import Writer

_POLL_SECONDS = 1.0
_GROWTH_BYTES = 8 * 1024 * 1024
"""Memory that memory_growth takes a second, and the most it takes:"""
_GROWTH_MOST = 64
_LAST_WORDS_SECONDS = 0.2
"""After these log_volume_full begins: the line that says so is written by then."""

_log = get_logger(__name__)
_active = Gauge("fault_active", "1 while the fault runs in this process.", ["fault"])


class StoreAwayError(Exception):
    """The store of the switches does not answer; nothing was changed that all replicas would see."""


class Switches:
    """The faults of this process, kept in step with the store."""

    def __init__(self) -> None:
        self.enabled = False
        self.running: dict[FaultName, Fault] = {}
        self._store: FaultStore = MemoryStore()
        self._poll: asyncio.Task[None] | None = None
        self._taken: list[mmap.mmap] = []
        self._store_is_away = False

    def enable(self) -> None:
        """Let switches be set; the gauges begin at 0."""
        self.enabled = True
        for name in get_args(FaultName):
            _active.labels(name)

    def use(self, store: FaultStore) -> None:
        """Share the switches through `store`, polled every second. Nothing unless faults are enabled."""
        self._store = store
        if self.enabled:
            self._start_polling()

    async def put(self, fault: Fault) -> None:
        """Start a fault, or replace it; StoreAwayError when its store does not answer."""
        await self._told(self._store.save(fault))
        self._start_polling()

    async def remove(self, name: FaultName) -> None:
        """End a fault; nothing when it does not run; StoreAwayError when its store does not answer."""
        await self._told(self._store.remove(name))

    def hit(self, name: FaultName, route: str | None = None) -> Fault | None:
        """Return the fault when it hits this call on `route` (by default the current request's), None otherwise."""
        fault = self.running.get(name)
        if fault is None or fault.over:
            return None
        if fault.route is not None:
            context = current()
            if fault.route != (route or (context.route if context else None)):
                return None
        return fault if random.random() < fault.share else None  # noqa: S311 - a share needs no secrecy

    async def _told(self, change: Awaitable[None]) -> None:
        try:
            await change
            await self._follow()
        except Exception as error:  # whatever the store's client raises
            raise StoreAwayError(f"the store of the fault switches does not answer: {error!r}") from error

    def _start_polling(self) -> None:
        loop = asyncio.get_running_loop()
        if self._poll is None or self._poll.done() or self._poll.get_loop() is not loop:
            self._poll = loop.create_task(self._keep_polling())

    async def _keep_polling(self) -> None:
        while True:
            try:
                await self._follow()
                self._store_is_away = False
            except Exception as error:  # noqa: BLE001 - whatever the store's client raises, faults must still end
                if not self._store_is_away:
                    _log.warning("The store of the fault switches does not answer", exc_info=error)
                self._store_is_away = True
                self._set([fault for fault in self.running.values() if not fault.over])
            if "memory_growth" in self.running and len(self._taken) < _GROWTH_MOST:
                self._taken.append(_memory())
            await asyncio.sleep(_POLL_SECONDS)

    async def _follow(self) -> None:
        self._set(await self._store.load())

    def _set(self, faults: list[Fault]) -> None:
        before, self.running = self.running, {fault.name: fault for fault in faults}
        for name, fault in self.running.items():
            if before.get(name) != fault:
                _active.labels(name).set(1)
                _log.warning("Fault started", event="fault.started", **fault.model_dump(exclude_none=True))
        for name in before.keys() - self.running.keys():
            _active.labels(name).set(0)
            _log.warning("Fault ended", event="fault.ended", name=name)
        if "log_volume_full" not in self.running:
            Writer.failure = None
        elif Writer.failure is None:
            asyncio.get_running_loop().call_later(_LAST_WORDS_SECONDS, self._fill_log_volume)
        if "memory_growth" not in self.running:
            while self._taken:
                self._taken.pop().close()

    def _fill_log_volume(self) -> None:
        if "log_volume_full" in self.running:
            Writer.failure = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _memory() -> mmap.mmap:
    """Take memory from the kernel itself: what comes from the allocator it may keep after it is freed."""
    taken = mmap.mmap(-1, _GROWTH_BYTES)
    for page in range(0, _GROWTH_BYTES, mmap.PAGESIZE):
        taken[page] = 1  # a page that is not written to takes no memory
    return taken


switches = Switches()
