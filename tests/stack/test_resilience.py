"""Killing things: whatever dies, `make up` mends it, and no order is lost. A `make up` each, so `make test-long`."""

import signal
import subprocess
import sys
import time

import pytest
from clients import ROOT, Stack, compose, eventually
from customer import Customer

pytestmark = pytest.mark.long

# One-shots are over, and simulated customers hold nothing.
SERVICES = (
    "app",
    "payments-gateway",
    "postgres",
    "redis",
    "prometheus",
    "alertmanager",
    "notifier",
    "elasticsearch",
    "jaeger",
    "portal",
)


def make_up() -> "subprocess.Popen[str]":
    """Start what `make up` starts, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "ops", "up"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def succeeds(process: "subprocess.Popen[str]") -> str:
    """Wait for its end; it must be a good one."""
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return output


def statuses(stack: Stack, orders: list[str]) -> dict[str, str]:
    """What PostgreSQL holds of these orders."""
    quoted = ",".join(f"'{order}'" for order in orders)
    return {row[0]: row[1] for row in stack.postgres.rows(f"SELECT id, status FROM orders WHERE id IN ({quoted})")}


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_service_comes_back_and_no_order_is_lost(stack: Stack, service: str) -> None:
    customer = Customer(stack.shop)
    orders = []
    for _ in range(3):
        created = customer.order()
        assert created.status == 201, created.body
        assert customer.pay(created.body["id"]).status == 200
        orders.append(created.body["id"])
    compose("kill", service)
    output = succeeds(make_up())
    assert "Ready after" in output
    assert statuses(stack, orders) == dict.fromkeys(orders, "paid")
    after = customer.order()
    assert after.status == 201, after.body


@pytest.mark.usefixtures("stack")
def test_make_up_killed_half_way_starts_again() -> None:
    compose("stop", "app", "prometheus", "jaeger")
    half_way = make_up()
    eventually(
        lambda: "app" not in compose("ps", "--status", "exited", "--services").split(),
        within=120,
        what="the shop's container is being started",
        every=0.2,
    )
    half_way.send_signal(signal.SIGKILL)
    half_way.wait(timeout=10)
    assert half_way.stdout is not None
    half_way.stdout.close()
    began = time.monotonic()
    output = succeeds(make_up())
    assert "traces (Jaeger)" in output
    assert time.monotonic() - began < 600


def test_make_up_after_make_down(stack: Stack) -> None:
    customer = Customer(stack.shop)
    order = customer.order()
    assert order.status == 201, order.body
    down = subprocess.run(
        [sys.executable, "-m", "ops", "down"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert down.returncode == 0, down.stderr
    succeeds(make_up())
    assert statuses(stack, [order.body["id"]]) == {order.body["id"]: "created"}
