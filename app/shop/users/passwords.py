"""Password hashing with Argon2id, away from the event loop and never more than a few at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shop.problems import ServiceBusy

# OWASP's second choice of parameters: 19 MiB, 2 passes; about 25 ms on one core of a small server
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_THREADS = 2  # argon2 releases the GIL; more threads than that would take the cores from everybody else
_WAITING_MAX = 100  # about 2 s of work: who comes later is told to come back

# Unknown emails are checked against this, so that they take as long as known ones.
_NOBODY = _HASHER.hash("nobody has this password")

R = TypeVar("R")


class Passwords:
    """Hashes and verifies in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="argon2")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Return the hash to store."""
        return await self._run(_HASHER.hash, password)

    async def verify(self, stored_hash: str | None, password: str) -> bool:
        """Return whether the password is right; None stands for a user that does not exist, and takes as long."""
        matches = await self._run(_matches, stored_hash or _NOBODY, password)
        return matches and stored_hash is not None

    def close(self) -> None:
        """Stop the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, function: Callable[..., R], *arguments: str) -> R:
        if self._waiting >= _WAITING_MAX:
            raise ServiceBusy("Too many people log in at this moment; try again in a few seconds")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
        finally:
            self._waiting -= 1


def _matches(stored_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored_hash, password)
    except (VerificationError, InvalidHashError):
        return False
