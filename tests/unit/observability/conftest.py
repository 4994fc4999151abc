from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from observability import logs
from observability.logs.pipeline import pipeline
from observability.settings import LogSettings
from observability.spans import LightTracer
from observability.traces.encoding import Encoder
from observability.traces.state import state

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def lines(tmp_path: Path) -> Iterator[Lines]:
    """The real way of the lines, into a folder of the test's own; calling it flushes and reads them."""
    settings = LogSettings(log_path=str(tmp_path / "logs"), log_console="off")
    logs.configure(settings, "test-service")

    def read() -> list[dict[str, Any]]:
        if pipeline.writer is not None:
            logs.shutdown(5)
        file = tmp_path / "logs" / "combined.log"
        return [orjson.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []

    yield read
    logs.shutdown(5)
    logs.set_level("INFO")


@pytest.fixture(scope="session")
def provider() -> TracerProvider:
    made = TracerProvider()
    trace.set_tracer_provider(made)
    return made


@pytest.fixture(params=["records", "light", "sdk"])
def spans(provider: TracerProvider, request: pytest.FixtureRequest) -> Iterator[InMemorySpanExporter]:
    """Tracing on, with the SDK's own in-memory exporter; light spans and the SDK's are held to the same.

    `records` is what runs where spans go to OTLP: plain spans are handed on as records.
    """
    exporter = InMemorySpanExporter()
    processor = SimpleSpanProcessor(exporter)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("observability")
    assert isinstance(tracer, Tracer)
    encoder = Encoder()
    encoder.tracer = tracer
    take = {"records": lambda record: exporter.export([encoder._readable(record)])}.get(request.param)
    light = LightTracer(tracer, parent_based=True, bound=2**64, take=take)
    state.start_span = tracer.start_span if request.param == "sdk" else light.start_span
    state.propagation_headers = frozenset(name.encode() for name in propagate.get_global_textmap().fields)
    state.on = True
    yield exporter
    state.on = False
    provider._active_span_processor._span_processors = ()  # the SDK cannot take one off


@pytest.fixture
def change() -> Callable[..., float]:
    """How much a series has changed since the test began to look at it."""
    before: dict[Any, float] = {}

    def changed(name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        value = REGISTRY.get_sample_value(name, labels) or 0.0
        return value - before.setdefault(key, value)

    return changed
