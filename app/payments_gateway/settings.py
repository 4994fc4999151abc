"""The gateway's settings."""

from typing import Annotated

from pydantic import Field

from observability.settings import Settings


class GatewaySettings(Settings):
    """All have working defaults."""

    host: str = "0.0.0.0"  # noqa: S104 - a container is reached from outside of itself
    port: Annotated[int, Field(ge=1, le=65535)] = 3100
    # a SQLite file keeps charges, and so idempotency, over restarts
    payments_gateway_database: str = ":memory:"
    # half of the charges take less; one in a hundred takes four times as long; 0 answers at once
    payments_gateway_latency_median_ms: Annotated[float, Field(ge=0, le=10_000)] = 120.0
