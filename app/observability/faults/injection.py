"""The two faults that hit requests themselves."""

import asyncio

from observability.faults.switches import switches
from observability.metrics.http import QUIET_ROUTES

DEFAULT_DELAY = 1.5
"""Seconds: beyond the 1 s at which the latency alert fires."""

_SWITCHES = "/internal/faults"


class InjectedError(Exception):
    """What the fault `errors` raises: unhandled, so it takes the way of a real defect."""


def fail(route: str) -> None:
    """Raise when the fault `errors` hits a request on `route`."""
    if _may_be_hit(route) and switches.hit("errors", route):
        raise InjectedError(f"fault switch: errors on {route}")


async def delay(route: str | None) -> None:
    """Wait when the fault `latency` hits a request on `route`."""
    if route is not None and _may_be_hit(route) and (fault := switches.hit("latency", route)):
        await asyncio.sleep(fault.delay or DEFAULT_DELAY)


def _may_be_hit(route: str) -> bool:
    return route not in QUIET_ROUTES and not route.startswith(_SWITCHES)
