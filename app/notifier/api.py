"""The routes for people and machines that look after the notifier: dead letters, health, the page at `/`."""

import asyncio
from importlib.resources import files
from sqlite3 import Error
from string import Template
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from notifier.dead_letters import DeadLetter
from notifier.metrics import CHANNELS
from notifier.service import ServiceOf
from notifier.webhooks import authenticated

_TIMEOUT_SECONDS = 1.0
_NAMES = {"wecom": "企业微信 WeCom", "dingtalk": "钉钉 DingTalk", "email": "邮件 email"}
_PAGE = Template(files("notifier").joinpath("overview.html").read_text("utf-8"))

router = APIRouter()


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Each part: `ok`, or why it is not."""

    status: Literal["ready", "not ready"]
    parts: dict[str, str]
    channels: list[str]
    """The channels that are set up."""


class Redelivery(BaseModel):
    """The dead letter is back in the outbox."""

    id: int


@router.get("/api/v1/dead-letters", tags=["dead letters"], dependencies=[Depends(authenticated)])
async def dead_letters(
    service: ServiceOf,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
) -> list[DeadLetter]:
    """List what could not be delivered, the newest first; `before` is the last id of the previous list."""
    return await service.dead_letters.newest(limit, before)


@router.post(
    "/api/v1/dead-letters/{identifier}/redelivery",
    status_code=202,
    tags=["dead letters"],
    dependencies=[Depends(authenticated)],
)
async def redelivery(identifier: int, service: ServiceOf) -> Redelivery:
    """Send a dead letter again."""
    # SQLite's integers end there
    state = await service.dead_letters.send_again(identifier) if abs(identifier) < 2**62 else "unknown"
    if state == "unknown":
        raise HTTPException(404, f"There is no message {identifier}")
    if state == "not dead":
        raise HTTPException(409, f"Message {identifier} is no dead letter: it was sent, or waits to be")
    service.deliveries.wake()
    return Redelivery(id=identifier)


@router.get("/healthz", tags=["health"])
async def healthz() -> Alive:
    """Say that the process lives."""
    return Alive()


@router.get("/readyz", tags=["health"], responses={503: {"model": Readiness, "description": "A part does not work"}})
async def readyz(service: ServiceOf, response: Response) -> Readiness:
    """Say whether webhooks can be taken. Vendors do not count: while they are away, the outbox keeps what they miss."""
    outbox = "ok"
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await service.outbox.counts()
    except TimeoutError:
        outbox = f"no answer in {_TIMEOUT_SECONDS:g} s"
    except Error as error:
        outbox = str(error)
    dead = service.deliveries.dead_tasks()
    parts = {"outbox": outbox, "workers": f"ended: {', '.join(dead)}" if dead else "ok"}
    ready = set(parts.values()) == {"ok"}
    response.status_code = 200 if ready else 503
    channels = [channel.name for channel in service.deliveries.channels]
    return Readiness(status="ready" if ready else "not ready", parts=parts, channels=channels)


@router.get("/", include_in_schema=False)
async def overview(service: ServiceOf) -> HTMLResponse:
    """Show the channels. It says nothing of the alerts: it asks for no token."""
    counts = await service.outbox.counts()
    on = {channel.name for channel in service.deliveries.channels}
    standby = service.settings.standby(on)
    rows = ""
    for name in CHANNELS:
        waiting = counts.get((name, "waiting"), 0) + counts.get((name, "sending"), 0)
        dead = counts.get((name, "dead"), 0)
        state = "未设置" if name not in on else "备用：群聊都送不到时" if name in standby else "开"
        rows += f"<tr><td>{_NAMES[name]}<td>{state}<td>{waiting}<td>{dead}</tr>"
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return HTMLResponse(_PAGE.substitute(rows=rows), headers=headers)
