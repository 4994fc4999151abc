from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
import timeit
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from fastapi import FastAPI, HTTPException
from opentelemetry import baggage, trace
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as pb_grpc
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

import observability
from observability import traced
from observability.logs.pipeline import pipeline
from observability.logs.shape import Shape
from observability.traces import here
from observability.traces.processor import CountingProcessor

Change = Callable[..., float]
TRACE = "0af7651916cd43dd8448eb211c80319c"


class SoldOut(Exception):  # noqa: N818 - an answer, no error
    """The service says no, as it should."""

    refusal = True


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    observability.install(app, service="test-service")

    @app.get("/orders/{order_id}")
    async def order(order_id: str) -> dict[str, Any]:
        observability.bind_user("u-1")
        with traced("loadOrder", order_id=order_id, coupon_code="X1", nothing=None):
            observability.get_logger("shop").info("inside")
            return {"tenant": baggage.get_baggage("tenant"), "trace": f"{here().trace_id:032x}"}

    @app.get("/boom")
    async def boom() -> None:
        with traced("outer"), traced("inner"):
            raise ValueError("password=hunter2")

    @app.get("/refused")
    async def refused() -> None:
        raise HTTPException(503)

    @app.get("/answer/{status}")
    async def answer(status: int) -> None:
        with traced("ask"):
            raise HTTPException(status)

    @app.get("/nobody-answers")
    async def nobody_answers() -> None:
        with traced("ask"):
            raise SoldOut

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


async def test_one_server_span_with_current_names_and_a_child(
    client: httpx.AsyncClient, spans: Any, lines: Any
) -> None:
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "baggage": "tenant=acme", "user-agent": "tester"}
    response = await client.get("/orders/o7?token=abc&next=%2F%3Fpwd%3Dabc", headers=headers)
    assert response.json() == {"tenant": "acme", "trace": TRACE}
    child, server = spans.get_finished_spans()
    assert (server.name, server.kind, f"{server.parent.span_id:016x}") == (
        "GET /orders/{order_id}",
        SpanKind.SERVER,
        "b7ad6b7169203331",
    )
    assert dict(server.attributes) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/orders/{order_id}",
        "url.path": "/orders/o7",
        "url.query": "token=[REDACTED]&next=/?pwd=[REDACTED]",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "server.address": "test",
        "client.address": "127.0.0.1",
        "user_agent.original": "tester",
        "user.id": "u-1",
    }
    assert child.parent.span_id == server.context.span_id
    assert dict(child.attributes) == {"order.id": "o7", "app.coupon_code": "X1"}
    read = lines()
    assert {line["trace_id"] for line in read} == {TRACE}
    assert [line["span_id"] for line in read] == [f"{span.context.span_id:016x}" for span in (server, child, server)]


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [
        ("shop.example.com", "shop.example.com", None),
        ("shop.example.com:8443", "shop.example.com", 8443),
        ("[::1]:3000", "::1", 3000),
        ("[::1]", "::1", None),
        ("shop:http", "shop:http", None),
        ("", "test", None),
    ],
)
async def test_the_server_is_named_as_the_client_named_it(
    client: httpx.AsyncClient, spans: Any, host: str, address: str, port: int | None
) -> None:
    await client.get("/orders/o7", headers={"host": host})
    server = spans.get_finished_spans()[-1]
    assert (server.attributes["server.address"], server.attributes.get("server.port")) == (address, port)


async def test_an_unsampled_request_keeps_its_trace_id_in_the_logs(
    client: httpx.AsyncClient, spans: Any, lines: Any
) -> None:
    await client.get("/orders/o7", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-00"})
    assert spans.get_finished_spans() == ()
    assert {line["trace_id"] for line in lines()} == {TRACE}


async def test_log_lines_repeat_the_baggage_that_was_asked_for(
    client: httpx.AsyncClient, spans: Any, lines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "shape", Shape("test-service", "tenant, release"))
    await client.get("/orders/o7", headers={"baggage": f"tenant=acme,release={'s' * 300},card=4242424242424242"})
    await client.get("/orders/o7", headers={"baggage": "other=1"})
    await client.get("/orders/o7")
    found = [line["meta"].get("baggage") for line in lines()]
    assert len(spans.get_finished_spans()) == 6
    assert found == [{"tenant": "acme", "release": "s" * 200}] * 3 + [None] * 6


async def test_an_exception_is_recorded_once_and_redacted(client: httpx.AsyncClient, spans: Any) -> None:
    await client.get("/boom")
    inner, outer, server = spans.get_finished_spans()
    assert [span.status.status_code for span in (inner, outer, server)] == [StatusCode.ERROR] * 3
    assert [len(span.events) for span in (inner, outer, server)] == [1, 0, 0]
    assert inner.events[0].attributes["exception.message"] == "password=[REDACTED]"
    assert "hunter2" not in str([span.to_json() for span in (inner, outer, server)])
    assert server.attributes["error.type"] == "ValueError"


async def test_a_5xx_without_exception_is_an_error_and_a_4xx_is_not(client: httpx.AsyncClient, spans: Any) -> None:
    await client.get("/refused")
    await client.get("/nothing")
    refused, nothing = spans.get_finished_spans()
    assert (refused.status.status_code, refused.attributes["error.type"]) == (StatusCode.ERROR, "503")
    assert (nothing.name, nothing.status.status_code) == ("GET", StatusCode.UNSET)
    assert "http.route" not in nothing.attributes


async def test_a_refusal_is_no_error_of_the_operation(client: httpx.AsyncClient, spans: Any) -> None:
    await client.get("/answer/409")
    await client.get("/answer/503")
    refused, _, failed, _ = spans.get_finished_spans()
    assert (refused.status.status_code, refused.attributes["app.refusal"]) == (StatusCode.UNSET, "HTTPException")
    assert (len(refused.events), "error.type" in refused.attributes) == (0, False)
    assert (failed.status.status_code, failed.attributes["error.type"]) == (StatusCode.ERROR, "HTTPException")


async def test_a_refusal_that_nobody_answers_is_a_failed_request(client: httpx.AsyncClient, spans: Any) -> None:
    await client.get("/nobody-answers")
    ask, server = spans.get_finished_spans()
    assert (ask.status.status_code, ask.attributes["app.refusal"]) == (StatusCode.UNSET, "SoldOut")
    assert (server.status.status_code, server.attributes["error.type"]) == (StatusCode.ERROR, "SoldOut")
    assert [event.name for event in server.events] == ["exception"]


async def test_machines_questions_make_no_span(client: httpx.AsyncClient, spans: Any) -> None:
    await client.get("/metrics")
    await client.get("/healthz")
    assert spans.get_finished_spans() == ()


async def test_traced_decorates_sync_and_async_functions(spans: Any) -> None:
    @traced("add", order_id="o1")
    def add(a: int, b: int) -> int:
        return a + b

    @traced("addLater")
    async def add_later(a: int, b: int) -> int:
        await asyncio.sleep(0)
        return add(a, b)

    assert await asyncio.gather(add_later(1, 2), add_later(3, 4)) == [3, 7]
    assert asyncio.iscoroutinefunction(add_later)
    assert add.__name__ == "add"
    names = sorted(span.name for span in spans.get_finished_spans())
    assert names == ["add", "add", "addLater", "addLater"]
    by_id = {span.context.span_id: span for span in spans.get_finished_spans()}
    parents = {by_id[span.parent.span_id].name for span in by_id.values() if span.name == "add"}
    assert parents == {"addLater"}


async def test_links_and_roots(spans: Any) -> None:
    with traced("request"):
        origin = here()
        with traced("background", root=True, links=[origin]):
            pass
    background, _ = spans.get_finished_spans()
    assert background.parent is None
    assert background.context.trace_id != origin.trace_id
    assert [link.context for link in background.links] == [origin]


def test_off_it_costs_nothing_to_speak_of() -> None:
    @traced("x", order_id="1")
    def work() -> None: ...

    # the best of some: whatever else the machine does is not meant; a sampled request costs four times as much
    assert min(timeit.repeat(work, number=2_000, repeat=10, timer=time.process_time)) / 2_000 < 5e-6
    assert not trace.get_current_span().get_span_context().is_valid


class Broken(SpanExporter):
    def __init__(self) -> None:
        self.batches = 0

    def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002 - the interface's
        self.batches += 1
        time.sleep(0.05)
        return SpanExportResult.FAILURE if self.batches % 2 else SpanExportResult.SUCCESS


def test_every_span_is_either_exported_or_counted_as_dropped(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "50")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    reasons = ("queue_full", "export_failed", "shutdown")

    def dropped() -> list[float]:
        return [change("trace_spans_dropped_total", reason=reason) for reason in reasons]

    change("trace_spans_exported_total")
    dropped()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(CountingProcessor(Broken()))
    tracer = provider.get_tracer("t")
    for _ in range(1000):
        tracer.start_span("x").end()
    provider.shutdown()
    tracer.start_span("late").end()
    lost = dropped()
    assert change("trace_spans_exported_total") + sum(lost) == 1001
    assert all(count > 0 for count in lost)


def test_a_full_queue_keeps_what_came_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "50")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "50")
    away, sent = threading.Event(), []

    class Away(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            away.wait(10)
            sent.extend(span.name for span in spans)
            return SpanExportResult.SUCCESS

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(CountingProcessor(Away()))
    tracer = provider.get_tracer("t")
    for number in range(1000):
        tracer.start_span(str(number)).end()
    away.set()
    provider.shutdown()
    assert sent[-50:] == [str(number) for number in range(950, 1000)]
    assert len(sent) <= 100  # and the batch that was under way


def test_an_endpoint_that_is_away_delays_the_stop_by_little() -> None:
    code = """
        import time, observability
        from observability.metrics.traces import spans_dropped
        observability.start(service="t")
        for _ in range(100):
            with observability.traced("x"):
                pass
        started = time.monotonic()
        observability.shutdown(2)
        assert time.monotonic() - started < 4, time.monotonic() - started
        lost = sum(sample.value for family in spans_dropped.collect() for sample in family.samples)
        assert lost == 100, lost
    """
    run(code, "http://127.0.0.1:1")


class Sink(pb_grpc.TraceServiceServicer):
    def __init__(self) -> None:
        self.names: list[str] = []
        self.resource: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.attributes: dict[str, set[str]] = {}

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self.headers = dict(context.invocation_metadata())
        for resource in request.resource_spans:
            self.resource = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                self.names.append(span.name)
                self.attributes[span.name] = {pair.key for pair in span.attributes}
        return pb.ExportTraceServiceResponse()


@pytest.fixture
def sink() -> Iterator[tuple[Sink, str]]:
    """A real OTLP endpoint."""
    sink = Sink()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    pb_grpc.add_TraceServiceServicer_to_server(sink, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield sink, f"http://127.0.0.1:{port}"
    server.stop(0).wait()


def test_an_outgoing_request_is_a_span_and_carries_the_context(sink: tuple[Sink, str]) -> None:
    code = """
        import asyncio, httpx, observability
        from opentelemetry import baggage, context
        from observability.traces import here

        async def main():
            heads = []
            async def serve(reader, writer):
                heads.append((await reader.readuntil(b"\\r\\n\\r\\n")).decode().lower())
                writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
                writer.close()
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            observability.start(service="shop")
            context.attach(baggage.set_baggage("tenant", "acme"))
            async with httpx.AsyncClient() as client:
                with observability.traced("pay"):
                    trace = f"{here().trace_id:032x}"
                    await client.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x")
            assert f"traceparent: 00-{trace}-" in heads[0], heads
            assert "baggage: tenant=acme" in heads[0], heads
            await asyncio.to_thread(observability.shutdown)

        asyncio.run(main())
    """
    run(code, sink[1])
    assert sorted(sink[0].names) == ["GET", "pay"]
    assert {"http.request.method", "http.response.status_code", "server.address"} <= sink[0].attributes["GET"]
    assert "http.method" not in sink[0].attributes["GET"]


def test_what_was_finished_is_flushed_at_the_stop(sink: tuple[Sink, str]) -> None:
    code = """
        import observability, os, opentelemetry.trace
        observability.start(service="shop", version="1.2.3")
        for number in range(1500):
            with observability.traced(f"span-{number}"):
                pass
        observability.shutdown(5)
        observability.shutdown(5)
    """
    run(code, sink[1], OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=demo")
    assert sorted(sink[0].names) == sorted(f"span-{number}" for number in range(1500))
    assert sink[0].resource["service.name"] == "shop"
    assert sink[0].resource["service.version"] == "1.2.3"
    assert sink[0].resource["deployment.environment.name"] == "demo"
    assert sink[0].resource["service.instance.id"]


@pytest.mark.parametrize(
    ("variable", "value", "kind"),
    [
        ("OTEL_TRACES_SAMPLER", "always_on", "LightSpan"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1", "_Span"),
        ("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true", "_Span"),
    ],
)
def test_spans_are_light_unless_only_the_sdks_know_what_is_set(
    sink: tuple[Sink, str], variable: str, value: str, kind: str
) -> None:
    code = f"""
        import observability
        observability.start(service="shop")
        with observability.traced("x", order_id="1", user_id="2") as span:
            assert type(span).__name__ == "{kind}", type(span)
        observability.shutdown(5)
    """
    run(code, sink[1], **{variable: value})
    limited = variable == "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT"
    assert sink[0].attributes["x"] == ({"user.id"} if limited else {"order.id", "user.id"})


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"])
def test_a_header_for_the_endpoint_may_come_from_a_file(variable: str, tmp_path: Path, sink: tuple[Sink, str]) -> None:
    (tmp_path / "headers").write_text("api-key=secret-of-the-file\n")
    code = """
        import observability
        observability.start(service="shop")
        with observability.traced("x"):
            pass
        observability.shutdown(5)
    """
    run(code, sink[1], **{f"{variable}_FILE": str(tmp_path / "headers")})
    assert sink[0].headers["api-key"] == "secret-of-the-file"


def run(code: str, endpoint: str, **environment: str) -> None:
    env = {**os.environ, "PYTHONPATH": "app", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "LOG_CONSOLE": "off"}
    env |= {"LOG_PATH": "/tmp/observability-test-logs", "OTEL_EXPORTER_OTLP_INSECURE": "true", **environment}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=env, timeout=60, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
