"""Jaeger with TRACES_KEPT_PERCENT=1: all traces with an error and all slow ones are kept, one in 100 of the rest."""

import math
import secrets
import struct
import time
from collections import Counter
from collections.abc import Iterator

import pytest
import requests
from beside import Container, beside
from clients import Jaeger, Stack, eventually
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context

SERVICE = "sampled-service"
DOORS = (4317, 4318, 14268)  # OTLP over gRPC and over HTTP, and Thrift for clients from before OpenTelemetry
ORDINARY, SPECIAL = 10_000, 100
WAIT = 10  # seconds until Jaeger decides; the setting's 30 would only make the test longer
LATE = 6  # seconds by which the end of some traces comes after the rest: within the wait, beyond a batch's time
SECOND = 1_000_000_000

# Four and a half standard deviations of a binomial distribution: beyond them one run in 150,000.
EXPECTED = ORDINARY / 100
SPREAD = 4.5 * math.sqrt(ORDINARY * 0.01 * 0.99)


@pytest.fixture(scope="module")
def jaeger(stack: Stack) -> Iterator[Container]:
    """Jaeger by the stack's own configuration, but that it stores in memory: nothing of this is left behind."""
    in_memory = [
        "--config=yaml:extensions::jaeger_storage::backends::memory::memory::max_traces: 100000",
        "--config=yaml:extensions::jaeger_query::storage::traces: memory",
        "--config=yaml:exporters::jaeger_storage_exporter::trace_storage: memory",
    ]
    settings = {"TRACES_KEPT_PERCENT": "1", "TRACES_DECISION_WAIT": f"{WAIT}s"}
    with beside(
        stack, "jaeger", *in_memory, ports=[16686, *DOORS], settings=settings, ready="/api/services"
    ) as container:
        yield container


class Sender:
    """Sends traces of a request and the work in it, by the SDK, as an application would."""

    def __init__(self, container: Container) -> None:
        exporter = OTLPSpanExporter(endpoint=f"http://{container.ports[4317]}", insecure=True)
        self.provider = TracerProvider(resource=Resource({"service.name": SERVICE}), shutdown_on_exit=False)
        self.provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=100_000, schedule_delay_millis=100)
        )
        self.tracer = self.provider.get_tracer("test")

    def begin(self, name: str) -> tuple[Span, int]:
        """Start a request, and finish the work in it."""
        now = time.time_ns()
        request = self.tracer.start_span(name, kind=SpanKind.SERVER, start_time=now)
        work = self.tracer.start_span("work", context=set_span_in_context(request), start_time=now)
        work.end(now + SECOND // 100)
        return request, now

    def send(self, name: str, *, milliseconds: int = 20, failed: bool = False) -> None:
        """Send a whole trace."""
        self.finish(*self.begin(name), milliseconds=milliseconds, failed=failed)

    @staticmethod
    def finish(request: Span, began: int, *, milliseconds: int, failed: bool) -> None:
        """End a request: it took so long, and failed or not."""
        if failed:
            request.set_status(Status(StatusCode.ERROR))
        request.end(began + milliseconds * SECOND // 1000)


@pytest.fixture(scope="module")
def kept(jaeger: Container) -> Counter[str]:
    """How many traces of each kind Jaeger has in the end; each must be whole."""
    sender = Sender(jaeger)
    for _ in range(ORDINARY):
        sender.send("ordinary")
    for _ in range(SPECIAL):
        sender.send("error", failed=True)
        sender.send("slow", milliseconds=1200)
    assert sender.provider.force_flush()
    late = [sender.begin(name) for name in ("late error", "late and slow") for _ in range(SPECIAL)]
    assert sender.provider.force_flush()
    time.sleep(LATE)
    for number, (request, began) in enumerate(late):
        failed = number < SPECIAL
        sender.finish(request, began, milliseconds=50 if failed else LATE * 1000, failed=failed)
    sender.provider.shutdown()
    time.sleep(WAIT + 3)
    traces = jaeger.http(16686).get("/api/traces", service=SERVICE, limit=ORDINARY, lookback="1h")["data"]
    assert {len(trace["spans"]) for trace in traces} == {2}
    names = [span["operationName"] for trace in traces for span in trace["spans"]]
    return Counter(name for name in names if name != "work")


@pytest.mark.parametrize("kind", ["error", "slow", "late error", "late and slow"])
def test_every_trace_with_an_error_and_every_slow_one_is_kept(kept: Counter[str], kind: str) -> None:
    assert kept[kind] == SPECIAL


def test_of_the_rest_about_one_in_a_hundred_is_kept(kept: Counter[str]) -> None:
    assert EXPECTED - SPREAD <= kept["ordinary"] <= EXPECTED + SPREAD


@pytest.mark.usefixtures("kept")
def test_the_span_metrics_count_all_of_them(jaeger: Container) -> None:
    def counted() -> bool:
        series = [
            line
            for line in jaeger.read("http://127.0.0.1:8889/metrics").splitlines()
            if line.startswith("traces_span_metrics_calls_total{") and "SPAN_KIND_SERVER" in line
        ]
        counts = dict.fromkeys(("ordinary", "error", "slow"), 0.0)
        for line in series:
            for name in counts:
                if f'span_name="{name}"' in line:
                    counts[name] += float(line.rsplit(" ", 1)[1])
        assert counts == {"ordinary": ORDINARY, "error": SPECIAL, "slow": SPECIAL}
        return True

    eventually(counted, within=40, what="every request in the span metrics")


def over_http(address: str, trace_id: str) -> requests.Response:
    """One slow span as OTLP in JSON."""
    now = time.time_ns()
    span = {"traceId": trace_id, "spanId": "00f067aa0ba902b7", "name": "over HTTP", "kind": 2}
    span |= {"startTimeUnixNano": str(now - 2 * SECOND), "endTimeUnixNano": str(now)}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": SERVICE}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    return requests.post(f"http://{address}/v1/traces", json=body, timeout=10)


def over_thrift(address: str, trace_id: str) -> requests.Response:
    """One slow span as Jaeger's own Batch, in Thrift's binary protocol: type, field id, value; 0 ends a struct."""

    def text(field: int, value: str) -> bytes:
        return struct.pack(">bhi", 11, field, len(value)) + value.encode()

    def long(field: int, value: int) -> bytes:
        return struct.pack(">bhq", 10, field, value)

    high, low = (int.from_bytes(bytes.fromhex(half), "big", signed=True) for half in (trace_id[:16], trace_id[16:]))
    process = text(1, SERVICE) + b"\0"
    ids = long(1, low) + long(2, high) + long(3, 7) + long(4, 0)
    began = time.time_ns() // 1000 - 2_000_000
    flags = struct.pack(">bhi", 8, 7, 1)
    span = ids + text(5, "over Thrift") + flags + long(8, began) + long(9, 2_000_000) + b"\0"
    batch = struct.pack(">bh", 12, 1) + process + struct.pack(">bhbi", 15, 2, 12, 1) + span + b"\0"
    headers = {"Content-Type": "application/vnd.apache.thrift.binary"}
    return requests.post(f"http://{address}/api/traces", data=batch, headers=headers, timeout=10)


def test_the_other_doors_are_open(jaeger: Container) -> None:
    trace_ids = [secrets.token_hex(16), secrets.token_hex(16)]
    for send, door, trace_id in ((over_http, 4318, trace_ids[0]), (over_thrift, 14268, trace_ids[1])):
        answer = send(jaeger.ports[door], trace_id)
        assert answer.ok, answer.text
    stored = Jaeger(jaeger.http(16686).url)
    for trace_id in trace_ids:
        trace = eventually(lambda trace_id=trace_id: stored.trace(trace_id), within=WAIT + 10, what="the trace")
        assert [span["duration"] for span in trace["spans"]] == [2_000_000]
