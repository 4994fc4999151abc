"""GET /healthz (the process lives) and GET /readyz (it can serve: its database and cache answer)."""

import asyncio
from collections.abc import Awaitable
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from shop.dependencies import ShopParts

_TIMEOUT_SECONDS = 1.0

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Each part: `ok`, or why it is not."""

    status: Literal["ready", "not ready"]
    parts: dict[str, str]


@router.get("/healthz")
async def healthz() -> Alive:
    """Say that the process lives; it asks nothing of others."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Readiness, "description": "A part does not answer"}})
async def readyz(shop: ShopParts, response: Response) -> Readiness:
    """Say whether requests can be served, and which part is missing."""
    database, cache = await asyncio.gather(_check(shop.database.ping()), _check(shop.cache.ping()))
    ready = database == cache == "ok"
    response.status_code = 200 if ready else 503
    return Readiness(status="ready" if ready else "not ready", parts={"database": database, "cache": cache})


async def _check(ping: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await ping
    except TimeoutError:
        return f"no answer in {_TIMEOUT_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 - whatever a driver raises is the finding
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no details'}"
    return "ok"
