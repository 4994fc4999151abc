"""The routes that Alertmanager calls. Nothing of a request is read before its token was checked."""

import hmac
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ValidationError

from notifier import metrics
from notifier.alertmanager import Webhook
from notifier.message import Message
from notifier.outbox import Notification
from notifier.service import Service, ServiceOf
from observability import get_logger
from observability.traces import here

_bearer = HTTPBearer(auto_error=False, description="The token in .secrets/webhook")
_DEPTH_SHOWN = 5  # wrong fields named in an answer
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": Webhook.model_json_schema(by_alias=True)}},
    }
}
_log = get_logger(__name__)


async def authenticated(
    service: ServiceOf, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Let the bearer of WEBHOOK_TOKEN through."""
    given = credentials.credentials if credentials else ""
    wanted = service.settings.webhook_token.get_secret_value()
    # in bytes, because the comparison refuses other than ASCII text
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise HTTPException(
            401,
            "The bearer token is missing or is not the one in WEBHOOK_TOKEN; send `Authorization: Bearer …`",
            {"WWW-Authenticate": "Bearer"},
        )


router = APIRouter(prefix="/api/v1", tags=["alertmanager"], dependencies=[Depends(authenticated)])


class Accepted(BaseModel):
    """The notification is in the outbox."""

    id: str
    duplicate: bool
    """The same news was taken a moment ago, under this id: nothing is sent twice."""


@router.post("/alertmanager", status_code=202, openapi_extra=_BODY)
async def alertmanager(request: Request, service: ServiceOf) -> Accepted:
    """Take a group of alerts (Alertmanager's webhook, version 4) and send it to every channel that is set."""
    webhook = await _read(request, service)
    message = Message(secrets.token_hex(6), webhook, service.zone)
    channels = {channel.name: channel.pages(message) for channel in service.deliveries.channels}
    if not channels:
        _log.error("No channel is set, so nobody hears of this", title=message.title)
    notification = Notification(
        id=message.id,
        digest=webhook.digest(),
        group_key=webhook.group_key,
        title=message.title,
        trace=_trace(),
        pages=channels,
        standby=service.settings.standby(channels.keys()),
    )
    earlier = await service.outbox.accept(notification)
    metrics.webhooks.labels("duplicate" if earlier else "accepted").inc()
    _log.info(
        "Webhook is a duplicate" if earlier else "Webhook accepted",
        notificationId=earlier or message.id,
        title=message.title,
        alerts=len(webhook.alerts),
    )
    service.deliveries.wake()
    return Accepted(id=earlier or message.id, duplicate=earlier is not None)


@router.post("/watchdog", status_code=204, openapi_extra=_BODY)
async def watchdog(request: Request, service: ServiceOf) -> None:
    """Pass the alert that always fires on to DEADMAN_URL; 502 when that fails, so that Alertmanager asks again."""
    webhook = await _read(request, service)
    if not webhook.of("firing"):
        return
    result, reason = await service.watchdog.ping()
    metrics.watchdog_pings.labels(result).inc()
    if result == "failed":
        raise HTTPException(502, f"DEADMAN_URL did not take the ping: {reason}")


async def _read(request: Request, service: Service) -> Webhook:
    try:
        return _parse(await _body(request, service.settings.webhook_max_bytes))
    except HTTPException as error:
        metrics.webhooks.labels("rejected").inc()
        _log.warning("Webhook rejected", reason=error.detail)
        raise


async def _body(request: Request, limit: int) -> bytes:
    too_large = HTTPException(
        413, f"The body is larger than {limit} bytes; lower max_alerts in Alertmanager, or raise WEBHOOK_MAX_BYTES"
    )
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and len(length) <= len(str(limit)) and int(length) <= limit:
        return await request.body()
    if length:
        raise too_large
    body = bytearray()  # no length was given: chunked
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise too_large
    return bytes(body)


def _parse(body: bytes) -> Webhook:
    try:
        return Webhook.model_validate_json(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False, include_context=False)
        shown = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'body'}: {p['msg']}" for p in problems[:_DEPTH_SHOWN])
        more = f" (and {len(problems) - _DEPTH_SHOWN} more)" if len(problems) > _DEPTH_SHOWN else ""
        raise HTTPException(422, f"No webhook of Alertmanager's version 4: {shown}{more}") from error


def _trace() -> str | None:
    context = here()
    return f"{context.trace_id:032x}-{context.span_id:016x}" if context.is_valid else None
