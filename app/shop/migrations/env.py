"""Alembic's environment: migrations run on the connection, and in the transaction, that shop.start gives."""

from alembic import context

import shop.cart.models
import shop.catalog.models
import shop.orders.models
import shop.payments.models
import shop.users.models  # noqa: F401 - importing declares the tables
from shop.database import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter a table otherwise
)
context.run_migrations()
