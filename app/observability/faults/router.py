"""`/internal/faults`: see, set and clear the switches."""

import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from observability.faults.model import DELAYED, LONGEST, OF_THE_PROCESS, WHOLE, Fault, FaultName, FaultSettings
from observability.faults.switches import StoreAwayError, switches


class FaultRequest(BaseModel):
    """How to start a fault."""

    model_config = ConfigDict(extra="forbid")

    seconds: float = Field(60, gt=0, le=LONGEST, description="How long; then it ends by itself.")
    share: float = Field(1.0, gt=0, le=1, description="Share of the calls that are hit, or of the pool that is taken.")
    route: str | None = Field(None, description="Template of the one route that is hit, as in the metrics' label.")
    delay: float | None = Field(None, gt=0, le=60, description="Seconds, for latency and slow_queries.")


def fault_router(settings: FaultSettings) -> APIRouter:
    """Return the routes; each asks for the bearer token FAULTS_TOKEN."""
    token = settings.faults_token.get_secret_value().encode() if settings.faults_token else b""

    def guard(authorization: Annotated[str, Header()] = "") -> None:
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token or not hmac.compare_digest(given.encode(), token):
            raise HTTPException(
                401, "Authorization: send the bearer token FAULTS_TOKEN", {"WWW-Authenticate": "Bearer"}
            )

    router = APIRouter(prefix="/internal/faults", dependencies=[Depends(guard)], include_in_schema=False)

    @router.get("")
    async def list_faults() -> list[Fault]:
        return [fault for fault in switches.running.values() if not fault.over]

    @router.put("/{name}")
    async def start_fault(name: FaultName, request: FaultRequest) -> Fault:
        if name in OF_THE_PROCESS and request.route:
            raise HTTPException(422, f"{name} hits the whole process: leave route out")
        if name in WHOLE and request.share < 1:
            raise HTTPException(422, f"{name} hits the whole process: leave share out")
        if name not in DELAYED and request.delay:
            raise HTTPException(422, f"{name} delays nothing: leave delay out")
        fault = Fault(name=name, ends_at=time.time() + request.seconds, **request.model_dump(exclude={"seconds"}))
        with _answering_503():
            await switches.put(fault)
        return fault

    @router.delete("/{name}", status_code=204)
    async def end_fault(name: FaultName) -> None:
        with _answering_503():
            await switches.remove(name)

    return router


@contextmanager
def _answering_503() -> Iterator[None]:
    try:
        yield
    except StoreAwayError as error:  # a fault of Redis may be what is being tried: no error of the service
        raise HTTPException(503, f"{error}; faults end by themselves, or try again") from error
