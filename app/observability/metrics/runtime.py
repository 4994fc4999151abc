"""The series of the Python process. prometheus_client's own collectors add process_*, python_gc_* and python_info."""

import asyncio
import gc
from time import perf_counter

from prometheus_client import Gauge, Histogram

from observability.metrics.clock import Clock

event_loop_lag = Histogram(
    "event_loop_lag_seconds",
    "How long a callback waited for the event loop, measured every second from outside of it.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
gc_pause = Histogram(
    "python_gc_pause_seconds",
    "Time that one garbage collection stopped the process.",
    ["generation"],
    buckets=(0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1),
)
tasks = Gauge("asyncio_tasks", "Tasks of the event loop that are not done.")

_pauses = tuple(gc_pause.labels(str(generation)) for generation in range(3))
_gc_started = 0.0


class _Loop:
    running: asyncio.AbstractEventLoop | None = None
    waiting = False


def watch_loop() -> None:
    """Measure the running event loop, and garbage collection, until `stop`."""
    if _on_gc not in gc.callbacks:
        gc.callbacks.append(_on_gc)
    try:
        _Loop.running = asyncio.get_running_loop()
    except RuntimeError:  # started outside of a loop: there is none to measure
        return
    _clock.start()


def stop() -> None:
    """Stop measuring."""
    _clock.stop()
    _Loop.running = None
    if _on_gc in gc.callbacks:
        gc.callbacks.remove(_on_gc)


def _ask() -> None:
    """Put a callback into the loop. A loop that has not run the last one yet will report the whole wait then."""
    loop = _Loop.running
    if loop is None or loop.is_closed() or _Loop.waiting:
        return
    asked = perf_counter()

    def answer() -> None:
        event_loop_lag.observe(perf_counter() - asked)
        tasks.set(len(asyncio.all_tasks(loop)))
        _Loop.waiting = False

    _Loop.waiting = True
    try:
        loop.call_soon_threadsafe(answer)
    except RuntimeError:  # it was closed just now
        _Loop.waiting = False


def _on_gc(phase: str, info: dict[str, int]) -> None:
    global _gc_started  # noqa: PLW0603 - the interpreter's callback has no other place; collections never overlap
    if phase == "start":
        _gc_started = perf_counter()
    else:
        _pauses[info["generation"]].observe(perf_counter() - _gc_started)


_clock = Clock("event-loop-lag", 1.0, _ask)
