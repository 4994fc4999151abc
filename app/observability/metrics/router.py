"""`GET /api/v1/metrics/…`: the typed snapshots over HTTP."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter

from observability.metrics.models import Snapshot


def snapshot_router(business: Callable[[], Snapshot | Awaitable[Snapshot]], model: type[Snapshot]) -> APIRouter:
    """Return the routes /infrastructure, /application and /business under the prefix /api/v1/metrics.

    `business` computes the service's own snapshot (sync or async), `model` is its type, for OpenAPI.
    """
    raise NotImplementedError(business, model)
