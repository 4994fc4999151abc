"""The template of the route that a request matched."""

from collections import deque
from typing import Any

from fastapi.telemetry._api import _RequestTelemetry
from starlette.types import Scope

from observability.context import Matched
from observability.faults import injection
from observability.faults.switches import switches
from observability.metrics.http import UNMATCHED

_KEY = "fastapi.telemetry"
_MOUNT = "/{path}"


class _Watched(_RequestTelemetry):
    """What FastAPI expects, with nothing made for what nobody reads: it is made at each request."""

    span = None
    span_method = ""
    data = None
    _exceptions: Any = deque(maxlen=0)  # noqa: RUF012 - a list that keeps nothing

    __init__ = object.__init__


class _WithFaults(_Watched):
    """Lets a fault raise at the moment the route is known: inside the handlers of errors, before the endpoint."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "route" and value is not None:
            injection.fail(value)


def watch(scope: Scope) -> Matched:
    """Have FastAPI note in the returned object which route it picks.

    FastAPI's router reports its choice to the object under this key, and it is the only place where the prefixes of
    nested routers and mounts come together: `scope["route"].path` lacks them, and `root_path` is the raw path, which
    is no template. The same key keeps FastAPI, also a mounted one, from making server spans of its own. Both are
    FastAPI's internals (since 0.142): tests hold each corner, so an upgrade that changes them fails there.
    """
    matched: Matched = _WithFaults() if switches.running else _Watched()
    scope[_KEY] = matched
    return matched


def template(route: str | None, status: int) -> str:
    """Return the matched route's template, with all prefixes; `unmatched` when there is none."""
    if route is None or (status == 404 and route.endswith(_MOUNT)):  # noqa: PLR2004 - a mount in which nothing matched
        return UNMATCHED
    return route
