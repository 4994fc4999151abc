"""Spans that cost little while they are plain; whatever else is done with one, the SDK's own span takes over.

The SDK's span has two locks, a checked dictionary and two lists, and is copied when it ends: five times the price of
what is here, paid at each request, and its garbage makes Python's collector run over the whole heap more often. A
plain span of ours is its ids, its times and a dictionary that nobody changes; it goes into the exporter's queue as a
tuple of such, and becomes protobuf in the exporter's thread (`encoding`).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from random import getrandbits
from time import time_ns
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk import trace as sdk
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

Record = tuple[int, int, int, bool, int, int, int, str, Any]
"""A finished span: trace id, span id, parent's span id (0: none), whether that is remote, kind, start, end, name, and
its attributes: a mapping, or a tuple that `conventions.describe` makes name and attributes of.

A plain tuple of plain values: Python's garbage collector does not follow those."""

NOTHING = otel_context.Context()
"""The context of a root: nothing is above it, whatever is current."""

_SAMPLED = TraceFlags.SAMPLED
_RANDOM = TraceFlags.RANDOM_TRACE_ID
_LOW = 2**64 - 1
_log = logging.getLogger(__name__)


class _Whole(sdk.Span):
    """The SDK's span. It lets nobody make its own class, but one that inherits."""


class LightSpan(Span):
    """A span of LightTracer's: current, read and written like any other."""

    # Of a class, not of each span: most keep them.
    attributes_given: Mapping[str, Any] = {}
    is_remote = False
    _context: SpanContext | None = None
    _ended = False
    _whole: sdk.Span | None = None

    def __init__(  # noqa: PLR0913, PLR0917 - what a span is; by position, which is cheaper
        self,
        tracer: "LightTracer",
        name: str,
        kind: SpanKind,
        above: "LightSpan | SpanContext | None",
        trace_id: int,
        span_id: int,
        flags: int,
    ) -> None:
        self._tracer = tracer
        self._name = name
        self._kind = kind
        self._above = above
        self.trace_id = trace_id
        self.span_id = span_id
        self.flags = flags
        self._start = time_ns()

    def get_span_context(self) -> SpanContext:
        """Return the ids as the API has them; most spans are never asked."""
        context = self._context
        if context is None:
            context = self._context = SpanContext(self.trace_id, self.span_id, False, TraceFlags(self.flags))  # noqa: FBT003 - is_remote
        return context

    def is_recording(self) -> bool:
        """Return whether it is sampled, and has not ended."""
        return bool(self.flags & _SAMPLED) and not self._ended

    @property
    def sampled(self) -> bool:
        """Whether it will be exported."""
        return bool(self.flags & _SAMPLED)

    def is_plain(self) -> bool:
        """Return whether nothing has been done with it that needs the SDK's span, nor will at its end."""
        return self._whole is None and self._tracer.take is not None

    def child(self, name: str, kind: SpanKind, start_time: int = 0) -> "LightSpan":
        """Start a child, now by default. It is sampled when this is: each of the samplers would say the same again."""
        span = LightSpan(self._tracer, name, kind, self, self.trace_id, getrandbits(64) or 1, self.flags)
        if start_time:
            span._start = start_time
        return span

    def takes_leaves(self) -> bool:
        """Return whether `leaf` may be called: it is sampled, and its children are plain."""
        return bool(self.flags & _SAMPLED) and self._tracer.take is not None and not self._tracer.is_watched()

    def leaf(self, name: str, attributes: Mapping[str, Any], kind: SpanKind, start_time: int) -> None:
        """Hand on a child that has ended now, without ever having been an object (see `put` of its attributes)."""
        if take := self._tracer.take:
            ids = (self.trace_id, getrandbits(64) or 1, self.span_id, False)
            take((*ids, kind.value, start_time, time_ns(), name, attributes))

    def put(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes whose keys are texts of ours and whose values are texts and numbers.

        The mapping must never change.
        """
        if self._whole is not None:
            self._whole.set_attributes(attributes)
        elif self.attributes_given:
            self.attributes_given = {**self.attributes_given, **attributes}
        else:
            self.attributes_given = attributes

    def update_name(self, name: str) -> None:
        """Change the name."""
        self._name = name
        if self._whole is not None:
            self._whole.update_name(name)

    def end(self, end_time: int | None = None) -> None:
        """End it, and hand it on when it is sampled."""
        if self.is_plain():
            self.end_as(self._name, self.attributes_given, end_time)
        elif self.is_recording():
            self.whole().end(end_time)
            self._ended = True

    def end_as(self, name: str, attributes: Any, end_time: int | None = None) -> None:
        """End a plain span, with these attributes (see Record)."""
        if self._ended:
            _log.warning("Calling end() on an ended span.")
            return
        self._ended = True
        if self.flags & _SAMPLED and self._tracer.take is not None:
            above = self._above
            self._tracer.take(
                (
                    self.trace_id,
                    self.span_id,
                    0 if above is None else above.span_id,
                    above is not None and above.is_remote,
                    self._kind.value,
                    self._start,
                    end_time or time_ns(),
                    name,
                    attributes,
                )
            )

    def whole(self) -> sdk.Span:
        """Return the SDK's span, which everything goes to from now on."""
        whole = self._whole
        if whole is None:
            above, tracer = self._above, self._tracer.sdk
            whole = self._whole = _Whole(
                self._name,
                self.get_span_context(),
                above.get_span_context() if type(above) is LightSpan else above,  # type: ignore[arg-type]  # mypy does not narrow by type()
                resource=tracer.resource,
                kind=self._kind,
                span_processor=tracer.span_processor,
                limits=tracer._span_limits,  # noqa: SLF001 - it has no public name
                instrumentation_scope=tracer._instrumentation_scope,  # noqa: SLF001 - nor has this
            )
            whole.start(self._start)
            whole.set_attributes(self.attributes_given)
        return whole

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute."""
        if writable := self._writable():
            writable.set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set several attributes."""
        if writable := self._writable():
            writable.set_attributes(attributes)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """Add an event."""
        if writable := self._writable():
            writable.add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        """Add a link."""
        if writable := self._writable():
            writable.add_link(context, attributes)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status."""
        if writable := self._writable():
            writable.set_status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Any = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002 - the API's
    ) -> None:
        """Add an event that tells of the exception."""
        if writable := self._writable():
            writable.record_exception(exception, attributes, timestamp, escaped)

    def __getattr__(self, name: str) -> Any:
        """Answer as the SDK's span whatever else that has: `attributes`, `parent`, `resource` and so on."""
        if name.startswith("_") or not self.flags & _SAMPLED:
            raise AttributeError(name)
        return getattr(self.whole(), name)

    def _writable(self) -> sdk.Span | None:
        """Return the SDK's span; None when nothing is recorded (any more)."""
        if not self.flags & _SAMPLED:
            return None
        if self._ended and self._whole is None:
            _log.warning("Changing an ended span.")
            return None
        return self.whole()


class LightTracer:
    """Starts light spans wherever nothing is special, the SDK's spans elsewhere.

    Special are links, a trace state, a local parent that is not ours, and processors that someone added to the SDK's.
    The sampler is one of the six of the specification (`bound`: how many of 2^64 trace ids it takes).
    """

    def __init__(
        self, tracer: sdk.Tracer, *, parent_based: bool, bound: int, take: Callable[[Record], None] | None
    ) -> None:
        self.sdk = tracer
        self.take = take
        self._parent_based = parent_based
        self._bound = bound
        self._processors = tracer.span_processor._span_processors  # noqa: SLF001 - a tuple, replaced when one is added

    def start_span(
        self,
        name: str,
        context: otel_context.Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[Link] = (),
    ) -> Span:
        """Start a span: a child of the context's, or of the current one; a root when there is none."""
        if not links and not self.is_watched():
            if context is NOTHING:
                return self.root(name, kind)
            above = trace.get_current_span(context)
            if type(above) is LightSpan:
                return above.child(name, kind)
            parent = above.get_span_context()
            if not parent.is_valid:
                return self.root(name, kind)
            if parent.is_remote and not parent.trace_state:
                flags = int(parent.trace_flags)
                sampled = flags & _SAMPLED if self._parent_based else self._samples(parent.trace_id)
                return LightSpan(
                    *(self, name, kind, parent),
                    *(parent.trace_id, getrandbits(64) or 1, flags & _RANDOM | sampled),
                )
        return self.sdk.start_span(name, context, kind, links=links)

    def is_watched(self) -> bool:
        """Return whether somebody has added a processor, which has to see spans start."""
        return self.sdk.span_processor._span_processors is not self._processors  # noqa: SLF001 - see above

    def root(self, name: str, kind: SpanKind) -> LightSpan:
        """Start a trace."""
        bits = getrandbits(192)
        trace_id = bits >> 64 or 1
        return LightSpan(self, name, kind, None, trace_id, bits & _LOW or 1, _RANDOM | self._samples(trace_id))

    def _samples(self, trace_id: int) -> int:
        return _SAMPLED if trace_id & _LOW < self._bound else 0


def put(span: Span, attributes: Mapping[str, str | float]) -> None:
    """Set attributes whose keys are texts of ours and whose values are texts and numbers. The mapping must not change.

    On a light span this costs next to nothing: it does not look at them.
    """
    if type(span) is LightSpan:
        span.put(attributes)
    else:
        span.set_attributes(attributes)
