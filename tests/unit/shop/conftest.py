"""A real shop in this process: SQLite in a file of its own, the cache in memory, the gateway in process."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from shop.app import create_app
from shop.database import open_database
from shop.dependencies import Shop
from shop.settings import ShopSettings
from shop.start import prepare

GOOD_CARD = {"card_number": "4242424242424242", "expiry": "12/39", "cvc": "123"}
DECLINED_CARD = {**GOOD_CARD, "card_number": "4000000000000002"}
PASSWORD = "correct horse battery"


@dataclass
class Customer:
    """Somebody who is logged in."""

    http: httpx.AsyncClient
    headers: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(f"/api/v1{path}", headers=self.headers)

    async def put(self, path: str, body: object) -> httpx.Response:
        return await self.http.put(f"/api/v1{path}", json=body, headers=self.headers)

    async def delete(self, path: str) -> httpx.Response:
        return await self.http.delete(f"/api/v1{path}", headers=self.headers)

    async def post(self, path: str, body: object = None, *, key: str | None = None) -> httpx.Response:
        headers = {**self.headers, "Idempotency-Key": key or uuid4().hex}
        return await self.http.post(f"/api/v1{path}", json=body, headers=headers)

    async def order(self, product_id: str, quantity: int = 1) -> dict[str, object]:
        answer = await self.post("/orders", {"items": [{"product_id": product_id, "quantity": quantity}]})
        assert answer.status_code == 201, answer.text
        order: dict[str, object] = answer.json()
        return order


@pytest.fixture(autouse=True, scope="session")
def no_settings_of_the_person_at_the_keyboard() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ShopSettings.model_fields:
            patch.delenv(name.upper(), raising=False)
            patch.delenv(f"{name.upper()}_FILE", raising=False)
        yield


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOG_PATH", str(tmp_path / "logs"))
    monkeypatch.setenv("LOG_CONSOLE", "off")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("PAYMENTS_GATEWAY_LATENCY_MEDIAN_MS", "0")


@pytest.fixture(scope="session")
def prepared_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated and seeded once: each test begins with a copy."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"

    async def make() -> None:
        database = open_database(ShopSettings(sqlite_path=str(path)))
        await prepare(database)
        await database.engine.dispose()

    asyncio.run(make())
    return path


@pytest.fixture
def settings(prepared_database: Path, tmp_path: Path) -> ShopSettings:
    return ShopSettings(sqlite_path=str(shutil.copy(prepared_database, tmp_path)))


@asynccontextmanager
async def running(settings: ShopSettings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def app(settings: ShopSettings) -> AsyncIterator[FastAPI]:
    async with running(settings) as app:
        yield app


@pytest.fixture
def shop(app: FastAPI) -> Shop:
    shop: Shop = app.state.shop
    return shop


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        yield client


Register = Callable[[], Awaitable[Customer]]


@pytest.fixture
def register(http: httpx.AsyncClient) -> Register:
    async def register() -> Customer:
        account = {"email": f"{uuid4().hex}@example.com", "password": PASSWORD}
        answer = await http.post("/api/v1/users", json={**account, "name": "韩梅梅"})
        assert answer.status_code == 201, answer.text
        token = (await http.post("/api/v1/sessions", json=account)).json()["token"]
        return Customer(http, {"Authorization": f"Bearer {token}"})

    return register


@pytest.fixture
async def customer(register: Register) -> Customer:
    return await register()


@pytest.fixture
async def product_id(http: httpx.AsyncClient) -> str:
    products = (await http.get("/api/v1/products")).json()["items"]
    product_id: str = products[0]["id"]
    return product_id
