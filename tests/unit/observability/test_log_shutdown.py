"""SIGTERM in the midst of traffic: every request that was answered has both its lines."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import orjson

APP = Path(__file__).parents[3] / "app"
CLIENTS = 8
REQUESTS = 400


def test_every_answered_request_has_its_lines_after_sigterm(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "payments_gateway"],
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "PYTHONPATH": str(APP),
            "LOG_PATH": str(tmp_path / "logs"),
            "LOG_CONSOLE": "off",
            "OTEL_SDK_DISABLED": "true",
            "HOST": "127.0.0.1",
            "PORT": str(port),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    answered: list[str] = []
    enough = threading.Event()

    def ask(number: int) -> None:
        """Ask for what is not there until nobody answers: quick, and logged like any request."""
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            for count in range(100_000):
                request_id = f"client-{number}-{count}"
                try:
                    answer = http.get("/v1/nothing", headers={"X-Request-ID": request_id})
                except httpx.HTTPError:
                    return
                assert answer.status_code == 404
                answered.append(request_id)
                if len(answered) >= REQUESTS:
                    enough.set()

    try:
        deadline = time.monotonic() + 30
        while health(port) != 200:
            assert time.monotonic() < deadline, process.poll()
            time.sleep(0.05)
        clients = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        assert enough.wait(60)
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    for client in clients:
        client.join(timeout=30)
    # the server's own last words come after the files are closed; no request's line may
    assert b"requestId" not in errors
    lines = [
        orjson.loads(line)
        for file in (tmp_path / "logs").glob("combined*.log")
        for line in file.read_bytes().splitlines()
    ]
    events = Counter((line.get("requestId"), line["meta"].get("event")) for line in lines)
    for request_id in answered:
        assert events[request_id, "request.started"] == 1
        assert events[request_id, "request.completed"] == 1
    assert len({line["eventId"] for line in lines}) == len(lines)


def health(port: int) -> int:
    """The health check's status; 0 when nobody answers yet."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code
    except httpx.HTTPError:
        return 0
