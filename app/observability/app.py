"""Install the library in a FastAPI application."""

from collections.abc import Collection

from fastapi import FastAPI

from observability.faults import FaultSettings


def install(app: FastAPI, *, service: str, quiet: Collection[str] = (), faults: FaultSettings | None = None) -> None:
    """Add the middleware, `GET /metrics` and, where enabled, the fault switches to `app`.

    `service` is the OpenTelemetry service name. `quiet` are paths (exact) beside `/healthz`, `/readyz` and `/metrics`
    that get no span and no log line while they succeed. `faults` is read from the environment unless given. Call once,
    before the first request.
    """
    raise NotImplementedError(app, service, quiet, faults)
