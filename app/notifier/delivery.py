"""Workers: one a channel, so that none waits for another; and the keeper, who lets mail stand in and tidies up."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import suppress

from opentelemetry.trace import SpanContext, TraceFlags

from notifier import metrics
from notifier.channels import Channel, Refused, Unavailable
from notifier.outbox import EMAIL, Delivery, Outbox, Wait
from observability import get_logger, traced

_BACKOFF_MAX_SECONDS = 60.0
_KEEPER_SECONDS = 1.0
_PURGE_SECONDS = 3_600.0
_TROUBLE_SECONDS = 1.0

_log = get_logger(__name__)


class Worker:
    """Sends one channel's pages, one after the other."""

    def __init__(self, channel: Channel, outbox: Outbox, *, backoff: float) -> None:
        self.channel = channel
        self._outbox = outbox
        self._backoff = backoff
        self._news = asyncio.Event()
        self._ends = False
        self._was_limited = False

    def wake(self) -> None:
        """Say that something may have become due."""
        self._news.set()

    def end(self) -> None:
        """Let `run` return after the page that is being sent."""
        self._ends = True
        self._news.set()

    async def run(self) -> None:
        """Send until `end`."""
        while not self._ends:
            self._news.clear()
            try:
                claimed = await self._outbox.claim(self.channel.name, self.channel.per_minute)
                if isinstance(claimed, Delivery):
                    await self._deliver(claimed)
                    continue
            except Exception:  # noqa: BLE001 - a full disk must not end the worker: with space again it goes on
                _log.exception("Outbox failed, trying again", channel=self.channel.name)
                claimed = Wait(_TROUBLE_SECONDS)
            await self._sleep(claimed)

    async def _sleep(self, wait: Wait) -> None:
        if wait.limited and not self._was_limited:
            metrics.limit_waits.labels(self.channel.name).inc()
        self._was_limited = wait.limited
        if self._ends:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(wait.seconds):
                await self._news.wait()

    async def _deliver(self, delivery: Delivery) -> None:
        channel = self.channel
        with traced(
            "deliverNotification",
            root=True,
            links=_links(delivery.trace),
            channel=channel.name,
            notification_id=delivery.notification_id,
            attempt=delivery.attempts,
        ) as span:
            started = time.perf_counter()
            result, reason, pause = "delivered", "", 0.0
            try:
                await channel.send(delivery.title, delivery.page, delivery.notification_id)
            except Refused as error:
                result, reason = "failed", str(error)
            except Unavailable as error:
                result, reason, pause = "retried", str(error), error.pause
            except Exception as error:  # noqa: BLE001 - a bug in a channel must not send the same page over and over
                _log.exception("Channel failed in an unforeseen way", channel=channel.name)
                result, reason = "failed", f"unforeseen: {type(error).__name__}"
            metrics.attempt_duration.labels(channel.name).observe(time.perf_counter() - started)
            delay = max(pause, self._delay(delivery.attempts))
            if result == "retried" and time.time() + delay > delivery.expires_at:
                result = "failed"
            span.set_attribute("app.result", result)
        await self._record(delivery, result, reason, delay, pause)

    async def _record(self, delivery: Delivery, result: str, reason: str, delay: float, pause: float) -> None:
        channel = self.channel.name
        if pause:
            await self._outbox.pause(channel, pause)
        if result == "delivered":
            await self._outbox.sent(delivery)
            metrics.delay.labels(channel).observe(max(0.0, time.time() - delivery.received_at))
        elif result == "retried":
            await self._outbox.retry(delivery, reason, delay)
        else:
            await self._outbox.bury(delivery, reason)
        metrics.notifications.labels(channel, result).inc()
        log = _log.info if result == "delivered" else _log.warning if result == "retried" else _log.error
        more = {"reason": reason} if reason else {}
        log(
            f"Notification {result}",
            channel=channel,
            notificationId=delivery.notification_id,
            attempt=delivery.attempts,
            **more,
        )

    def _delay(self, attempts: int) -> float:
        """Return the pause after so many attempts: doubled each time, with jitter so that replicas spread out."""
        exponent = min(attempts - 1, 10)  # beyond, only the maximum counts
        pause = min(self._backoff * 2.0**exponent, _BACKOFF_MAX_SECONDS)
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter


class Deliveries:
    """All channels' workers together."""

    def __init__(
        self, channels: Sequence[Channel], outbox: Outbox, *, backoff: float, fallback_after: float, patience: float
    ) -> None:
        self._workers = {channel.name: Worker(channel, outbox, backoff=backoff) for channel in channels}
        self._outbox = outbox
        self._fallback_after = fallback_after
        self._patience = patience
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def channels(self) -> list[Channel]:
        """The channels that are set up."""
        return [worker.channel for worker in self._workers.values()]

    def wake(self) -> None:
        """Say that the outbox has news."""
        for worker in self._workers.values():
            worker.wake()

    def dead_tasks(self) -> list[str]:
        """Name the tasks that have ended although nobody asked them to."""
        return [task.get_name() for task in self._tasks if task.done()]

    async def start(self) -> None:
        """Send what the last process left, then what comes."""
        if left := await self._outbox.recover():
            _log.warning("Sending again what was in flight when the last process ended", messages=left)
        for name, worker in self._workers.items():
            self._tasks.append(asyncio.create_task(worker.run(), name=name))
        self._tasks.append(asyncio.create_task(self._keep(), name="keeper"))

    async def stop(self) -> None:
        """Let each worker finish the page it sends; what takes too long is sent again at the next start."""
        for worker in self._workers.values():
            worker.end()
        *workers, keeper = self._tasks
        keeper.cancel()
        if workers:
            await asyncio.wait(workers, timeout=self._patience)
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for channel in self.channels:
            await channel.close()

    async def _keep(self) -> None:
        purged = 0.0
        while True:
            try:
                if await self._outbox.release_standby(self._fallback_after):
                    _log.warning("No chat has delivered in time, email stands in")
                    self._workers[EMAIL].wake()
                await self._measure()
                if time.monotonic() - purged > _PURGE_SECONDS:
                    await self._outbox.purge()
                    purged = time.monotonic()
            except Exception:  # noqa: BLE001 - as in the workers
                _log.exception("Outbox failed, trying again")
            await asyncio.sleep(_KEEPER_SECONDS)

    async def _measure(self) -> None:
        counts = await self._outbox.counts()
        oldest = await self._outbox.oldest()
        for name in metrics.CHANNELS:
            waiting = counts.get((name, "waiting"), 0) + counts.get((name, "sending"), 0)
            metrics.outbox_depth.labels(name).set(waiting)
            metrics.outbox_age.labels(name).set(oldest.get(name, 0.0))
            metrics.dead_letters.labels(name).set(counts.get((name, "dead"), 0))
            metrics.enabled.labels(name).set(name in self._workers)


def _links(trace: str | None) -> list[SpanContext]:
    """Return the webhook's span, which `trace` names."""
    if not trace:
        return []
    trace_id, span_id = (int(part, 16) for part in trace.split("-"))
    return [SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))]
