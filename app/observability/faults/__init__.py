"""Fault switches: off unless enabled, guarded by a token, bounded in time by themselves."""

from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import SecretStr

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


class FaultSettings(Settings):
    """FAULTS_ENABLED and FAULTS_TOKEN (or FAULTS_TOKEN_FILE)."""

    faults_enabled: bool = False
    faults_token: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A running fault: it hits `share` (0..1) of what `route` (a template; None: all) does, until `ends_at` (Unix s)."""

    name: FaultName
    share: float
    ends_at: float
    route: str | None = None
    seconds: float | None = None


class FaultStore(Protocol):
    """Where the replicas agree on which faults run."""

    async def load(self) -> list[Fault]:
        """Return the faults that have not ended."""

    async def save(self, fault: Fault) -> None:
        """Add or replace."""

    async def remove(self, name: FaultName) -> None:
        """Remove; nothing when it is not there."""


def active(name: FaultName) -> bool:
    """Return whether the fault hits this call: true for its share of calls while it runs, on its route. Cheap."""
    raise NotImplementedError(name)


def use_store(store: FaultStore) -> None:
    """Share the switches over replicas through `store`, polled every second. Default: this process alone."""
    raise NotImplementedError(store)


def redis_store(client: object) -> FaultStore:
    """Return a store on a redis.asyncio client."""
    raise NotImplementedError(client)
