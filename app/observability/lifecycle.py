"""Start and stop what a process has once: log writer, tracer provider, samplers."""

import gc
import time

from observability import logs, traces
from observability.metrics import infrastructure, runtime
from observability.settings import LogSettings, read_settings


class _Process:
    service: str | None = None


def start(*, service: str, version: str | None = None, log: LogSettings | None = None) -> None:
    """Set up logging, tracing and the samplers of this process. Settings are read from the environment unless given.

    Call it in the lifespan (the event-loop lag is measured only when a loop runs) or in `__main__`. A second call
    before `shutdown` does nothing. A wrong setting ends the process with code 2 and a line on stderr. What exists now
    (modules, classes, the application) is taken out of the garbage collector's rounds: see `_spare_the_collector`.
    """
    if _Process.service is not None:
        return
    logs.configure(log or read_settings(LogSettings), service)
    traces.configure(service, version)
    infrastructure.sampler.start()
    runtime.watch_loop()
    _Process.service = service
    _spare_the_collector()


def _spare_the_collector() -> None:
    """Freeze what a process has from its start (`gc.freeze`), once.

    Python's collector walks over all of it time and again and never finds anything there. With some requests at once
    that was a tenth of the CPU of one with a database query, and what this library imports makes the walk longer.
    """
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()


def shutdown(timeout: float = 5.0) -> None:
    """Flush spans and log lines, then stop; blocks at most about `timeout` seconds. Safe to call twice."""
    if _Process.service is None:
        return
    _Process.service = None
    ends = time.monotonic() + timeout
    runtime.stop()
    infrastructure.sampler.stop()
    traces.shutdown(timeout * 0.7)  # an endpoint that is away must leave time for the log lines
    logs.shutdown(max(0.5, ends - time.monotonic()))
