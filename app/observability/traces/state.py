"""Whether tracing is on, and what starts spans: read at every span, so kept as cheap as a global."""

from collections.abc import Callable

from opentelemetry import trace

_off = trace.NoOpTracer()


class State:
    """`on` is False until the SDK is configured, and after it was shut down."""

    on = False
    start_span: Callable[..., trace.Span] = staticmethod(_off.start_span)
    """LightTracer's where it can be, else a tracer's of the SDK: called with name, context, kind and `links`."""
    propagation_headers: frozenset[bytes] = frozenset()
    """Lower-case names of the headers that carry a context in."""


state = State()
