"""`python -m shop` as a process with no configuration at all: SQLite, a cache and a payment gateway in itself."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from declared import Session

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The shop's address and its process, in a folder of its own; only the port is chosen, or two could not run."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "shop"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "app"), "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.communicate()


def test_it_sells_and_remembers_and_goes_in_peace(alone: tuple[str, "subprocess.Popen[str]"], tmp_path: Path) -> None:
    url, process = alone
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            parts = requests.get(f"{url}/readyz", timeout=5).json()["parts"]
            break
        except requests.ConnectionError:
            time.sleep(0.1)
    assert parts == {"database": "ok", "cache": "ok"}
    with Session(url) as session:
        product = session.get(f"{url}/api/v1/products", timeout=10).json()["items"][0]
        wanted = {"items": [{"product_id": product["id"], "quantity": 1}]}
        order = session.post(f"{url}/api/v1/orders", json=wanted, headers={"Idempotency-Key": "one"}, timeout=10)
        assert order.status_code == 201, order.text
        card = {"card_number": "4242424242424242", "expiry": "12/39", "cvc": "123"}
        paid = session.post(
            f"{url}/api/v1/orders/{order.json()['id']}/payment",
            json=card,
            headers={"Idempotency-Key": "two"},
            timeout=20,
        )
        assert paid.json()["status"] == "paid"
    assert (tmp_path / "shop.db").exists()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode in {0, -signal.SIGTERM}, output
    assert '"level":"ERROR"' not in output
    assert "Traceback" not in output
