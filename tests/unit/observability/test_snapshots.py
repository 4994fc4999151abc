from __future__ import annotations

import random
import re

import httpx
import pytest
from fastapi import FastAPI, Response
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

import observability
from observability.cache import CacheRecorder, hit_rate
from observability.metrics import infrastructure
from observability.metrics.models import BaseMetric, Snapshot
from observability.metrics.reading import average, quantile, ratio, total
from observability.metrics.router import snapshot_router


def histogram(*values: float) -> Histogram:
    made = Histogram("h", "h", ["route"], buckets=(0.1, 0.5, 1, 2), registry=CollectorRegistry())
    for number, value in enumerate(values):
        made.labels(str(number % 2)).observe(value)
    return made


@pytest.mark.parametrize(
    ("q", "values", "expected"),
    [
        # By hand, from PromQL's rule: linear inside of the bucket, lowest bucket from 0, beyond the last its bound.
        (0.5, [0.05, 0.05, 0.05, 0.05], 0.05),
        (0.5, [0.05, 0.3, 0.3, 0.7], 0.1 + 0.4 * (2 - 1) / 2),
        (0.95, [0.05] * 19 + [0.7], 0.1),
        (0.99, [5.0], 2.0),
        (1.0, [0.3], 0.5),
    ],
)
def test_quantiles_are_estimated_as_prometheus_does(q: float, values: list[float], expected: float) -> None:
    assert quantile(q, histogram(*values)) == pytest.approx(expected)


def test_a_quantile_is_within_its_bucket() -> None:
    values = [random.Random(seed).expovariate(3) for seed in range(500)]
    for q in (0.5, 0.9, 0.95, 0.99):
        estimate, exact = quantile(q, histogram(*values)), sorted(values)[int(q * 500) - 1]
        assert estimate is not None
        bounds = (0.0, 0.1, 0.5, 1, 2)
        assert sum(b < estimate for b in bounds) == sum(b < min(exact, 2) for b in bounds)


def test_what_was_never_observed_is_unknown() -> None:
    assert quantile(0.5, histogram()) is None
    assert average(histogram()) is None
    assert ratio(0, 0) is None
    counter = Counter("c", "c", ["a", "b"], registry=CollectorRegistry())
    assert total(counter) == 0
    counter.labels("1", "2").inc(3)
    counter.labels("1", "3").inc(4)
    assert (total(counter), total(counter, a="1"), total(counter, b="2"), total(counter, a="9")) == (7, 7, 3, 0)
    gauge = Gauge("g", "g", registry=CollectorRegistry())
    gauge.set(5)
    assert total(gauge) == 5


def test_the_hit_rate_is_computed() -> None:
    recorder = CacheRecorder("test-rate")
    assert hit_rate("test-rate") is None
    for hit in (True, True, True, False):
        recorder.lookup(hit=hit)
    assert hit_rate("test-rate") == 0.75
    with recorder.operation("get"), pytest.raises(KeyError), recorder.operation("set"):
        raise KeyError
    labels = {"operation": "set", "cache_type": "test-rate"}
    assert REGISTRY.get_sample_value("cache_operation_duration_seconds_count", labels) == 1
    recorder.watch(lambda: 30, lambda: 120)
    recorder.evicted(2)
    assert REGISTRY.get_sample_value("cache_used", {"cache_type": "test-rate"}) == 30
    assert REGISTRY.get_sample_value("cache_evictions_total", {"cache_type": "test-rate"}) == 2


class Orders(BaseMetric):
    unit: str = "orders"


class Business(Snapshot):
    orders: Orders


def business() -> Business:
    return Business(orders=Orders(name="orders", value=None))


async def test_the_endpoints_agree_with_the_scrape() -> None:
    app = FastAPI()
    observability.install(app, service="test-service")
    app.include_router(snapshot_router(business, Business))

    @app.get("/snapshot-test/{status}")
    async def answer(status: int) -> Response:
        return Response(status_code=status)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        for status in (200, 200, 200, 404, 500):
            await client.get(f"/snapshot-test/{status}")
        await client.get("/nothing")
        answer_ = (await client.get("/api/v1/metrics/application")).json()
        scraped = (await client.get("/metrics")).text
        empty = (await client.get("/api/v1/metrics/business")).json()
    http = answer_["http"]["details"]
    series = re.findall(r'^http_requests_total\{.*route="(.*)",status_code="(\d+)"\} (\S+)$', scraped, re.MULTILINE)
    asked = {"/metrics", "unmatched", "/healthz", "/readyz"}
    counted = [
        (int(code), float(value))
        for route, code, value in series
        if route not in asked and not route.startswith("/api/v1/metrics/")
    ]
    assert http["total"] == sum(value for _, value in counted)
    assert http["error"] == sum(value for code, value in counted if code >= 400)
    assert http["success"] + http["error"] == http["total"] == answer_["http"]["value"]
    assert http["success_rate"] == pytest.approx(100 * http["success"] / http["total"], abs=0.001)
    assert 0 < http["p95"] <= http["p99"]
    assert answer_["scope"] == "process"
    assert empty["orders"]["value"] is None


async def test_infrastructure_is_unknown_first_and_then_read() -> None:
    sampler = infrastructure.Sampler()
    sampler.sample()
    sum(range(2_000_000))  # something to measure
    sampler.sample()
    read = infrastructure.snapshot()
    assert read.cpu.value is not None
    assert 0 <= read.cpu.value <= 100
    assert read.cpu.details.idle == pytest.approx(100 - read.cpu.value, abs=0.01)
    memory = read.memory.details
    assert memory.total
    assert memory.used
    assert 0 < memory.used < memory.total
    assert read.network.details["lo"].rx_bytes is not None
    assert read.cpu.tags.keys() == {"host", "region"}
    assert REGISTRY.get_sample_value("memory_usage_bytes", {"kind": "used"}) == memory.used
