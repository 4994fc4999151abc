"""The notifier as it runs, with real servers around it, all on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import uvicorn
from fastapi import FastAPI

from chat_robots.api import create_api
from chat_robots.settings import RobotSettings
from notifier.app import create_app
from notifier.settings import NotifierSettings

T = TypeVar("T")

TOKEN = "a-token-for-tests-only"
SECRET = "SECtest"


def until(find: Callable[[], T], seconds: float = 5.0) -> T:
    """What `find` gives once it is truthy; fails after so many seconds."""
    ends = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < ends, f"not within {seconds:g} s"
        time.sleep(0.02)
    return found


class Server:
    """An application under uvicorn in a thread. Stopped, its port refuses; started again, it has the same port."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self.port = 0
        self.start()

    def start(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app, log_config=None, access_log=False, ws="none", lifespan="on", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],))
        self._thread.start()
        until(lambda: self._server.started or not self._thread.is_alive(), 20)
        assert self._server.started

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(15)
        assert not self._thread.is_alive()


class Robots:
    """The stand-ins of one vendor or both."""

    def __init__(self, per_minute: int = 10_000) -> None:
        settings = RobotSettings(
            wecom_key="k", dingtalk_access_token="t", dingtalk_secret=SECRET, robots_allow_per_minute=per_minute
        )
        self.app = create_api(settings)
        self.server = Server(self.app)
        self.url = f"http://127.0.0.1:{self.server.port}"
        self.wecom_url = f"{self.url}/cgi-bin/webhook/send?key=k"
        self.dingtalk_url = f"{self.url}/robot/send?access_token=t"

    def messages(self, vendor: str) -> list[dict[str, Any]]:
        """What reached the vendor's group, as the page is told."""
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/messages", params={"vendor": vendor}).json()
        return found

    def shown(self, vendor: str) -> list[str]:
        """The texts of that."""
        return [message["content"] for message in self.messages(vendor)]

    def times(self, vendor: str) -> list[float]:
        """When each of them did, in Unix seconds."""
        return [message["received_at"] for message in self.messages(vendor)]

    def requests(self, vendor: str) -> int:
        return int(httpx.get(f"{self.url}/robots").json()[vendor]["requests"])

    def behave(self, vendor: str, mode: str) -> None:
        httpx.put(f"{self.url}/robots/{vendor}", json={"mode": mode}).raise_for_status()

    def close(self) -> None:
        self.app.state.phone.let_go()
        self.server.stop()


class Notifier:
    """A notifier, and how Alertmanager speaks to it."""

    def __init__(self, settings: NotifierSettings) -> None:
        self.server = Server(create_app(settings))
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.server.port}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
        )

    def post(self, payload: dict[str, Any]) -> str:
        """Send a webhook; the notification's id."""
        answer = self.client.post("/api/v1/alertmanager", json=payload)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def dead_letters(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get("/api/v1/dead-letters").json()
        return found

    def close(self) -> None:
        self.client.close()
        self.server.stop()


@contextmanager
def notifier(database: str, **settings: Any) -> Iterator[Notifier]:
    """A notifier with settings for impatient tests."""
    impatient: dict[str, Any] = {
        "webhook_token": TOKEN,
        "notifier_database": database,
        "robots_allow_http": True,
        "robots_per_minute": 10_000,
        "delivery_timeout_seconds": 0.7,
        "delivery_backoff_seconds": 0.1,
        "smtp_security": "off",
        "smtp_from": "alerts@example.com",
        "smtp_to": "a@example.com, b@example.com",
    }
    made = Notifier(NotifierSettings(**{**impatient, **settings}))
    try:
        yield made
    finally:
        made.close()


def alert(name: str = "HighErrorRate", *, status: str = "firing", number: int = 0, **more: Any) -> dict[str, Any]:
    """One alert, as Alertmanager writes it."""
    return {
        "status": status,
        "labels": {"alertname": name, "severity": "warning", "service": "ecommerce-api", "number": str(number)},
        "annotations": {
            "summary": "商店 5xx 错误率过高",
            "description": f"第 {number} 个实例最近 5 分钟有 12.5% 的请求以 5xx 结束。",
            "runbook_url": f"http://portal.example.com/runbooks/{name}",
            "dashboard_url": "http://grafana.example.com/d/ecommerce-red",
        },
        "startsAt": "2026-11-24T02:03:04.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-11-24T02:15:09Z",
        "generatorURL": "http://prometheus.example.com/graph?g0.expr=x",
        "fingerprint": f"{hash((name, number)) & 0xFFFFFFFFFFFFFFFF:016x}",
        **more,
    }


def group(*alerts: dict[str, Any], name: str = "HighErrorRate", **more: Any) -> dict[str, Any]:
    """A webhook with these alerts, or one."""
    listed = list(alerts) or [alert(name)]
    return {
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{name}"}}',
        "truncatedAlerts": 0,
        "status": "firing" if any(one["status"] == "firing" for one in listed) else "resolved",
        "receiver": "webhook",
        "groupLabels": {"alertname": name},
        "commonLabels": {"alertname": name},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
        "alerts": listed,
        **more,
    }
