"""The gateway's API: POST /v1/charges, once for each idempotency key, and GET /v1/charges to ask what became of one."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import uuid4

from fastapi import FastAPI, Header, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import Counter

import observability
from observability import bind_user, get_logger, traced
from payments_gateway.decisions import decline_code, latency_seconds
from payments_gateway.schemas import Charge, ChargeRequest
from payments_gateway.settings import GatewaySettings
from payments_gateway.store import ChargeStore, Entry, open_store

SERVICE = "payments-gateway"

Key = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=128)]
KeyQuery = Annotated[str, Query(min_length=1, max_length=128)]

_charges = Counter("gateway_charges_total", "Charges by result: approved, declined", ["status"])
for _status in ("approved", "declined"):
    _charges.labels(_status)

_log = get_logger(__name__)


def create_api(settings: GatewaySettings, *, observed: bool = False) -> FastAPI:
    """Make the gateway. `observed`: as a process of its own, with metrics, logs and traces of its own."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if observed:
            observability.start(service=SERVICE, version=app.version)
        try:
            async with open_store(settings.payments_gateway_database) as app.state.store:
                yield
        finally:
            if observed:
                await asyncio.to_thread(observability.shutdown)

    app = FastAPI(title="Payments gateway (stand-in)", version="0.1.0", lifespan=lifespan, max_body_size=16 * 1024)
    if observed:
        observability.install(app, service=SERVICE)
    app.state.settings = settings
    app.add_api_route("/v1/charges", charge, methods=["POST"], status_code=201)
    app.add_api_route("/v1/charges", find_charge, methods=["GET"])
    app.add_api_route("/healthz", healthz, methods=["GET"])
    app.add_exception_handler(RequestValidationError, _wrong_fields)
    return app


async def charge(wanted: ChargeRequest, request: Request, idempotency_key: Key) -> Charge:
    """Charge a card, once for each Idempotency-Key: asked again, the first answer is given again."""
    store: ChargeStore = request.app.state.store
    settings: GatewaySettings = request.app.state.settings
    fingerprint = _fingerprint(wanted)
    if wanted.customer_id is not None:
        bind_user(str(wanted.customer_id))
    with traced("chargeCard", order_id=str(wanted.order_id), amount_cents=wanted.amount_cents) as span:
        entry = await store.find(idempotency_key)
        if entry is None:
            await asyncio.sleep(latency_seconds(settings.payments_gateway_latency_median_ms))
            code = decline_code(wanted.card_number.get_secret_value(), wanted.expiry)
            made = Charge(charge_id=f"ch_{uuid4().hex}", status="declined" if code else "approved", decline_code=code)
            # Of two requests that got here at the same time, the second finds the first one's entry.
            entry, new = await store.add(idempotency_key, Entry(made, fingerprint))
            if new:
                _charges.labels(made.status).inc()
                _log.info("Card " + made.status, orderId=str(wanted.order_id), chargeId=made.charge_id, code=code)
        if not hmac.compare_digest(entry.fingerprint, fingerprint):
            raise HTTPException(422, "Idempotency-Key was used for another charge")
        span.set_attribute("app.charge.status", entry.charge.status)
        return entry.charge


async def find_charge(request: Request, idempotency_key: KeyQuery) -> Charge:
    """Return what became of the charge with this idempotency key."""
    entry: Entry | None = await request.app.state.store.find(idempotency_key)
    if entry is None:
        raise HTTPException(404, "No charge was made with this idempotency key")
    return entry.charge


async def healthz() -> dict[str, str]:
    """Say that the process lives."""
    return {"status": "ok"}


def _fingerprint(wanted: ChargeRequest) -> str:
    # what makes it another purchase; the card is left out, so that nothing of it is kept
    return hashlib.sha256(f"{wanted.order_id}:{wanted.amount_cents}:{wanted.currency}".encode()).hexdigest()


async def _wrong_fields(_request: Request, error: Exception) -> JSONResponse:
    """Answer without the values, which FastAPI's own answer repeats: one of them is a card number."""
    if not isinstance(error, RequestValidationError):
        raise error
    wrong = [{"loc": problem["loc"], "msg": problem["msg"]} for problem in error.errors()]
    return JSONResponse({"detail": wrong}, 422)
