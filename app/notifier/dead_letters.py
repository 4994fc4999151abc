"""Dead letters: what could not be delivered, to be read and sent again."""

import time
from typing import Literal

from pydantic import BaseModel

from notifier.database import Database


class DeadLetter(BaseModel):
    """A page that a channel refused, or did not take in time."""

    id: int
    notification_id: str
    channel: str
    title: str
    page: str
    attempts: int
    last_error: str
    received_at: float
    died_at: float


class DeadLetters:
    """Over the outbox's table."""

    def __init__(self, database: Database, *, lifetime: float) -> None:
        self._database = database
        self._lifetime = lifetime

    async def newest(self, limit: int, before: int | None) -> list[DeadLetter]:
        """Return up to `limit` dead letters, the newest first, from the one before the id `before` on."""
        query = (
            "SELECT deliveries.*, title, received_at, changed_at AS died_at FROM deliveries"
            " JOIN notifications ON notifications.id = notification_id"
            " WHERE state = 'dead' AND deliveries.id < ? ORDER BY deliveries.id DESC LIMIT ?"
        )
        async with self._database.transaction() as db, db.execute(query, (before or 2**62, limit)) as rows:
            return [DeadLetter.model_validate(dict(row)) async for row in rows]

    async def send_again(self, identifier: int) -> Literal["waiting", "not dead", "unknown"]:
        """Put the dead letter `identifier` back into the outbox, with its old id in the text."""
        now = time.time()
        async with self._database.transaction() as db:
            cursor = await db.execute(
                "UPDATE deliveries SET state = 'waiting', attempts = 0, due_at = ?, expires_at = ?, changed_at = ?"
                " WHERE id = ? AND state = 'dead'",
                (now, now + self._lifetime, now, identifier),
            )
            if cursor.rowcount:
                return "waiting"
            async with db.execute("SELECT 1 FROM deliveries WHERE id = ?", (identifier,)) as rows:
                return "not dead" if await rows.fetchone() else "unknown"
