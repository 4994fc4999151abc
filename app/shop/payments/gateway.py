"""The payment gateway's client. Every charge carries an idempotency key, so asking again is always safe."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from typing import ClassVar, Literal
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from observability import get_logger
from observability.context import current
from observability.settings import read_settings
from payments_gateway.api import create_api
from payments_gateway.settings import GatewaySettings
from shop.payments.schemas import Card
from shop.problems import Problem

ATTEMPTS = 3
BUDGET_SECONDS = 12.0  # for all attempts together: nobody waits longer at a till
_TIMEOUT = httpx.Timeout(4.0, connect=1.0, pool=2.0)
_BACKOFF_SECONDS = 0.2

_log = get_logger(__name__)


class GatewayUnavailable(Problem):
    """The gateway gave no answer. Whether the card was charged is not known yet."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "payment-gateway-unavailable"
    title = "The payment provider does not answer"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}


class Charge(BaseModel):
    """The gateway's answer."""

    charge_id: str
    status: Literal["approved", "declined"]
    decline_code: str | None = None


class PaymentGateway:
    """Charges cards, and finds out what became of a charge."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def charge(self, payment_id: UUID, order_id: UUID, amount_cents: int, card: Card) -> Charge:
        """Charge the card once for this payment; raise GatewayUnavailable when no answer could be had."""
        request = current()
        body = {
            "order_id": str(order_id),
            "customer_id": request.user_id if request else None,
            "amount_cents": amount_cents,
            "currency": "CNY",
            "card_number": card.card_number.get_secret_value(),
            "expiry": card.expiry,
            "cvc": card.cvc.get_secret_value(),
        }
        answer = await self._ask("POST", "/v1/charges", json=body, headers={"Idempotency-Key": str(payment_id)})
        return _read(answer)

    async def find(self, payment_id: UUID) -> Charge | None:
        """Return what became of the payment; None when the gateway never saw it."""
        answer = await self._ask("GET", "/v1/charges", params={"idempotency_key": str(payment_id)})
        return None if answer.status_code == HTTPStatus.NOT_FOUND else _read(answer)

    async def _ask(self, method: str, path: str, **request: object) -> httpx.Response:
        reason = "no answer in time"
        try:
            async with asyncio.timeout(BUDGET_SECONDS):
                for attempt in range(ATTEMPTS):
                    if attempt:
                        pause = _BACKOFF_SECONDS * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
                        await asyncio.sleep(pause)
                    try:
                        answer = await self._client.request(method, path, **request)  # type: ignore[arg-type] # httpx's own
                    except httpx.TransportError as error:
                        reason = repr(error)
                    else:
                        if not answer.is_server_error:
                            return answer
                        reason = f"HTTP {answer.status_code}"
                    _log.warning("Payment gateway attempt failed", attempt=attempt + 1, reason=reason)
        except TimeoutError:
            pass
        raise GatewayUnavailable(
            f"The payment provider did not answer ({reason}); repeat with the same Idempotency-Key"
        )


@asynccontextmanager
async def open_gateway(url: str | None) -> AsyncIterator[PaymentGateway]:
    """Connect to the gateway at `url`; without one, to a gateway inside this process, by the same requests."""
    async with AsyncExitStack() as stack:
        transport = None
        if url is None:
            api = create_api(read_settings(GatewaySettings))
            await stack.enter_async_context(api.router.lifespan_context(api))
            transport = httpx.ASGITransport(api)
        client = httpx.AsyncClient(
            base_url=url or "http://payments-gateway", transport=transport, timeout=_TIMEOUT, trust_env=False
        )
        yield PaymentGateway(await stack.enter_async_context(client))


def _read(answer: httpx.Response) -> Charge:
    if answer.is_success:
        try:
            return Charge.model_validate_json(answer.content)
        except ValidationError:
            _log.exception("Payment gateway's answer is not understood")
    else:
        _log.error("Payment gateway refused the request", status=answer.status_code, answer=answer.text[:500])
    raise GatewayUnavailable("The payment provider gave an answer that the shop does not understand")
