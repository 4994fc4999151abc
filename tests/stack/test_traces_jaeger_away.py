"""Jaeger is away while a shop works: no request fails or waits for it, and what is lost is counted, span for span."""

import re
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median, quantiles

import load
import pytest
import requests
from beside import Container, beside
from clients import Http, Stack, eventually
from customer import Customer

SPANS = 3  # of GET /orders/{order_id}: the request and its two statements
REASONS = ("queue_full", "export_failed", "shutdown")
BACK_WITHIN = 45  # seconds until spans flow again: the SDK's batch and back-off, gRPC's next look at DNS


@dataclass(frozen=True)
class Pair:
    """A shop and a Jaeger of its own, on the stack's database and Elasticsearch: nobody else is disturbed."""

    stack: Stack
    shop: Container
    jaeger: Container
    customer: Customer
    order: str

    def load(self, *, rate: float, seconds: float) -> load.Load:
        """Look at an order again and again."""
        ids = [secrets.token_hex(16) for _ in range(int(rate * seconds))]
        url = f"{self.shop.http(3000).url}/api/v1/orders/{self.order}"
        headers = {"Authorization": f"Bearer {self.customer.token}"}
        return load.asyncio.run(load.steady(url, headers, rate=rate, seconds=seconds, trace_ids=ids))

    def counter(self, name: str) -> dict[str, float]:
        """A counter of the shop, by its label `reason` (or by nothing)."""
        text = requests.get(f"{self.shop.http(3000).url}/metrics", timeout=10).text
        found = re.findall(rf'^{name}(?:{{reason="(\w+)"}})? (\S+)$', text, re.MULTILINE)
        return {reason: float(value) for reason, value in found}

    def dropped(self) -> float:
        """All spans that the shop gave up."""
        return sum(self.counter("trace_spans_dropped_total").values())

    def exported(self) -> float:
        """All spans that Jaeger has taken."""
        return self.counter("trace_spans_exported_total")[""]

    def stored(self) -> int:
        """All spans of the shop's process that stand in Elasticsearch."""
        instance = {"process.tags.key": "service.instance.id"}, {"process.tags.value": f"{self.shop.hostname}-1"}
        of_it = {"bool": {"filter": [{"term": term} for term in instance]}}
        body = {
            "size": 0,
            "track_total_hits": True,
            "query": {"nested": {"path": "process.tags", "query": of_it}},
        }
        total = self.stack.elasticsearch.search("jaeger-span-*", body)["hits"]["total"]["value"]
        return int(total)

    def away(self, seconds: float) -> threading.Thread:
        """Stop Jaeger now, and start it after so many seconds."""

        def stop_and_start() -> None:
            self.jaeger.stop()
            time.sleep(seconds)
            self.jaeger.start()

        thread = threading.Thread(target=stop_and_start)
        thread.start()
        return thread

    def settled(self, requested: int) -> None:
        """Wait until each span of so many requests is either in Jaeger or counted as lost."""

        def every_span_is_accounted_for() -> bool:
            assert self.exported() + self.dropped() == SPANS * requested
            assert self.stored() == self.exported()
            return True

        eventually(every_span_is_accounted_for, within=BACK_WITHIN, every=1, what="made = stored + dropped")


@pytest.fixture
def pair(stack: Stack) -> Iterator[Pair]:
    customer = Customer(Http(stack.shop.url))
    order = customer.order()
    assert order.status == 201, order.body
    with beside(stack, "jaeger", ports=[16686], ready="/api/services") as jaeger:
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{jaeger.name}:4317",
            "HOUSEKEEPING_INTERVAL_SECONDS": "3600",  # it would be a trace that no request has made
        }
        with beside(stack, "app", ports=[3000], environment=settings, ready="/readyz") as shop:
            yield Pair(stack, shop, jaeger, customer, order.body["id"])


def test_what_is_lost_is_counted_and_traces_flow_again(pair: Pair) -> None:
    rate, absent = 60, 15
    stopped = pair.away(absent)
    during = pair.load(rate=rate, seconds=absent + 5)
    stopped.join()
    after = pair.load(rate=rate, seconds=3)
    assert set(during.statuses) == set(after.statuses) == {"200"}
    pair.settled(sum(map(len, (during.trace_ids, after.trace_ids))))
    dropped = pair.counter("trace_spans_dropped_total")
    assert dropped["export_failed"] + dropped["queue_full"] > 0, "nothing was lost: the test was too short"
    missing = [trace_id for trace_id in after.trace_ids if not pair.stack.jaeger.trace(trace_id)]
    assert not missing


def test_what_elasticsearch_refuses_is_counted(stack: Stack) -> None:
    """JaegerSpansDropped rests on it: to the exporter such spans are sent."""
    elasticsearch, index = stack.elasticsearch, "jaeger-span-2001-01-02"
    url, body = f"{elasticsearch.url}/{index}", {"settings": {"index": {"blocks": {"write": True}}}}
    elasticsearch.session.delete(url, auth=elasticsearch.auth, timeout=10)
    assert elasticsearch.session.put(url, json=body, auth=elasticsearch.auth, timeout=10).ok
    began = 978_393_600_000_000_000  # 2001-01-02
    span = {"traceId": secrets.token_hex(16), "spanId": secrets.token_hex(8), "name": "too late", "kind": 1}
    span |= {"startTimeUnixNano": str(began), "endTimeUnixNano": str(began + 1)}
    scopes = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}
    try:
        with beside(stack, "jaeger", ports=[16686, 4318], ready="/api/services") as jaeger:
            assert requests.post(f"{jaeger.http(4318).url}/v1/traces", json=scopes, timeout=10).ok

            def counted() -> bool:
                text = jaeger.read("http://127.0.0.1:8888/metrics")
                found = re.findall(r"^jaeger_storage_bulk_index_errors_total\{.*\} (\d+)$", text, re.MULTILINE)
                return sum(map(int, found)) >= 1

            eventually(counted, within=20, what="the refused span in jaeger_storage_bulk_index_errors_total")
    finally:
        elasticsearch.session.delete(
            f"{url},jaeger-service-2001-01-02?ignore_unavailable=true", auth=elasticsearch.auth, timeout=10
        )


def test_what_is_dropped_before_its_decision_is_counted(stack: Stack) -> None:
    """JaegerSpansDropped rests on it: more traces at once than tail sampling holds, and errors are lost, too."""
    began, sent, held = time.time_ns(), 100, 10
    spans = [
        {"traceId": secrets.token_hex(16), "spanId": secrets.token_hex(8), "name": "one of many", "kind": 2}
        | {"startTimeUnixNano": str(began), "endTimeUnixNano": str(began + 1)}
        for _ in range(sent)
    ]
    small = f"--config=yaml:processors::tail_sampling::num_traces: {held}"
    settings = {"TRACES_KEPT_PERCENT": "0", "TRACES_DECISION_WAIT": "1s"}
    with beside(stack, "jaeger", small, ports=[16686, 4318], settings=settings, ready="/api/services") as jaeger:
        for span in spans:
            scopes = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}
            assert requests.post(f"{jaeger.http(4318).url}/v1/traces", json=scopes, timeout=10).ok

        def counted() -> bool:
            text = jaeger.read("http://127.0.0.1:8888/metrics")
            name = "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total"
            assert sum(map(int, re.findall(rf"^{name}{{.*}} (\d+)$", text, re.MULTILINE))) > 0
            return True

        eventually(counted, within=20, what="dropped traces in Jaeger's own metrics")


@pytest.mark.long
def test_a_minute_without_jaeger_again_and_again(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    rate, absent, pause = 60, 60, 12
    requested = len(pair.load(rate=rate, seconds=10).trace_ids)  # warm
    last: list[str] = []
    with_it: list[float] = []
    without: list[float] = []
    for round_ in range(7):
        gone = round_ % 2 == 1
        stopped = pair.away(absent) if gone else None
        for _ in range(3 if gone else 2):
            run = pair.load(rate=rate, seconds=absent / 3)
            requested, last = requested + len(run.trace_ids), run.trace_ids
            assert set(run.statuses) == {"200"}, run.statuses
            (without if gone else with_it).append(run.p95)
        if stopped:
            stopped.join()
            time.sleep(pause)
    pair.settled(requested)
    assert not [trace_id for trace_id in last if not pair.stack.jaeger.trace(trace_id)], "traces do not flow again"
    figures = {
        "p95 with Jaeger, ms": [round(1000 * seconds, 1) for seconds in with_it],
        "p95 without, ms": [round(1000 * seconds, 1) for seconds in without],
        "spans made": SPANS * requested,
        "stored": pair.stored(),
        "dropped": pair.counter("trace_spans_dropped_total"),
    }
    with capsys.disabled():
        sys.stdout.write(f"\n{figures}\n")
    # medians: whatever else this machine does spoils single runs of either kind
    assert median(without) <= max(1.25 * median(with_it), quantiles(with_it, n=4)[2])
