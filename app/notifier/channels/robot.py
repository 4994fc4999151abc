"""What the group robots of both vendors have in common: a JSON post, and an HTTP 200 that says nothing."""

import asyncio
import json
import re
from typing import Any, NamedTuple

import httpx
import orjson

from notifier.channels import Refused, Unavailable

_ANSWER_BYTES_MAX = 65_536
_MAY_PASS = frozenset({408, 425, 429})
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500
_OK = 200
_RETRY_AFTER_MAX = 600.0


class Answer(NamedTuple):
    """The vendor's verdict; only errcode 0 is a success."""

    errcode: int
    errmsg: str


class Robot:
    """Posts to one address. A client of its own: no channel waits for another's connections."""

    def __init__(self, address: str, timeout: float) -> None:
        self._address = httpx.URL(address)
        self._timeout = timeout
        # No redirects: they would carry the message to wherever an answer says.
        self._client = httpx.AsyncClient(timeout=timeout, follow_redirects=False)

    async def post(self, payload: dict[str, Any], query: dict[str, str] | None = None) -> Answer:
        """Post `payload`, with `query` added to the address.

        Errors name no URL, because the address is the robot's password.
        """
        url = self._address.copy_merge_params(query) if query else self._address
        # UTF-8 as it is: WeCom refuses escapes such as \u4e2d
        request = self._client.build_request(
            "POST", url, content=orjson.dumps(payload), headers={"Content-Type": "application/json; charset=utf-8"}
        )
        try:
            # httpx's timeout is for each read: a drop a second would keep it waiting for ever
            async with asyncio.timeout(self._timeout):
                status, headers, body = await self._exchange(request)
        except TimeoutError as error:
            raise Unavailable(f"no answer in {self._timeout:g} s") from error
        except httpx.TransportError as error:
            raise Unavailable(f"no connection: {type(error).__name__}") from None
        if status != _OK:
            raise _unexpected_status(status, headers)
        return _read(body)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _exchange(self, request: httpx.Request) -> tuple[int, httpx.Headers, bytes]:
        answer = await self._client.send(request, stream=True)
        try:
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > _ANSWER_BYTES_MAX:
                    raise Unavailable("the answer is larger than any of the vendor's")
            return answer.status_code, answer.headers, bytes(body)
        except httpx.DecodingError as error:
            raise Unavailable("the answer cannot be decoded") from error
        finally:
            await answer.aclose()


def _unexpected_status(status: int, headers: httpx.Headers) -> Refused | Unavailable:
    if status < _SERVER_ERROR and status not in _MAY_PASS:
        return Refused(f"HTTP {status}")
    if status != _TOO_MANY_REQUESTS:
        return Unavailable(f"HTTP {status}")
    asked = headers.get("Retry-After", "")
    # a minute for want of a number, as for a date, which is rare
    pause = float(asked) if re.fullmatch("[0-9]{1,9}", asked) else 60.0
    return Unavailable("HTTP 429", min(max(pause, 1.0), _RETRY_AFTER_MAX))


def _read(body: bytes) -> Answer:
    """Read errcode and errmsg. An answer without them is some proxy's, or DingTalk's flood gate: no success."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unavailable("the answer is not JSON") from error
    code = answer.get("errcode") if isinstance(answer, dict) else None
    if not isinstance(code, int) or isinstance(code, bool):
        raise Unavailable("the answer has no errcode")
    return Answer(code, str(answer.get("errmsg", ""))[:300])
