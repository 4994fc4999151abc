"""`GET /metrics`: Prometheus text, or OpenMetrics (with exemplars) when asked for."""

from fastapi import FastAPI, Request, Response
from prometheus_client import REGISTRY, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from starlette.concurrency import run_in_threadpool

from observability.logs import get_logger
from observability.metrics import http

_log = get_logger(__name__)

# A second series for each, that nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client has no annotation there


def add_route(app: FastAPI) -> None:
    """Add GET /metrics to `app`."""

    async def metrics(request: Request) -> Response:
        if not getattr(app.state, "metrics_initialised", False):
            app.state.metrics_initialised = True
            await run_in_threadpool(_initialise, app)
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        # In threads: a schema and thousands of series take many milliseconds, which no request should wait for.
        body = await run_in_threadpool(encode, REGISTRY)
        return Response(body, headers={"content-type": content_type})

    app.add_api_route("/metrics", metrics, include_in_schema=False, response_class=Response)


def _initialise(app: FastAPI) -> None:
    """Let the counter of each declared answer exist at 0: one that is born at 1 loses its first increase."""
    try:
        paths = app.openapi().get("paths", {})
    except Exception as error:  # noqa: BLE001 - a schema that cannot be made must not take the metrics with it
        _log.warning("No OpenAPI schema: counters of rare answers will be born at 1", exc_info=error)
        return
    for route, operations in paths.items():
        for method, operation in operations.items():
            statuses = {status for status in operation.get("responses", {}) if status.isdigit()}
            for status in statuses | {"500"}:
                http.new_series(method.upper(), route, int(status))
