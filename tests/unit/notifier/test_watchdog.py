from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from around import Notifier, alert, group

Start = Callable[..., Notifier]


class Outside(ThreadingHTTPServer):
    """The service that waits for the ping."""

    status = 200
    pings = 0


@pytest.fixture
def outside() -> Iterator[Outside]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert isinstance(self.server, Outside)
            self.server.pings += 1
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = Outside(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_ping_is_passed_on(start: Start, outside: Outside, change: Callable[..., float]) -> None:
    change("alert_watchdog_pings_total", result="passed_on")
    made = start(deadman_url=f"http://127.0.0.1:{outside.server_port}/ping/uuid")
    watchdog = group(name="Watchdog")
    for _ in range(2):  # never a duplicate: each ping counts
        assert made.client.post("/api/v1/watchdog", json=watchdog).status_code == 204
    assert outside.pings == 2
    assert change("alert_watchdog_pings_total", result="passed_on") == 2


def test_alertmanager_hears_when_it_was_not(start: Start, outside: Outside) -> None:
    outside.status = 500
    made = start(deadman_url=f"http://127.0.0.1:{outside.server_port}/ping/uuid")
    answer = made.client.post("/api/v1/watchdog", json=group(name="Watchdog"))
    assert answer.status_code == 502
    assert answer.json()["detail"] == "DEADMAN_URL did not take the ping: HTTP 500"


def test_a_resolved_watchdog_is_no_sign_of_life(start: Start, outside: Outside) -> None:
    made = start(deadman_url=f"http://127.0.0.1:{outside.server_port}/ping/uuid")
    over = group(alert("Watchdog", status="resolved"), name="Watchdog")
    assert made.client.post("/api/v1/watchdog", json=over).status_code == 204
    assert outside.pings == 0


def test_without_an_address_there_is_nothing_to_do(start: Start) -> None:
    assert start().client.post("/api/v1/watchdog", json=group(name="Watchdog")).status_code == 204
