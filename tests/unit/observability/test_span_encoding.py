"""What is written by hand is what the exporter would have sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from observability.traces.encoding import Encoder, _span

EXPORTER = InMemorySpanExporter()
PROVIDER = TracerProvider(resource=Resource({"service.name": "test", "number": 7}, "https://schema.example/1"))
PROVIDER.add_span_processor(SimpleSpanProcessor(EXPORTER))
TRACERS = [PROVIDER.get_tracer("one"), PROVIDER.get_tracer("two", "1.2", schema_url="https://schema.example/2")]

values = st.one_of(
    *(st.text(max_size=300), st.integers(), st.floats(allow_nan=False), st.booleans()),
    st.lists(st.integers(-5, 5), max_size=3),
)
spans = st.fixed_dictionaries(
    {
        "tracer": st.sampled_from(TRACERS),
        "name": st.text(max_size=2_000),
        "kind": st.sampled_from(SpanKind),
        "attributes": st.dictionaries(st.text(min_size=1, max_size=20), values, max_size=12),
        "status": st.sampled_from(
            [
                Status(),
                Status(StatusCode.OK),
                Status(StatusCode.ERROR, "bröken"),
                Status(StatusCode.ERROR),
            ]
        ),
        "parent": st.sampled_from(["none", "local", "remote", "stateful"]),
        "event": st.booleans(),
        "link": st.booleans(),
    }
)


def make(  # noqa: PLR0913 - what a span has
    *, tracer: Any, name: str, kind: SpanKind, attributes: Any, status: Status, parent: str, event: bool, link: bool
) -> None:
    state = TraceState([("vendor", "1")]) if parent == "stateful" else None
    above = SpanContext(2**127 + 1, 2**63 + 1, parent != "local", TraceFlags(1), state)
    context = None if parent == "none" else set_span_in_context(NonRecordingSpan(above))
    links = [Link(above, {"a": 1})] if link else []
    with tracer.start_as_current_span(name, context, kind, attributes, links) as span:
        span.set_status(status)
        if event:
            span.add_event("happened", {"b": "c"})


def finished() -> tuple[ReadableSpan, ...]:
    found = EXPORTER.get_finished_spans()
    EXPORTER.clear()
    return found


def by_span(request: Any) -> dict[bytes, Any]:
    """Each span with all that stands around it, however they are grouped."""
    return {
        span.span_id: (resource.resource, resource.schema_url, scope.scope, scope.schema_url, span)
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }


@settings(max_examples=150, deadline=None)
@given(st.lists(spans, min_size=1, max_size=6))
def test_the_request_is_what_the_exporter_would_send(many: list[dict[str, Any]]) -> None:
    EXPORTER.clear()
    for one in many:
        make(**one)
    made = finished()
    try:
        expected = by_span(encode_spans(made))
    except (ValueError, TypeError, OverflowError, UnicodeEncodeError):
        return  # what the exporter refuses is not ours to send
    assert by_span(Encoder().encode(made)) == expected


@pytest.mark.parametrize("kind", [SpanKind.SERVER, SpanKind.CLIENT])
def test_a_plain_span_goes_the_short_way(kind: SpanKind) -> None:
    EXPORTER.clear()
    ours: dict[str, Any] = {"http.route": "/a", "http.response.status_code": 200, "share": 0.5, "yes": True}
    plain: dict[str, Any] = {"attributes": ours, "status": Status(), "event": False, "link": False}
    make(tracer=TRACERS[0], name="GET /a", kind=kind, parent="remote", **plain)
    assert _span(finished()[0]) is not None
