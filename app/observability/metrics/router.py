"""`GET /api/v1/metrics/…`: the typed snapshots over HTTP."""

import inspect
from collections.abc import Awaitable, Callable

from fastapi import APIRouter

from observability.metrics import infrastructure, snapshot
from observability.metrics.http import SNAPSHOT_PREFIX
from observability.metrics.models import ApplicationSnapshot, InfrastructureSnapshot, Snapshot


def snapshot_router(business: Callable[[], Snapshot | Awaitable[Snapshot]], model: type[Snapshot]) -> APIRouter:
    """Return the routes /infrastructure, /application and /business under the prefix /api/v1/metrics.

    `business` computes the service's own snapshot (sync or async), `model` is its type, for OpenAPI.
    """
    router = APIRouter(prefix=SNAPSHOT_PREFIX.rstrip("/"), tags=["metrics"])

    @router.get("/infrastructure")
    async def read_infrastructure() -> InfrastructureSnapshot:
        """Read CPU, memory and network of the machine as this process sees it."""
        return infrastructure.snapshot()

    @router.get("/application")
    async def read_application() -> ApplicationSnapshot:
        """Read requests, database and cache of this process."""
        return snapshot.application()

    @router.get("/business", response_model=model)
    async def read_business() -> Snapshot:
        """Read what the service itself counts."""
        result = business()
        return await result if inspect.isawaitable(result) else result

    return router
