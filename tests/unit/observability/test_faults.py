from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import psutil
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from pydantic import SecretStr
from settling import settled

import observability
from observability import faults
from observability.faults import FaultSettings
from observability.faults.model import FaultName
from observability.faults.store import MemoryStore
from observability.faults.switches import Switches, switches
from observability.logs.writer import Writer

Change = Callable[..., float]
TOKEN = {"authorization": "Bearer let-me-in"}
URL = "/internal/faults"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    settings = FaultSettings(faults_enabled=True, faults_token=SecretStr("let-me-in"))

    @app.get("/items/{item}")
    async def item(item: str) -> str:
        return item

    @app.get("/other")
    async def other() -> bool:
        return faults.active("payment_declines")

    @app.get("/healthz")
    async def healthz() -> None: ...

    observability.install(app, service="test-service", faults=settings)
    switches.use(MemoryStore())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made
        for name in list(switches.running):
            await switches.remove(name)
    switches.enabled = False


async def test_without_being_enabled_there_is_no_switch() -> None:
    app = FastAPI()
    observability.install(app, service="test-service", faults=FaultSettings(faults_enabled=False))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get(URL, headers=TOKEN)).status_code == 404


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "Basic let-me-in"}])
async def test_the_token_is_asked_for(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for response in (
        await client.get(URL, headers=headers),
        await client.put(f"{URL}/errors", headers=headers, json={}),
        await client.delete(f"{URL}/errors", headers=headers),
    ):
        assert response.status_code == 401
    assert not switches.running


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("unknown", {}),
        ("errors", {"share": 1.5}),
        ("errors", {"seconds": 3601}),
        ("errors", {"sahre": 1}),
        ("errors", {"delay": 1}),
        ("memory_growth", {"share": 0.5}),
        ("pool_exhaustion", {"route": "/other"}),
        ("pool_exhaustion", {"share": 0}),
    ],
)
async def test_a_wrong_fault_is_refused(client: httpx.AsyncClient, name: str, body: dict[str, Any]) -> None:
    assert (await client.put(f"{URL}/{name}", headers=TOKEN, json=body)).status_code == 422


async def test_errors_hit_their_route_under_its_template_and_only_while_on(
    client: httpx.AsyncClient, change: Change, lines: Any
) -> None:
    labels = {"method": "GET", "route": "/items/{item}", "status_code": "500"}
    change("http_requests_total", **labels)
    await client.put(f"{URL}/errors", headers=TOKEN, json={"route": "/items/{item}"})
    assert REGISTRY.get_sample_value("fault_active", {"fault": "errors"}) == 1
    assert [fault["name"] for fault in (await client.get(URL, headers=TOKEN)).json()] == ["errors"]
    assert (await client.get("/items/1")).status_code == 500
    assert (await client.get("/other")).status_code == 200
    assert (await client.delete(f"{URL}/errors", headers=TOKEN)).status_code == 204
    assert (await client.get("/items/1")).status_code == 200
    assert change("http_requests_total", **labels) == 1
    assert REGISTRY.get_sample_value("fault_active", {"fault": "errors"}) == 0
    told = [line["meta"]["event"] for line in lines() if line["logger"] == "observability.faults.switches"]
    assert told == ["fault.started", "fault.ended"]


async def test_errors_on_every_route_spare_the_machines(client: httpx.AsyncClient) -> None:
    await client.put(f"{URL}/errors", headers=TOKEN, json={})
    statuses = [(await client.get(path, headers=TOKEN)).status_code for path in ("/other", "/healthz", "/metrics", URL)]
    assert statuses == [500, 200, 200, 200]


async def test_a_share_is_a_share(client: httpx.AsyncClient) -> None:
    await client.put(f"{URL}/errors", headers=TOKEN, json={"share": 0.3})
    statuses = [(await client.get("/other")).status_code for _ in range(300)]
    assert 50 < statuses.count(500) < 130  # five standard deviations


async def test_a_share_of_the_pool_is_what_the_service_asks_for(client: httpx.AsyncClient) -> None:
    assert faults.share("pool_exhaustion") == 0
    await client.put(f"{URL}/pool_exhaustion", headers=TOKEN, json={"share": 0.9, "seconds": 0.3})
    assert faults.share("pool_exhaustion") == 0.9
    await asyncio.sleep(0.35)
    assert faults.share("pool_exhaustion") == 0


async def test_latency_is_in_both_times(client: httpx.AsyncClient, change: Change) -> None:
    labels = {"method": "GET", "route": "/other", "status_code": "200"}
    names = ("http_response_time_seconds_sum", "http_request_duration_seconds_sum")
    for name in names:
        change(name, **labels)
    await client.put(f"{URL}/latency", headers=TOKEN, json={"delay": 0.2, "route": "/other"})
    await client.get("/other")
    assert all(change(name, **labels) > 0.2 for name in names)


async def test_the_service_asks_and_a_fault_ends_by_itself(client: httpx.AsyncClient) -> None:
    assert (await client.get("/other")).json() is False
    await client.put(f"{URL}/payment_declines", headers=TOKEN, json={"seconds": 0.3, "route": "/other"})
    assert (await client.get("/other")).json() is True
    assert not faults.active("payment_declines")  # outside of its route
    await asyncio.sleep(0.35)
    assert (await client.get("/other")).json() is False
    await asyncio.sleep(1.1)
    assert REGISTRY.get_sample_value("fault_active", {"fault": "payment_declines"}) == 0


async def test_a_full_log_volume_ends_with_the_fault(client: httpx.AsyncClient, change: Change, lines: Any) -> None:
    change("log_lines_dropped_total", reason="write_error")
    await client.put(f"{URL}/log_volume_full", headers=TOKEN, json={})
    assert await settled(lambda: Writer.failure is not None)
    assert (await client.get("/other")).status_code == 200
    assert await settled(lambda: change("log_lines_dropped_total", reason="write_error") >= 2)
    await client.delete(f"{URL}/log_volume_full", headers=TOKEN)
    assert Writer.failure is None
    told = [line["message"] for line in lines() if line["meta"].get("event", "").startswith("fault.")]
    assert told == ["Fault started", "Fault ended"]


async def test_memory_growth_takes_memory_and_gives_all_of_it_back(client: httpx.AsyncClient) -> None:
    process = psutil.Process()
    before = process.memory_info().rss
    await client.put(f"{URL}/memory_growth", headers=TOKEN, json={})
    await asyncio.sleep(2.5)
    assert process.memory_info().rss - before > 15 * 2**20
    await client.delete(f"{URL}/memory_growth", headers=TOKEN)
    assert process.memory_info().rss - before < 4 * 2**20


async def test_replicas_follow_one_store() -> None:
    store = MemoryStore()
    here, there = Switches(), Switches()
    for replica in (here, there):
        replica.enable()
        replica.use(store)
    await here.put(faults.Fault(name="cache_loss", ends_at=time.time() + 30))
    await asyncio.sleep(1.2)
    assert there.hit("cache_loss")
    await there.remove("cache_loss")
    await asyncio.sleep(1.2)
    assert here.hit("cache_loss") is None


async def test_a_store_that_is_away_does_not_keep_a_fault_on(lines: Any) -> None:
    class Away(MemoryStore):
        away = False

        async def load(self) -> list[faults.Fault]:
            if self.away:
                raise ConnectionError("no redis")
            return await super().load()

    store, replica = Away(), Switches()
    replica.enable()
    replica.use(store)
    await replica.put(faults.Fault(name="cache_loss", ends_at=time.time() + 1))
    store.away = True
    await asyncio.sleep(2.3)
    assert not replica.running
    warnings = [line for line in lines() if "does not answer" in line["message"]]
    assert len(warnings) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_switching_while_the_store_is_away_is_a_503_that_says_so(client: httpx.AsyncClient, method: str) -> None:
    class Away(MemoryStore):
        async def save(self, fault: faults.Fault) -> None:
            raise ConnectionError(f"no redis for {fault.name}")

        async def remove(self, name: FaultName) -> None:
            raise ConnectionError(f"no redis for {name}")

    switches.use(Away())
    body = {"json": {}} if method == "PUT" else {}
    answer = await client.request(method, f"{URL}/errors", headers=TOKEN, **body)
    assert answer.status_code == 503
    assert "no redis" in answer.json()["detail"]
    assert not switches.running
    switches.use(MemoryStore())
