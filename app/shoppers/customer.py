"""A customer's browser: cookies, a login, and patience."""

import asyncio
import random
from time import perf_counter
from typing import Any

import httpx

from shoppers.tally import Tally


class GivesUp(Exception):  # noqa: N818 - it is what the customer does
    """The shop gave no usable answer; the customer leaves."""


class Customer:
    """One visit's session with the shop."""

    def __init__(self, client: httpx.AsyncClient, tally: Tally, dice: random.Random, think_seconds: float) -> None:
        self.dice = dice
        self._client = client
        self._tally = tally
        self._think_seconds = think_seconds

    def log_in(self, token: str) -> None:
        """Be logged in from here on."""
        self._client.headers["Authorization"] = f"Bearer {token}"

    def chance(self, probability: float) -> bool:
        """Throw the dice."""
        return self.dice.random() < probability

    async def think(self) -> None:
        """Look at the page for a while."""
        if self._think_seconds:
            await asyncio.sleep(self.dice.expovariate(1 / self._think_seconds))

    async def get(self, path: str, **request: Any) -> Any:
        """Return the page's JSON; raise GivesUp when there is none."""
        return self._json(await self._ask("GET", path, **request))

    async def put(self, path: str, body: Any) -> Any:
        """Put, and return the answer's JSON."""
        return self._json(await self._ask("PUT", path, json=body))

    async def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        """Post, with the idempotency key when given: then a lost answer is asked for once more."""
        headers = {"Idempotency-Key": key} if key else {}
        attempts = 2 if key else 1
        while True:
            attempts -= 1
            try:
                answer = await self._ask("POST", path, json=body, headers=headers)
            except GivesUp:
                if not attempts:
                    raise
            else:
                if not (answer.is_server_error and attempts):
                    return answer
            await self.think()

    async def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        started = perf_counter()
        try:
            answer = await self._client.request(method, path, **request)
        except httpx.TransportError as error:
            self._tally.no_answer()
            raise GivesUp(repr(error)) from error
        self._tally.answered(answer.status_code, perf_counter() - started)
        return answer

    @staticmethod
    def _json(answer: httpx.Response) -> Any:
        if not answer.is_success:
            raise GivesUp(f"HTTP {answer.status_code}")
        return answer.json()
