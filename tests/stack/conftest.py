"""Fixtures of the tests that hit the running stack."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import Stack, compose, elasticsearch_kept

HERE = Path(__file__).parent

# The new stack's first minute is its customers', for test_dashboards.py looks back at it. While the fault switches are
# played nobody asks Elasticsearch, which is when test_logs_exact.py stops it. The slowest rules are five minutes apart.
FIRST = (
    *("test_order.py", "test_shop_openapi.py", "test_fault_switches.py"),
    *("test_traces_sampled.py", "test_logs_types.py", "test_logs_exact.py"),  # beside them: see tests/conftest.py
)
LAST = ("test_dashboards.py", "test_alerts.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.stack)
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """Sooner or later; the sort keeps the order of what has the same turn."""
    if HERE not in item.path.parents:
        return -len(FIRST) - 1
    name = item.path.name
    return FIRST.index(name) - len(FIRST) if name in FIRST else 1 + LAST.index(name) if name in LAST else 0


@pytest.fixture(scope="module", autouse=True)
def elasticsearch_stays() -> Iterator[None]:
    """Nobody stops Elasticsearch while a module's tests run; those that do stop it have their own of this."""
    with elasticsearch_kept():
        yield


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The running stack. One that does not run fails at once, with what to do: these tests are never skipped for it."""
    running = compose("ps", "--status", "running", "--services").split()
    assert "app" in running, 'the stack does not run: "make up" starts it, "make test" does so by itself'
    return Stack()


@pytest.fixture(scope="module")
def shoppers_off(stack: Stack) -> Iterator[None]:
    """Nobody asks the shop for anything but the tests of this module."""
    assert stack
    running = "shoppers" in compose("ps", "--status", "running", "--services").split()
    compose("stop", "shoppers")
    yield
    if running:
        compose("start", "shoppers")
