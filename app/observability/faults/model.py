"""What a fault is."""

import time
from typing import Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from observability.settings import Settings

FaultName = Literal[
    "errors",
    "latency",
    "payment_declines",
    "slow_queries",
    "pool_exhaustion",
    "cache_loss",
    "orders_stopped",
    "log_volume_full",
    "memory_growth",
]

OF_THE_PROCESS: frozenset[FaultName] = frozenset({"pool_exhaustion", "log_volume_full", "memory_growth"})
"""They hit no calls, so there is no route."""

WHOLE: frozenset[FaultName] = OF_THE_PROCESS - {"pool_exhaustion"}
"""Nor is there a share of these."""

DELAYED: frozenset[FaultName] = frozenset({"latency", "slow_queries"})
"""They wait for `delay`; the others have none."""

LONGEST = 3600
"""Seconds: a forgotten fault ends within the hour."""


class FaultSettings(Settings):
    """FAULTS_ENABLED and FAULTS_TOKEN (or FAULTS_TOKEN_FILE)."""

    faults_enabled: bool = False
    faults_token: SecretStr | None = None

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.faults_enabled and not (self.faults_token and self.faults_token.get_secret_value()):
            raise ValueError("FAULTS_TOKEN: not set, but FAULTS_ENABLED is true; set it (or FAULTS_TOKEN_FILE)")
        return self


class Fault(BaseModel):
    """A running fault: it hits `share` of what `route` does until `ends_at`."""

    model_config = ConfigDict(frozen=True)

    name: FaultName
    share: float = Field(1.0, gt=0, le=1, description="Share of the calls that are hit, or of the pool that is taken.")
    route: str | None = Field(None, description="Template of the one route that is hit, as in the metrics' label.")
    delay: float | None = Field(None, gt=0, le=60, description="Seconds, for latency and slow_queries.")
    ends_at: float = Field(description="Unix time in seconds.")

    @property
    def over(self) -> bool:
        """Whether its time is up."""
        return time.time() >= self.ends_at


class FaultStore(Protocol):
    """Where the replicas agree on which faults run."""

    async def load(self) -> list[Fault]:
        """Return the faults that have not ended."""

    async def save(self, fault: Fault) -> None:
        """Add or replace."""

    async def remove(self, name: FaultName) -> None:
        """Remove; nothing when it is not there."""
