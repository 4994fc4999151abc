"""Start and stop what a process has once: log writer, tracer provider, samplers."""

import gc
import time

from observability import logs, traces
from observability.metrics import infrastructure, runtime
from observability.settings import LogSettings, read_settings

_COLLECT_AFTER = 10_000
"""Objects. A round over so many takes about a millisecond; garbage in cycles waits for it a little longer."""
_DEFAULTS = {700, 2_000}
"""Python's own, before 3.13 and since."""


class _Process:
    service: str | None = None


def start(*, service: str, version: str | None = None, log: LogSettings | None = None) -> None:
    """Set up logging, tracing and the samplers of this process. Settings are read from the environment unless given.

    Call it in the lifespan (the event-loop lag is measured only when a loop runs) or in `__main__`. A second call
    before `shutdown` does nothing. A wrong setting ends the process with code 2 and a line on stderr. Python's garbage
    collector is spared walks that find nothing: see `_spare_the_collector`; a threshold that is not Python's own stays.
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
    """Keep Python's garbage collector from looking where it never finds anything. Safe to call again.

    It walks over all that a process has from its start, time and again, and what this library imports makes that walk
    longer: `gc.freeze` takes it out. And it starts a round whenever there are 700 objects more than at the last one
    (2,000 since Python 3.13). Some requests at once come and go in such numbers, with the lines and spans that wait
    here, and leave no garbage. Both together were a fifth of the CPU of a request with a database query.
    """
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()
    young, *older = gc.get_threshold()
    if young in _DEFAULTS:
        gc.set_threshold(_COLLECT_AFTER, *older)


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
