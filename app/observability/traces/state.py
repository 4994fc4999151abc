"""Whether tracing is on, and the tracer: read at every span, so kept as cheap as a global."""

from opentelemetry import trace


class State:
    """`on` is False until the SDK is configured, and after it was shut down."""

    on = False
    tracer: trace.Tracer = trace.NoOpTracer()
    propagation_headers: frozenset[bytes] = frozenset()
    """Lower-case names of the headers that carry a context in."""


state = State()
