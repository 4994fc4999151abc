"""`make logs`, as a person uses it: a request is found by each of its ids, by text and level, and as it comes."""

import os
import select
import subprocess
import sys
import time
from functools import partial

import pytest
from clients import ROOT, Stack, eventually
from customer import Answer, Customer

COMMAND = [sys.executable, "-m", "ops", "logs"]


def logs(**variables: str) -> str:
    """What `make logs` prints with these variables."""
    done = subprocess.run(
        COMMAND,
        cwd=ROOT,
        env={**os.environ, "SINCE": "15m", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def customer(stack: Stack) -> Customer:
    return Customer(stack.shop)


@pytest.fixture(scope="module")
def refused(customer: Customer) -> Answer:
    """An answer of 404, logged as WARN."""
    answer = customer.request("GET", "/orders/019ac1f0-1f7e-7abc-8def-0123456789ab")
    assert answer.status == 404
    return answer


def test_a_request_is_found_by_its_ids(refused: Answer) -> None:
    def both(name: str) -> str:
        found = logs(Q=name)
        return found if found.count("\n") >= 2 else ""

    for name in (refused.request_id, refused.trace_id, f"requestId:{refused.request_id}"):
        shown = eventually(partial(both, name), within=30, what=name, every=1)
        started, completed = [line for line in shown.splitlines() if "GET /api/v1/orders/" in line]
        assert "started" in started
        assert f"requestId={refused.request_id} trace_id={refused.trace_id}" in completed
        assert " 404 " in completed


def test_words_narrow_it_down(refused: Answer, customer: Customer) -> None:
    def found(query: str) -> bool:
        return refused.request_id in logs(Q=query, LIMIT="1000")

    mine = f"userId:{customer.user_id}"
    eventually(lambda: found(f"{mine} level:WARN"), within=30, what="the warning", every=1)
    assert found(f'{mine} status:404 "GET /api/v1/orders"')
    assert not found(f"{mine} level:ERROR")
    assert not found(f"{mine} -status:404 -event:request.started")


def test_following_shows_what_comes(customer: Customer) -> None:
    following = subprocess.Popen(
        COMMAND,
        cwd=ROOT,
        env={**os.environ, "Q": f"userId:{customer.user_id} event:request.completed", "FOLLOW": "1", "SINCE": "1s"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None
    try:
        time.sleep(3)
        answer = customer.request("GET", "/users/me")
        deadline, shown = time.monotonic() + 30, ""
        while answer.request_id not in shown:
            ready, _, _ = select.select([following.stdout], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"not shown; shown was {shown!r}"
            shown += os.read(following.stdout.fileno(), 65_536).decode()
    finally:
        following.terminate()
        _, errors = following.communicate(timeout=10)
    assert shown.count(answer.request_id) == 1
    assert (following.returncode, errors) == (0, "")


@pytest.mark.usefixtures("stack")
def test_a_value_that_cannot_be_is_said() -> None:
    done = subprocess.run(
        COMMAND,
        cwd=ROOT,
        env={**os.environ, "Q": "status:many"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "a value is not of its field's type" in done.stderr
    assert "→ Q=status:500" in done.stderr
