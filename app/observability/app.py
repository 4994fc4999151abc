"""Install the library in a FastAPI application."""

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI
from prometheus_client import Info

from observability.asgi import ObservabilityMiddleware
from observability.faults import FaultSettings
from observability.faults.router import fault_router
from observability.faults.switches import switches
from observability.metrics import exposition
from observability.metrics.http import QUIET_ROUTES
from observability.settings import LogSettings, read_settings
from observability.traces.settings import TraceSettings

service_info = Info("service", "The service that this process is, to join its other series with.")


def install(
    app: FastAPI,
    *,
    service: str,
    quiet: Collection[str] = (),
    faults: FaultSettings | None = None,
    metrics: bool = True,
) -> None:
    """Add the middleware, `GET /metrics` and, where enabled, the fault switches to `app`.

    `service` is the OpenTelemetry service name. `quiet` are paths (exact) beside `/healthz`, `/readyz` and `/metrics`
    that get no span and no log line while they succeed. `faults` are read from the environment unless given.
    `metrics=False` leaves the route out, for an application that is mounted in one that has it. Call this once,
    before the first request.
    """
    # Read for their errors alone: in the lifespan, where `start` reads them, uvicorn makes its own exit code of these.
    read_settings(LogSettings)
    read_settings(TraceSettings)
    faults = faults or read_settings(FaultSettings)
    if faults.faults_enabled:
        switches.enable()
        app.include_router(fault_router(faults))
    service_info.info({"name": service, "version": app.version})
    if metrics:
        exposition.add_route(app)
    _silence_native_telemetry(app)

    build = app.build_middleware_stack

    def build_and_wrap() -> Any:
        return ObservabilityMiddleware(build(), quiet=QUIET_ROUTES | set(quiet))

    # Not add_middleware: that is inside of the handler that turns an exception into a 500.
    app.build_middleware_stack = build_and_wrap  # type: ignore[method-assign]


def _silence_native_telemetry(app: FastAPI) -> None:
    """Stop FastAPI (since 0.142) from making a second server span and metrics that nobody reads.

    Its private settings, or every service would have to pass the same to FastAPI(), and one that forgot it would
    double its spans.
    """
    app._telemetry.update({"tracing": False, "metrics": False, "logs": False})  # noqa: SLF001 - see above
    app._native_telemetry.enabled = lambda: False  # type: ignore[method-assign]  # noqa: SLF001 - it would ask the settings at each request
