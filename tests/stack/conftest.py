"""Fixtures of the tests that hit the running stack."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import Stack, compose

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.stack)


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
