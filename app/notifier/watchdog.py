"""The dead man's switch: an outside service hears from us while alerts flow, and calls people when it does not."""

import asyncio
from typing import Literal

import httpx
from opentelemetry.instrumentation.utils import suppress_http_instrumentation

from observability import get_logger

_FAILURE = 400

_log = get_logger(__name__)


class Watchdog:
    """Pings one address (or none) with GET, which every such service takes."""

    def __init__(self, address: str | None, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._client = httpx.AsyncClient(timeout=timeout, follow_redirects=False)

    async def ping(self) -> tuple[Literal["passed_on", "failed", "unset"], str]:
        """Ping, and say how it went and why; the reason does not name the address, which is a password."""
        if self._address is None:
            return "unset", ""
        try:
            with suppress_http_instrumentation():  # a span would have the address
                async with asyncio.timeout(self._timeout), self._client.stream("GET", self._address) as answer:
                    reason = f"HTTP {answer.status_code}" if answer.status_code >= _FAILURE else ""
        except TimeoutError:
            reason = f"no answer in {self._timeout:g} s"
        except httpx.HTTPError as error:
            reason = f"no connection: {type(error).__name__}"
        if not reason:
            return "passed_on", ""
        _log.error("The dead man's switch did not take the ping", reason=reason)
        return "failed", reason

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
