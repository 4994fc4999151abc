"""The applications compared: the same two routes in each, watched in different ways, each as its documentation says.

An application is made in the process that measures it, so no library is imported beside another.
"""

import gc
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

DATABASE = "BENCHMARK_DATABASE"
TRIVIAL, COLD, QUERY = "trivial", "cold", "query"
PATHS = {TRIVIAL: "/hello/world", COLD: "/hello/world", QUERY: "/items/7"}


class Base(DeclarativeBase):
    """Base of the one table."""


class Item(Base):
    """A row to fetch."""

    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    price_cents: Mapped[int]


@dataclass
class Watched:
    """An application, and what is to be done before the CPU time is read: what still waits must be paid, too."""

    app: FastAPI
    flush: Callable[[], object] = lambda: None


def bare(app: FastAPI, engine: AsyncEngine) -> Watched:
    """Nothing watches."""
    del engine
    return Watched(app)


def bare_spared(app: FastAPI, engine: AsyncEngine) -> Watched:
    """Nothing watches, and the garbage collector is spared as much as ours spares it (observability/lifecycle.py)."""
    del engine
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    return Watched(app)


def ours(app: FastAPI, engine: AsyncEngine) -> Watched:
    """Watch with this project's library; which signals are on is up to the environment, as in production."""
    from observability.database import instrument  # noqa: PLC0415 - see the module

    instrument(engine)
    return ours_requests(app, engine)


def ours_requests(app: FastAPI, engine: AsyncEngine) -> Watched:
    """Watch requests alone, as the others do."""
    import observability  # noqa: PLC0415 - see the module

    del engine
    observability.install(app, service="benchmark")
    observability.start(service="benchmark")
    return Watched(app, observability.shutdown)


def instrumentator(app: FastAPI, engine: AsyncEngine) -> Watched:
    """prometheus-fastapi-instrumentator."""
    from prometheus_fastapi_instrumentator import Instrumentator  # noqa: PLC0415 - see the module

    del engine
    Instrumentator().instrument(app).expose(app)
    return Watched(app)


def starlette_exporter(app: FastAPI, engine: AsyncEngine) -> Watched:
    """starlette_exporter."""
    from starlette_exporter import PrometheusMiddleware, handle_metrics  # noqa: PLC0415 - see the module

    del engine
    app.add_middleware(PrometheusMiddleware)
    app.add_route("/metrics", handle_metrics)
    return Watched(app)


def contrib_metrics(app: FastAPI, engine: AsyncEngine) -> Watched:
    """opentelemetry-instrumentation-fastapi, metrics alone, sent over OTLP."""
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor  # noqa: PLC0415 - see the module

    del engine
    flush = _meter_provider()
    FastAPIInstrumentor.instrument_app(app)
    return Watched(app, flush)


def native_metrics(app: FastAPI, engine: AsyncEngine) -> Watched:
    """FastAPI's own metrics, sent over OTLP."""
    del engine
    return Watched(app, _meter_provider())


def contrib_traces(app: FastAPI, engine: AsyncEngine) -> Watched:
    """opentelemetry-instrumentation-fastapi, traces alone, sent over OTLP."""
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor  # noqa: PLC0415 - see the module

    del engine
    flush = _tracer_provider()
    FastAPIInstrumentor.instrument_app(app)
    return Watched(app, flush)


def native_traces(app: FastAPI, engine: AsyncEngine) -> Watched:
    """FastAPI's own spans, sent over OTLP."""
    del engine
    return Watched(app, _tracer_provider())


def _meter_provider() -> Callable[[], object]:
    from opentelemetry import metrics  # noqa: PLC0415 - see the module
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter  # noqa: PLC0415 - see the module
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - see the module
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415 - see the module

    provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
    metrics.set_meter_provider(provider)
    return provider.force_flush


def _tracer_provider() -> Callable[[], object]:
    from opentelemetry import trace  # noqa: PLC0415 - see the module
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see the module
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - see the module
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - see the module

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return provider.force_flush


WAYS: dict[str, Callable[[FastAPI, AsyncEngine], Watched]] = {
    way.__name__: way
    for way in (
        *(bare, bare_spared, ours, ours_requests, instrumentator, starlette_exporter, contrib_metrics, native_metrics),
        *(contrib_traces, native_traces),
    )
}


def make(way: str) -> Watched:
    """Make the application with its two routes, watched in this way."""
    engine = create_async_engine(os.environ[DATABASE], pool_size=10)
    sessions = async_sessionmaker(engine)
    app = FastAPI()

    async def session() -> AsyncIterator[AsyncSession]:
        async with sessions() as opened:
            yield opened

    @app.get("/hello/{name}")
    async def hello(name: str) -> dict[str, str]:
        return {"hello": name}

    @app.get("/items/{item_id}")
    async def item(item_id: int, session: Annotated[AsyncSession, Depends(session)]) -> dict[str, Any]:
        found = (await session.scalars(select(Item).where(Item.id == item_id))).one_or_none()
        if found is None:
            raise HTTPException(404)
        return {"id": found.id, "name": found.name, "price_cents": found.price_cents}

    return WAYS[way](app, engine)
