"""The vendors' addresses, the page, and the switches that make a robot fail."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import asdict
from importlib.resources import files
from typing import Any, Literal

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel

from chat_robots.settings import RobotSettings
from chat_robots.vendors import DingTalkRobot, Mode, Shown, Vendor, Verdict, WeComRobot

_KEPT = 1_000
_BODY_BYTES_MAX = 1_048_576
_PAGE = files("chat_robots").joinpath("page.html").read_text("utf-8")
_PAGE_HEADERS = {
    # a message is somebody else's text: even if it slipped through the page's escaping, it could load and run nothing
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'"
}

Name = Literal["wecom", "dingtalk"]


class Behaviour(BaseModel):
    """How a robot behaves."""

    mode: Mode


class Phone:
    """The robots and the groups they write to."""

    def __init__(self, settings: RobotSettings) -> None:
        per_minute = settings.robots_allow_per_minute
        self.robots: dict[str, Vendor] = {
            "wecom": WeComRobot(settings.wecom_key, per_minute),
            "dingtalk": DingTalkRobot(settings.dingtalk_access_token, settings.dingtalk_secret, per_minute),
        }
        self.shown: deque[Shown] = deque(maxlen=_KEPT)
        self.requests: dict[str, int] = dict.fromkeys(self.robots, 0)
        self._hanging = asyncio.Event()

    async def receive(self, vendor: str, request: Request) -> Response:
        """Answer a message as the vendor would in its present mode."""
        robot = self.robots[vendor]
        body = await request.body()
        self.requests[vendor] += 1
        if robot.mode in {"ok", "lost-answer"}:
            try:
                content_type = request.headers.get("Content-Type", "")
                self.shown.append(robot.receive(request.query_params, content_type, body))
            except Verdict as verdict:
                return _answer(verdict)
        if robot.mode == "ok":
            return JSONResponse({"errcode": 0, "errmsg": "ok"})
        return await self._fail(robot)

    async def _fail(self, robot: Vendor) -> Response:
        match robot.mode:
            case "hang" | "lost-answer":
                await self._hanging.wait()
                return Response(status_code=503)
            case "disconnect":
                return StreamingResponse(_broken_off(), headers={"Content-Length": "1000"})
            case "garbage":
                return Response('{"errcode":0,"errm<!doctype html>', media_type="application/json")
            case "errcode" | "rate-limit":
                return _answer(robot.verdict(robot.mode))
            case _:
                return Response("<html><title>502 Bad Gateway</title></html>", 502, media_type="text/html")

    def behave(self, vendor: str, mode: Mode) -> None:
        """Change a robot's mode; what hangs is let go."""
        self.robots[vendor].mode = mode
        self.robots[vendor].limit.clear()
        self.let_go()

    def let_go(self) -> None:
        """End the requests that hang."""
        self._hanging.set()
        self._hanging = asyncio.Event()


def create_api(settings: RobotSettings) -> FastAPI:
    """Make the stand-ins."""
    phone = Phone(settings)
    app = FastAPI(title="Chat robots (stand-ins)", version="0.1.0", max_body_size=_BODY_BYTES_MAX, openapi_url=None)
    app.state.phone = phone

    async def wecom(request: Request) -> Response:
        return await phone.receive("wecom", request)

    async def dingtalk(request: Request) -> Response:
        return await phone.receive("dingtalk", request)

    async def messages(vendor: Name | None = None) -> list[dict[str, Any]]:
        return [asdict(shown) for shown in phone.shown if vendor in {None, shown.vendor}]

    async def forget() -> Response:
        phone.shown.clear()
        return Response(status_code=204)

    async def robots() -> dict[str, dict[str, Any]]:
        return {
            name: {"mode": robot.mode, "requests": phone.requests[name], "per_minute": robot.limit.per_minute}
            for name, robot in phone.robots.items()
        }

    async def behave(vendor: str, behaviour: Behaviour) -> Response:
        if vendor not in phone.robots:
            raise HTTPException(404, f"There is no robot {vendor!r}; there are {', '.join(phone.robots)}")
        phone.behave(vendor, behaviour.mode)
        return Response(status_code=204)

    async def page() -> HTMLResponse:
        return HTMLResponse(_PAGE, headers=_PAGE_HEADERS)

    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    app.add_api_route("/cgi-bin/webhook/send", wecom, methods=["POST"])
    app.add_api_route("/robot/send", dingtalk, methods=["POST"])
    app.add_api_route("/messages", messages, methods=["GET"])
    app.add_api_route("/messages", forget, methods=["DELETE"])
    app.add_api_route("/robots", robots, methods=["GET"])
    app.add_api_route("/robots/{vendor}", behave, methods=["PUT"])
    app.add_api_route("/", page, methods=["GET"])
    app.add_api_route("/healthz", healthz, methods=["GET"])
    return app


def _answer(verdict: Verdict) -> JSONResponse:
    # HTTP 200, like the vendors
    return JSONResponse({"errcode": verdict.errcode, "errmsg": verdict.errmsg})


async def _broken_off() -> AsyncIterator[bytes]:
    """Less than Content-Length promises: the server then closes the connection."""
    yield b'{"errcode"'
    raise ConnectionResetError
