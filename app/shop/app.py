"""The application: its parts opened and closed, its routes put together."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from fastapi import APIRouter, FastAPI
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

import observability
from observability import faults, get_logger
from observability.cache import instrument_redis, watch_redis
from observability.database import instrument
from observability.metrics.router import snapshot_router
from observability.settings import read_settings
from shop import health, metrics, problems
from shop.active_users import ActiveUsers, SeenInMemory, SeenInRedis
from shop.cache import MemoryCache, RedisCache
from shop.cart.router import router as cart_router
from shop.catalog.router import router as catalog_router
from shop.database import exhaust_pool, open_database
from shop.dependencies import Shop
from shop.housekeeping import keep_house
from shop.orders.router import router as orders_router
from shop.payments.gateway import open_gateway
from shop.payments.router import router as payments_router
from shop.settings import ShopSettings
from shop.start import prepare
from shop.users.passwords import Passwords
from shop.users.router import router as users_router
from shop.users.tokens import Tokens
from shop.visits import VisitMiddleware

SERVICE = "ecommerce-api"
BODY_BYTES_MAX = 64 * 1024  # the largest honest request, an order of 50 lines, has 5 KB

_log = get_logger(__name__)


def create_app(settings: ShopSettings | None = None) -> FastAPI:
    """Make the shop; `settings` are read from the environment unless given."""
    settings = settings or read_settings(ShopSettings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        observability.start(service=SERVICE, version=app.version)
        try:
            async with open_shop(settings) as app.state.shop:
                _log.info("Shop is open", database=settings.database_url.get_backend_name(), port=settings.port)
                yield
        finally:
            await asyncio.to_thread(observability.shutdown)

    app = FastAPI(
        title="电商示例 E-commerce API",
        description="A small shop whose every request is measured, logged and traced.",
        version="0.1.0",
        lifespan=lifespan,
        max_body_size=BODY_BYTES_MAX,
        generate_unique_id_function=lambda route: route.name,  # which links name, and clients that are generated
    )
    observability.install(app, service=SERVICE)
    problems.install(app)
    app.add_middleware(VisitMiddleware)
    api = APIRouter(prefix="/api/v1")
    for router in (users_router, catalog_router, cart_router, orders_router, payments_router):
        api.include_router(router)
    app.include_router(api)
    app.include_router(snapshot_router(business=metrics.snapshot, model=metrics.BusinessSnapshot))
    app.include_router(health.router)
    return app


@asynccontextmanager
async def open_shop(settings: ShopSettings) -> AsyncIterator[Shop]:
    """Open the shop's parts; closed in the opposite order."""
    async with AsyncExitStack() as stack:
        database = open_database(settings)
        stack.push_async_callback(database.engine.dispose)
        instrument(database.engine)
        await prepare(database)
        redis = open_redis(settings)
        if redis:
            stack.push_async_callback(redis.aclose)
            instrument_redis(redis)
            faults.use_store(faults.redis_store(redis))
        gateway = await stack.enter_async_context(open_gateway(settings.payments_gateway_url))
        passwords = Passwords()
        stack.callback(passwords.close)
        shop = Shop(
            settings=settings,
            database=database,
            cache=RedisCache(redis) if redis else MemoryCache(),
            gateway=gateway,
            passwords=passwords,
            tokens=_tokens(settings),
            active_users=ActiveUsers(SeenInRedis(redis) if redis else SeenInMemory()),
        )
        tasks = [shop.active_users.run(), keep_house(shop), exhaust_pool(database)]
        if redis:
            tasks.append(watch_redis(redis, shop.cache.recorder))
        for task in tasks:
            stack.push_async_callback(_cancel, asyncio.create_task(task))
        yield shop


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _tokens(settings: ShopSettings) -> Tokens:
    if settings.token_key is None:
        _log.warning("No TOKEN_KEY is set: logins end when this process does")
    key = settings.token_key.get_secret_value() if settings.token_key else secrets.token_hex(32)
    return Tokens(key, settings.token_lifetime_seconds)


def open_redis(settings: ShopSettings) -> Redis | None:
    """Return Redis' client; None where REDIS_HOST is not set."""
    if settings.redis_host is None:
        return None
    return Redis(
        host=settings.redis_host,
        port=settings.redis_port,
        password=settings.redis_password.get_secret_value() if settings.redis_password else None,
        # a cache slower than this is slower than the database
        socket_timeout=0.5,
        socket_connect_timeout=0.5,
        retry=Retry(NoBackoff(), 1),  # once: for connections that Redis closed while they lay idle
        client_name="shop",
    )
