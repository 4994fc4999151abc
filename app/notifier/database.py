"""The SQLite file that holds the outbox: written before anything is answered, read again after a crash."""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from importlib.resources import files
from pathlib import Path

import aiosqlite

from observability.settings import fail


class Database:
    """One connection; `transaction` is the only way to it, one at a time."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """Open a transaction: committed, and on the disk, at the end; rolled back on any exception."""
        async with self._turn:
            await self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                # shielded: a cancelled task must not leave the transaction to the next one
                await asyncio.shield(self._connection.rollback())
                raise
            await asyncio.shield(self._connection.commit())


@contextmanager
def claimed(path: str) -> Iterator[None]:
    """Make the outbox `path` this process's own. Ends the process with code 2 when it cannot be used.

    Before a server is started: an exception in there would be a stack trace and another exit code.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        # The kernel frees the lock when the process ends, however it does.
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail(f"NOTIFIER_DATABASE: another notifier works on {path}; stop it, or give this one a file of its own")
    except OSError as error:
        fail(f"NOTIFIER_DATABASE: cannot write {path}: {error.strerror}; name a file in a folder it may write")
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(_schema())
    except sqlite3.Error as error:
        fail(f"NOTIFIER_DATABASE: {path} is no outbox: {error}; name another file, or move this one away")
    try:
        yield
    finally:
        os.close(lock)


@asynccontextmanager
async def open_database(path: str) -> AsyncIterator[Database]:
    """Open the file `path`, made on first use."""
    # a backup that copies the file may hold it for a moment; Alertmanager waits ten seconds for an answer
    async with aiosqlite.connect(path, isolation_level=None, timeout=2.0) as connection:
        connection.row_factory = sqlite3.Row
        await connection.execute("PRAGMA journal_mode = WAL")
        # FULL: with WAL's usual NORMAL a power cut could take back what was answered 202
        await connection.execute("PRAGMA synchronous = FULL")
        await connection.execute("PRAGMA foreign_keys = ON")
        await connection.executescript(_schema())
        yield Database(connection)


def _schema() -> str:
    return files("notifier").joinpath("schema.sql").read_text("utf-8")
