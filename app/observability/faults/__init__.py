"""Fault switches: off unless FAULTS_ENABLED, guarded by FAULTS_TOKEN, ended by themselves within the hour.

`errors` and `latency` hit requests, `log_volume_full` the log writer, `memory_growth` the process: the library does
those. The service asks for the others where it matters: `if faults.active("payment_declines"): …`.
"""

from redis.asyncio import Redis

from observability.faults.model import Fault, FaultName, FaultSettings, FaultStore
from observability.faults.store import RedisStore
from observability.faults.switches import switches

__all__ = ["Fault", "FaultName", "FaultSettings", "FaultStore", "active", "delay", "redis_store", "share", "use_store"]


def active(name: FaultName) -> bool:
    """Return whether the fault hits this call: true for its share of calls while it runs, on its route. Cheap."""
    return bool(switches.running) and switches.hit(name) is not None


def delay(name: FaultName, default: float) -> float:
    """Return the seconds of delay that the running fault asks for, `default` when it names none."""
    fault = switches.running.get(name)
    return (fault.delay if fault else None) or default


def share(name: FaultName) -> float:
    """Return the share that the running fault asks for, 0 while it does not run."""
    fault = switches.running.get(name)
    return fault.share if fault and not fault.over else 0.0


def use_store(store: FaultStore) -> None:
    """Share the switches over replicas through `store`, polled every second. Default: this process alone.

    Call it in the running event loop.
    """
    switches.use(store)


def redis_store(client: Redis) -> FaultStore:
    """Return a store on a redis.asyncio client."""
    return RedisStore(client)
