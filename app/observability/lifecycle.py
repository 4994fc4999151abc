"""Start and stop what a process has once: log writer, tracer provider, samplers."""

import time

from observability import logs, traces
from observability.metrics import infrastructure, runtime
from observability.settings import LogSettings, read_settings


class _Process:
    service: str | None = None


def start(*, service: str, version: str | None = None, log: LogSettings | None = None) -> None:
    """Set up logging, tracing and the samplers of this process. Settings are read from the environment unless given.

    Call it in the lifespan (the event-loop lag is measured only when a loop runs) or in `__main__`. A second call
    before `shutdown` does nothing. A wrong setting ends the process with code 2 and a line on stderr.
    """
    if _Process.service is not None:
        return
    logs.configure(log or read_settings(LogSettings), service)
    traces.configure(service, version)
    infrastructure.sampler.start()
    runtime.watch_loop()
    _Process.service = service


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
