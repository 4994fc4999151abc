"""Start and stop what a process has once: log writer, tracer provider, samplers."""

from observability.settings import LogSettings


def start(*, service: str, log: LogSettings | None = None) -> None:
    """Set up logging, tracing and the samplers of this process. Settings are read from the environment unless given.

    Call it in the lifespan (the event-loop lag is measured only when a loop runs) or in `__main__`. A second call
    before `shutdown` does nothing. A wrong setting ends the process with code 2 and a line on stderr.
    """
    raise NotImplementedError(service, log)


def shutdown(timeout: float = 5.0) -> None:
    """Flush spans and log lines, then stop; blocks at most about `timeout` seconds. Safe to call twice."""
    raise NotImplementedError(timeout)
