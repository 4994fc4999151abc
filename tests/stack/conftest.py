"""Fixtures of the tests that hit the running stack."""

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
