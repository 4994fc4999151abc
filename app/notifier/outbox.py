"""The outbox: what has to be said, kept until it was said or given up. Nothing here talks to a vendor."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiosqlite import Connection

from notifier.database import Database

RATE_WINDOW_SECONDS = 60.0
_KEPT_SECONDS = 7 * 86_400.0  # of what was sent, to look things up; dead letters a month
_KEPT_DEAD_SECONDS = 30 * 86_400.0

EMAIL = "email"
"""The channel that stands by for the chats."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A webhook to be stored."""

    id: str
    digest: str
    group_key: str
    title: str
    trace: str | None
    pages: Mapping[str, Sequence[str]]
    """By channel."""
    standby: frozenset[str] = frozenset()
    """Channels that wait whether another delivers."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A page that was claimed: the caller sends it and reports the outcome."""

    id: int
    notification_id: str
    channel: str
    title: str
    page: str
    trace: str | None
    attempts: int
    """This one included."""
    received_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing may be sent for so many seconds (None: until there is news); `limited`: because of the vendor's limit."""

    seconds: float | None
    limited: bool = False


class Outbox:
    """Notifications and their deliveries in a database. Each method is one transaction. Times are Unix seconds."""

    def __init__(self, database: Database, *, lifetime: float, deduplication: float) -> None:
        self._database = database
        self._lifetime = lifetime
        self._deduplication = deduplication

    async def accept(self, notification: Notification) -> str | None:
        """Store the notification; when the same was stored a moment ago, return the id of that one instead."""
        now = time.time()
        async with self._database.transaction() as db:
            query = "SELECT id FROM notifications WHERE digest = ? AND received_at > ? ORDER BY received_at DESC"
            async with db.execute(query, (notification.digest, now - self._deduplication)) as rows:
                if earlier := await rows.fetchone():
                    return str(earlier["id"])
            await db.execute(
                "INSERT INTO notifications (id, digest, group_key, title, trace, received_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    notification.id,
                    notification.digest,
                    notification.group_key,
                    notification.title,
                    notification.trace,
                    now,
                ),
            )
            await db.executemany(
                "INSERT INTO deliveries"
                " (notification_id, channel, group_key, page, state, due_at, expires_at, changed_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(notification.id, channel, notification.group_key, page),
                        "standby" if channel in notification.standby else "waiting",
                        *(now, now + self._lifetime, now),
                    )
                    for channel, pages in notification.pages.items()
                    for page in pages
                ],
            )
        return None

    async def claim(self, channel: str, per_minute: int | None) -> Delivery | Wait:
        """Take the next page of this channel that may be sent now, or say how long to wait."""
        now = time.time()
        async with self._database.transaction() as db:
            query = (
                "SELECT heads.*, title, trace, received_at"
                " FROM heads JOIN notifications ON notifications.id = notification_id"
                " WHERE channel = ? ORDER BY due_at > ?, CASE WHEN due_at > ? THEN due_at ELSE heads.id END LIMIT 1"
            )
            async with db.execute(query, (channel, now, now)) as rows:
                row = await rows.fetchone()
            if row is None:
                return Wait(None)
            if row["due_at"] > now:
                return Wait(row["due_at"] - now)
            if (limited := await _limited(db, channel, per_minute, now)) > 0:
                return Wait(limited, limited=True)
            await db.execute("INSERT INTO attempts (channel, at) VALUES (?, ?)", (channel, now))
            await db.execute(
                "UPDATE deliveries SET state = 'sending', attempts = attempts + 1, changed_at = ? WHERE id = ?",
                (now, row["id"]),
            )
            return Delivery(
                id=row["id"],
                notification_id=row["notification_id"],
                channel=channel,
                title=row["title"],
                page=row["page"],
                trace=row["trace"],
                attempts=row["attempts"] + 1,
                received_at=row["received_at"],
                expires_at=row["expires_at"],
            )

    async def sent(self, delivery: Delivery) -> None:
        """Note that the vendor has taken the page."""
        await self._set(delivery, "sent", None, time.time())

    async def retry(self, delivery: Delivery, reason: str, after: float) -> None:
        """Note that the page has to be sent again, `after` seconds from now."""
        await self._set(delivery, "waiting", reason, time.time() + after)

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """Note that the page was given up: a dead letter."""
        await self._set(delivery, "dead", reason, time.time())

    async def pause(self, channel: str, seconds: float) -> None:
        """Send nothing on this channel for so long."""
        now = time.time()
        async with self._database.transaction() as db:
            await db.execute(
                "INSERT INTO pauses (channel, until) VALUES (?, ?) ON CONFLICT DO UPDATE SET until = excluded.until",
                (channel, now + seconds),
            )

    async def recover(self) -> int:
        """After a start: what was being sent when the last process ended is sent once more. Returns how many."""
        now = time.time()
        async with self._database.transaction() as db:
            cursor = await db.execute(
                "UPDATE deliveries SET state = 'waiting', due_at = ?, changed_at = ? WHERE state = 'sending'",
                (now, now),
            )
            return cursor.rowcount

    async def release_standby(self, after: float) -> bool:
        """Let email go where no chat has delivered after `after` seconds or each has given up; drop it where one has.

        Returns whether any mail became due.
        """
        now = time.time()
        async with self._database.transaction() as db:
            await db.execute(f"DELETE FROM deliveries WHERE state = 'standby' AND notification_id IN ({_HEARD})")  # noqa: S608 - a constant
            cursor = await db.execute(
                "UPDATE deliveries SET state = 'waiting', due_at = :now, expires_at = :expires, changed_at = :now"  # noqa: S608 - as above
                f" WHERE state = 'standby' AND (changed_at <= :late OR notification_id IN ({_LOST}))",
                {"now": now, "expires": now + self._lifetime, "late": now - after},
            )
            return cursor.rowcount > 0

    async def counts(self) -> dict[tuple[str, str], int]:
        """How many deliveries there are by channel and state; those that were sent are left out."""
        query = "SELECT channel, state, count(*) AS n FROM deliveries WHERE state != 'sent' GROUP BY channel, state"
        async with self._database.transaction() as db, db.execute(query) as rows:
            return {(row["channel"], row["state"]): row["n"] async for row in rows}

    async def oldest(self) -> dict[str, float]:
        """Since when the oldest undelivered page of each channel waits."""
        query = (
            "SELECT channel, min(received_at) AS since"
            " FROM deliveries JOIN notifications ON notifications.id = notification_id"
            " WHERE state IN ('waiting', 'sending') GROUP BY channel"
        )
        async with self._database.transaction() as db, db.execute(query) as rows:
            return {row["channel"]: row["since"] async for row in rows}

    async def purge(self) -> None:
        """Forget what is over."""
        now = time.time()
        async with self._database.transaction() as db:
            await db.execute("DELETE FROM attempts WHERE at < ?", (now - RATE_WINDOW_SECONDS,))
            await db.execute("DELETE FROM deliveries WHERE state = 'sent' AND changed_at < ?", (now - _KEPT_SECONDS,))
            await db.execute(
                "DELETE FROM deliveries WHERE state = 'dead' AND changed_at < ?", (now - _KEPT_DEAD_SECONDS,)
            )
            await db.execute(
                "DELETE FROM notifications WHERE received_at < ?"
                " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE notification_id = notifications.id)",
                (now - _KEPT_SECONDS,),
            )

    async def _set(self, delivery: Delivery, state: str, reason: str | None, due: float) -> None:
        async with self._database.transaction() as db:
            await db.execute(
                "UPDATE deliveries SET state = ?, last_error = ?, due_at = ?, changed_at = ? WHERE id = ?",
                (state, reason, due, time.time(), delivery.id),
            )


# Where mail stands by: a chat whose pages were all sent has told people; one with a dead page has not.
_CHATS = f"""
    SELECT notification_id, min(state = 'sent') AS told, max(state = 'dead') AS lost FROM deliveries
    WHERE channel != '{EMAIL}' AND notification_id IN (SELECT notification_id FROM deliveries WHERE state = 'standby')
    GROUP BY notification_id, channel
"""  # noqa: S608 - constants
_HEARD = f"SELECT notification_id FROM ({_CHATS}) GROUP BY notification_id HAVING max(told)"  # noqa: S608 - as above
_LOST = f"SELECT notification_id FROM ({_CHATS}) GROUP BY notification_id HAVING min(lost)"  # noqa: S608 - as above


async def _limited(db: Connection, channel: str, per_minute: int | None, now: float) -> float:
    """Return the seconds until the vendor's limits allow another page; 0 or less is now.

    A window over what was really sent, not a bucket: one that holds 20 and refills 20 a minute lets 39 through in one.
    """
    async with db.execute("SELECT until FROM pauses WHERE channel = ?", (channel,)) as rows:
        row = await rows.fetchone()
    wait = min(row["until"] - now, 3_600.0) if row else 0.0  # bounded, in case the clock was set back
    if per_minute is not None:
        query = "SELECT at FROM attempts WHERE channel = ? ORDER BY at DESC LIMIT 1 OFFSET ?"
        async with db.execute(query, (channel, per_minute - 1)) as rows:
            row = await rows.fetchone()
        if row:
            wait = max(wait, min(row["at"] + RATE_WINDOW_SECONDS - now, RATE_WINDOW_SECONDS))
    return wait
