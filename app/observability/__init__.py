"""Metrics, logs, traces and faults for a FastAPI service: one call to install, one to start, one to stop.

    app = FastAPI()
    observability.install(app, service="ecommerce-api")

and around the application's life, in its lifespan or in `__main__`:

    observability.start(service="ecommerce-api")
    …
    await asyncio.to_thread(observability.shutdown)

The package knows nothing of the service it watches.
"""

from observability.app import install
from observability.context import bind_user
from observability.lifecycle import shutdown, start
from observability.logs import get_logger
from observability.traces import traced

__all__ = ["bind_user", "get_logger", "install", "shutdown", "start", "traced"]
