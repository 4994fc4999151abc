"""Metrics, logs, traces and faults for a FastAPI service: one call to install, one to start, one to stop.

    app = FastAPI(lifespan=lifespan)
    observability.install(app, service="ecommerce-api")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        observability.start(service="ecommerce-api")
        yield
        await asyncio.to_thread(observability.shutdown)

The package knows nothing of the service it watches.
"""

from observability.app import install
from observability.context import bind_user
from observability.lifecycle import shutdown, start
from observability.logs import get_logger
from observability.traces import traced

__all__ = ["bind_user", "get_logger", "install", "shutdown", "start", "traced"]
