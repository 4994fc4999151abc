"""The application: routes and parts put together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import observability
from notifier import api, problems, webhooks
from notifier.service import open_service
from notifier.settings import NotifierSettings
from observability import get_logger
from observability.settings import read_settings

SERVICE = "notifier"

_log = get_logger(__name__)


def create_app(settings: NotifierSettings | None = None) -> FastAPI:
    """Make the notifier; `settings` are read from the environment unless given."""
    settings = settings or read_settings(NotifierSettings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        observability.start(service=SERVICE, version=app.version)
        try:
            async with open_service(settings) as app.state.service:
                channels = [channel.name for channel in app.state.service.deliveries.channels]
                _log.info("Notifier is ready", channels=channels, port=settings.port)
                if not channels:
                    _log.warning("No channel is set: set WECOM_WEBHOOK_URL, DINGTALK_WEBHOOK_URL or SMTP_HOST")
                yield
        finally:
            await asyncio.to_thread(observability.shutdown)

    app = FastAPI(
        title="AlertService",
        description="Takes Alertmanager's webhook and tells people, by WeCom, DingTalk and email.",
        version="0.1.0",
        lifespan=lifespan,
    )
    # asked by machines, for ever: the watchdog every minute, the page by the black-box probe
    observability.install(app, service=SERVICE, quiet={"/", "/api/v1/watchdog"})
    problems.install(app)
    app.include_router(webhooks.router)
    app.include_router(api.router)
    return app
