"""Spans as OTLP's protobuf, written here where a span is plain: the exporter's own way takes half of a span's price.

Light spans come as records (`observability.spans`), in which everything is plain; of the SDK's spans, one with events,
links, a trace state or an attribute that is neither text nor number goes the exporter's way nevertheless.
What is written here is read by protobuf before it is sent; a test holds it equal to what the exporter would have sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, Tracer
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from observability.spans import Record
from observability.traces.conventions import describe

_fixed64 = Struct("<Q").pack
_double = Struct("<d").pack
_SCALARS = frozenset({str, int, float, bool})
_INT64_LEAST, _INT64_MOST = -(2**63), 2**63 - 1
_FLAGS_LOCAL = b"\x85\x01\x00\x01\x00\x00"  # flags: it is known whether the parent is remote, and it is not
_FLAGS_REMOTE = b"\x85\x01\x00\x03\x00\x00"


class _Origin(NamedTuple):
    """Where spans come from. The objects are kept so that no other gets their ids."""

    resource: Any
    scope: Any
    resource_bytes: bytes
    resource_schema: bytes
    scope_bytes: bytes
    scope_schema: bytes


_origins: dict[tuple[int, int], _Origin] = {}


class Encoder:
    """Makes requests of finished spans."""

    tracer: Tracer
    """Whose the records are."""

    def encode(self, spans: Sequence[ReadableSpan | Record]) -> ExportTraceServiceRequest:
        """Return the request that exports the spans."""
        plain: dict[tuple[int, int], list[bytes]] = {}
        others: list[ReadableSpan] = []
        records: list[bytes] = []
        for span in spans:
            if isinstance(span, tuple):
                if (written := _record(span)) is None:
                    others.append(self._readable(span))
                else:
                    records.append(_field(b"\x12", written))
            elif (written := _span(span)) is None:
                others.append(span)
            else:
                key = _origin(span.resource, span.instrumentation_scope)
                plain.setdefault(key, []).append(_field(b"\x12", written))
        if records:
            key = _origin(self.tracer.resource, self.tracer._instrumentation_scope)  # noqa: SLF001 - it has no public name
            plain.setdefault(key, []).extend(records)
        request: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(
            b"".join(_from_one_origin(_origins[key], written) for key, written in plain.items())
        )
        if others:
            request.MergeFrom(encode_spans(others))  # repeated fields are put one after the other
        return request

    def _readable(self, record: Record) -> ReadableSpan:
        """Return a record as the SDK's own kind of span."""
        trace_id, span_id, parent_id, remote, kind, start, end, name, attributes = record
        if type(attributes) is tuple:
            name, attributes = describe(*attributes)
        flags = TraceFlags(TraceFlags.SAMPLED)
        return ReadableSpan(
            name,
            SpanContext(trace_id, span_id, False, flags),  # noqa: FBT003 - is_remote
            SpanContext(trace_id, parent_id, remote, flags) if parent_id else None,
            self.tracer.resource,
            BoundedAttributes(attributes=attributes),
            kind=SpanKind(kind),
            start_time=start,
            end_time=end,
            instrumentation_scope=self.tracer._instrumentation_scope,  # noqa: SLF001 - it has no public name
        )


def _from_one_origin(origin: _Origin, spans: Iterable[bytes]) -> bytes:
    scope = _field(b"\x0a", origin.scope_bytes) + b"".join(spans) + origin.scope_schema
    return _field(b"\x0a", _field(b"\x0a", origin.resource_bytes) + _field(b"\x12", scope) + origin.resource_schema)


def _origin(resource: Any, scope: Any) -> tuple[int, int]:
    """Let the exporter's encoding say what resource and scope look like, once; return where that is kept."""
    key = (id(resource), id(scope))
    if key not in _origins:
        span = ReadableSpan("", SpanContext(1, 1, False), resource=resource, instrumentation_scope=scope)  # noqa: FBT003 - is_remote
        encoded = encode_spans([span]).resource_spans[0]
        inner = encoded.scope_spans[0]
        _origins[key] = _Origin(
            resource,
            scope,
            encoded.resource.SerializeToString(),
            _text(b"\x1a", encoded.schema_url),
            inner.scope.SerializeToString(),
            _text(b"\x1a", inner.schema_url),
        )
    return key


def _record(record: Record) -> bytes | None:
    """Return a light span's message; None for one that the exporter has to look at."""
    trace_id, span_id, parent_id, remote, kind, start, end, name, attributes = record
    if type(attributes) is tuple:
        name, attributes = describe(*attributes)
    return _message(trace_id, span_id, parent_id, remote, kind, start, end, name, attributes)


def _span(span: ReadableSpan) -> bytes | None:
    """Return the span's message; None for one that is not plain."""
    context, parent, status = span.get_span_context(), span.parent, span.status
    attributes = span.attributes.copy() if span.attributes else {}  # type: ignore[attr-defined]  # a proxy of a mapping that has it
    if (
        context is None
        or context.trace_state
        or span.events
        or span.links
        or span.dropped_attributes
        or span.dropped_events
        or span.dropped_links
        or not span.start_time
        or not span.end_time
        or not all(type(value) in _SCALARS for value in attributes.values())
    ):
        return None
    return _message(
        context.trace_id,
        context.span_id,
        parent.span_id if parent else 0,
        bool(parent and parent.is_remote),
        span.kind.value,
        span.start_time,
        span.end_time,
        span.name,
        attributes,
        status.description or "",
        status.status_code.value,
    )


def _message(  # noqa: PLR0913, PLR0917 - what a span is
    trace_id: int,
    span_id: int,
    parent_id: int,
    remote: bool,  # noqa: FBT001 - by position, as in a record
    kind: int,
    start: int,
    end: int,
    name: str,
    attributes: Mapping[str, Any],
    description: str = "",
    code: int = 0,
) -> bytes | None:
    """Return a span's message; None for broken UTF-8 or too large a number: the exporter's own way knows them."""
    try:
        return b"".join(
            (
                b"\x0a\x10",
                trace_id.to_bytes(16, "big"),
                b"\x12\x08",
                span_id.to_bytes(8, "big"),
                b"\x22\x08" + parent_id.to_bytes(8, "big") if parent_id else b"",
                _text(b"\x2a", name),
                b"\x30",
                _length(kind + 1),
                b"\x39",
                _fixed64(start),
                b"\x41",
                _fixed64(end),
                *[_attribute(key, value) for key, value in attributes.items()],
                _field(b"\x7a", _text(b"\x12", description) + _number(b"\x18", code)),
                _FLAGS_REMOTE if remote else _FLAGS_LOCAL,
            )
        )
    except (ValueError, TypeError, OverflowError):
        return None


@lru_cache(maxsize=4_096, typed=True)  # methods, routes, addresses, statements repeat
def _attribute(key: str, value: str | float) -> bytes:
    if isinstance(value, str):
        encoded = b"\x0a" + _length(len(data := value.encode())) + data
    elif isinstance(value, bool):
        encoded = b"\x10\x01" if value else b"\x10\x00"
    elif isinstance(value, float):
        encoded = b"\x21" + _double(value)
    elif _INT64_LEAST <= value <= _INT64_MOST:  # not `in range(…)`: for an IntEnum that counts up to it
        encoded = b"\x18" + _length(value & (2**64 - 1))
    else:
        raise OverflowError(key)
    return _field(b"\x4a", _text(b"\x0a", key) + _field(b"\x12", encoded))


def _field(tag: bytes, data: bytes) -> bytes:
    return tag + _length(len(data)) + data


def _text(tag: bytes, text: str) -> bytes:
    return _field(tag, text.encode()) if text else b""


def _number(tag: bytes, number: int) -> bytes:
    return tag + _length(number) if number else b""


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


_short = tuple(map(_varint, range(1024)))


def _length(number: int) -> bytes:
    return _short[number] if number < 1024 else _varint(number)  # noqa: PLR2004 - what the table has
