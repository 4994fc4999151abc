"""Database metrics and spans from SQLAlchemy's own events: no call site can forget them."""

from sqlalchemy.ext.asyncio import AsyncEngine


def instrument(engine: AsyncEngine) -> None:
    """Measure every statement and the pool of `engine`: metrics by table (`model`) and operation, one client span each."""
    raise NotImplementedError(engine)
