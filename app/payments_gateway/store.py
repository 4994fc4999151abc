"""The gateway's book of charges: one entry an idempotency key, however often it is asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiosqlite

from payments_gateway.schemas import Charge

_TABLE = """
    CREATE TABLE IF NOT EXISTS charges (
        idempotency_key TEXT PRIMARY KEY,
        fingerprint TEXT NOT NULL,
        charge_id TEXT NOT NULL,
        status TEXT NOT NULL,
        decline_code TEXT
    )
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A charge in the book, and the fingerprint of the request that made it."""

    charge: Charge
    fingerprint: str


class ChargeStore:
    """Charges by idempotency key."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def find(self, key: str) -> Entry | None:
        """Return the key's entry; None when there is none."""
        query = "SELECT charge_id, status, decline_code, fingerprint FROM charges WHERE idempotency_key = ?"
        async with self._connection.execute(query, (key,)) as cursor:
            row = await cursor.fetchone()
        if row is None:
            return None
        return Entry(Charge(charge_id=row[0], status=row[1], decline_code=row[2]), row[3])

    async def add(self, key: str, entry: Entry) -> tuple[Entry, bool]:
        """Add the entry unless the key has one; return the key's entry and whether it is the new one."""
        charge = entry.charge
        cursor = await self._connection.execute(
            "INSERT INTO charges VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (key, entry.fingerprint, charge.charge_id, charge.status, charge.decline_code),
        )
        await self._connection.commit()
        if cursor.rowcount:
            return entry, True
        earlier = await self.find(key)
        if earlier is None:
            raise RuntimeError("an entry of the book has vanished")
        return earlier, False


@asynccontextmanager
async def open_store(path: str) -> AsyncIterator[ChargeStore]:
    """Open the SQLite file `path` (`:memory:` forgets at the end)."""
    async with aiosqlite.connect(path) as connection:
        await connection.execute(_TABLE)
        await connection.commit()
        yield ChargeStore(connection)
