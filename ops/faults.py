"""The shop's fault switches: break something on purpose, for a while, and put it right again."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, overload

from ops import compose, engine
from ops import secrets as passwords
from ops.console import OpsError, item, say
from ops.order import RefusedError, ask
from ops.urls import address

FAULTS = {
    "errors": "requests fail with 500",
    "latency": "answers take longer (DELAY seconds, 1.5 by default)",
    "payment_declines": "banks decline cards",
    "slow_queries": "the database takes long (DELAY seconds, 1.2 by default)",
    "pool_exhaustion": "every connection to the database is taken",
    "cache_loss": "the cache finds nothing",
    "orders_stopped": "no order is taken",
    "log_volume_full": "log lines cannot be written",
    "memory_growth": "each replica takes 8 MiB more a second, up to 512 MiB",
}
"""What there is to break."""


@dataclass(frozen=True)
class Switches:
    """The switches of a running shop. What one replica is told, the others follow within a second."""

    shop: str
    token: str

    def running(self) -> list[dict[str, Any]]:
        """Give the faults that run: `name`, `share`, `route`, `delay`, `ends_at` (Unix seconds)."""
        found: list[dict[str, Any]] = self._ask("")
        return found

    def start(
        self, name: str, *, seconds: float = 60, share: float = 1, route: str | None = None, delay: float | None = None
    ) -> dict[str, Any]:
        """Start a fault, or replace it; it ends by itself. `route` is a template, as in the metrics' label."""
        started: dict[str, Any] = self._ask(
            f"/{name}", {"seconds": seconds, "share": share, "route": route, "delay": delay}, "PUT"
        )
        return started

    def clear(self, *names: str) -> None:
        """End these faults, or all; nothing when they do not run."""
        for name in names or FAULTS:
            self._ask(f"/{name}", method="DELETE")

    def routes(self) -> list[str]:
        """Name the routes that a fault can be on."""
        return list(ask(f"{self.shop}/openapi.json")["paths"])

    @contextmanager
    def fault(
        self, name: str, *, seconds: float = 60, share: float = 1, route: str | None = None, delay: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """Run a fault as long as the block, and no longer than `seconds`, whatever becomes of this process."""
        started = self.start(name, seconds=seconds, share=share, route=route, delay=delay)
        try:
            yield started
        finally:
            self.clear(name)

    def _ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        return ask(f"{self.shop}/internal/faults{path}", body, {"Authorization": f"Bearer {self.token}"}, method=method)


def switches(resolved: dict[str, Any]) -> Switches:
    """Give the switches of this checkout's shop."""
    shop = address(resolved, "portal", 3000)
    if shop is None:
        raise OpsError("docker-compose.yml publishes no port of the shop", "restore the ports of portal")
    try:
        return Switches(shop, passwords.read("faults"))
    except FileNotFoundError as error:
        raise OpsError("there is no password for the switches yet", "make up") from error


def fault() -> None:
    """Start the fault FAULT, for FOR seconds, on ROUTE alone, for SHARE of the calls."""
    name = _name()
    if name is None:
        raise OpsError(
            "which fault? FAULT is not set",
            "make fault FAULT=errors [FOR=60] [SHARE=0.3] [ROUTE=/api/v1/orders] [DELAY=2]",
            "\n".join(_catalogue()),
        )
    seconds = _number("FOR", 60)
    share = _number("SHARE", 1)
    delay = _number("DELAY")
    route = os.environ.get("ROUTE") or None
    with _explained():
        here = _here()
        if route and route not in (known := here.routes()):
            raise OpsError(f"the shop has no route ROUTE={route}", "take one of these, as it stands", "\n".join(known))
        here.start(name, seconds=seconds, share=share, route=route, delay=delay)
    item(f"{name} runs for {seconds:g} s, then ends by itself; earlier: make fault-clear FAULT={name}")


def clear() -> None:
    """End the fault FAULT; without it all."""
    name = _name()
    with _explained():
        _here().clear(*([name] if name else []))
    item(f"{name or 'every fault'} is off")


def show() -> None:
    """Say which faults there are, and which run."""
    with _explained():
        found = _here().running()
    running = {str(fault["name"]): fault for fault in found}
    for line in _catalogue(running):
        say(f"  {line}")
    item("start one: make fault FAULT=errors FOR=60" + ("; end all: make fault-clear" if running else ""))


def _catalogue(running: dict[str, dict[str, Any]] | None = None) -> list[str]:
    def state(name: str) -> str:
        if not running or name not in running:
            return ""
        options = {key: value for key, value in running[name].items() if key not in {"name", "ends_at"} and value}
        return "  RUNS, " + ", ".join(f"{key} {value}" for key, value in options.items())

    return [f"{name:<18}{what}{state(name)}" for name, what in FAULTS.items()]


def _here() -> Switches:
    engine.require()
    compose.allow_unset_registry()
    return switches(compose.config())


def _name() -> str | None:
    name = os.environ.get("FAULT") or None
    if name is not None and name not in FAULTS:
        raise OpsError(f"there is no fault FAULT={name}", "take one of these", "\n".join(_catalogue()))
    return name


@overload
def _number(variable: str, default: float) -> float: ...


@overload
def _number(variable: str) -> float | None: ...


def _number(variable: str, default: float | None = None) -> float | None:
    text = os.environ.get(variable)
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise OpsError(f"{variable}={text} is not a number", f"make fault FAULT=… {variable}=2")
    return number


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what the shop says no with into what a person does about it."""
    try:
        yield
    except RefusedError as error:
        remedies = {
            401: "the shop was started with another token: make up",
            404: "switches are off: FAULTS_ENABLED=true in .env, then make up",
            422: "put the value right",
        }
        remedy = remedies.get(error.status, "docker compose logs app")
        raise OpsError("the shop did not do it", remedy, str(error)) from error
    except OSError as error:
        raise OpsError("the shop does not answer", "make up", str(error)) from error
