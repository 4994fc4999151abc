"""Before the first request: wait for the database, migrate it, fill the catalogue. Safe with any number of replicas."""

import asyncio
import json
from importlib.resources import files
from uuid import UUID

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from observability import get_logger
from shop.catalog.models import Product
from shop.database import Database, insert_new

_ATTEMPTS = 30
_PAUSE_SECONDS = 1.0
_LOCK = 7_301_955  # any number that nobody else locks; the same in every replica

_log = get_logger(__name__)


async def prepare(database: Database) -> None:
    """Bring the database to this version's shape and content; raise when it cannot be reached for half a minute."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            await database.ping()
            break
        except (DBAPIError, OSError) as error:
            if attempt == _ATTEMPTS:
                raise
            _log.warning("Database does not answer yet", attempt=attempt, reason=str(error).splitlines()[0])
            await asyncio.sleep(_PAUSE_SECONDS)
    await migrate(database)
    added = await seed(database)
    _log.info("Database is ready", productsAdded=added)


async def migrate(database: Database) -> None:
    """Apply the migrations that are missing. Replicas that start together take turns."""
    async with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("SET LOCAL lock_timeout = '120s'"))
            await connection.execute(text("SET LOCAL statement_timeout = '120s'"))
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        await connection.run_sync(_upgrade)


async def seed(database: Database) -> int:
    """Put the sample catalogue in, and return how many products were new. What is there already stays as it is."""
    products = json.loads(files("shop.catalog").joinpath("products.json").read_text("utf-8"))
    rows = [{**product, "id": UUID(product["id"])} for product in products]
    async with database.transaction() as session:
        return await insert_new(session, Product, *rows)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "shop:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
