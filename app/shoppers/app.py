"""The crowd: customers come as `arrivals` says, and each makes a visit."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic

import httpx
from fastapi import FastAPI

import observability
from observability import get_logger
from shoppers.arrivals import arrivals
from shoppers.customer import Customer
from shoppers.settings import ShopperSettings
from shoppers.tally import Tally, in_progress
from shoppers.visit import Accounts, visit

SERVICE = "shoppers"

AT_ONCE_MAX = 500
"""Visits under way at most: a shop that hangs must not fill this process's memory."""

_TIMEOUT = httpx.Timeout(15.0, connect=2.0)
_log = get_logger(__name__)


class Crowd:
    """Sends customers to the shop until it is cancelled."""

    def __init__(self, settings: ShopperSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        # one pool of connections for all: customers come and go, connections stay
        limits = httpx.Limits(max_connections=AT_ONCE_MAX, max_keepalive_connections=20)
        self._transport = transport or httpx.AsyncHTTPTransport(limits=limits)
        self._accounts = Accounts(run=secrets.token_hex(4))
        self._visits: set[asyncio.Task[None]] = set()
        self.tally = Tally()

    async def run(self) -> None:
        """Wait for the shop, then let customers come."""
        try:
            await self._wait_for_shop()
            started = monotonic()
            settings = self._settings
            times = arrivals(settings.shoppers_rate, settings.shoppers_day_seconds, settings.shoppers_seed)
            for at, dice in times:
                await asyncio.sleep(max(0.0, started + at - monotonic()))
                if len(self._visits) >= AT_ONCE_MAX:
                    self.tally.dropped()
                    continue
                customer = Customer(self._client(), self.tally, dice, settings.shoppers_think_seconds)
                task = asyncio.create_task(self._visit(customer))
                self._visits.add(task)
                task.add_done_callback(self._visits.discard)
        finally:
            for task in self._visits:
                task.cancel()
            await asyncio.gather(*self._visits, return_exceptions=True)
            await self._transport.aclose()

    async def _visit(self, customer: Customer) -> None:
        with in_progress.track_inprogress():
            try:
                self.tally.ended(await visit(customer, self._accounts))
            except Exception:  # noqa: BLE001 - one visit's surprise must not end the crowd
                self.tally.ended("failed")
                _log.exception("A visit ended with an answer that customers do not understand")

    async def _wait_for_shop(self) -> None:
        client, waited = self._client(), 0
        while True:
            with suppress(httpx.TransportError):
                if (await client.get("/readyz")).is_success:
                    _log.info("Shop is open", shop=self._settings.shop_url)
                    return
            if waited % 15 == 0:
                _log.warning("Waiting for the shop", shop=self._settings.shop_url, seconds=waited)
            waited += 1
            await asyncio.sleep(1)

    def _client(self) -> httpx.AsyncClient:
        # cookies and login are the customer's own; never closed, for that would close the shared transport
        return httpx.AsyncClient(
            base_url=self._settings.shop_url,
            transport=self._transport,
            timeout=_TIMEOUT,
            trust_env=False,
            headers={"User-Agent": "shoppers/1.0"},
        )


def create_app(settings: ShopperSettings) -> FastAPI:
    """Make the process: the crowd, and /metrics and /healthz beside it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        observability.start(service=SERVICE, version=app.version)
        crowd = Crowd(settings)
        tasks = [asyncio.create_task(crowd.run()), asyncio.create_task(crowd.tally.report())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(observability.shutdown)

    app = FastAPI(title="Shoppers", version="0.1.0", lifespan=lifespan, openapi_url=None)
    observability.install(app, service=SERVICE)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that the process lives."""
        return {"status": "ok"}

    return app
