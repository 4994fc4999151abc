"""Fixtures of the tests that hold configuration files to what the products themselves say of them."""

import pytest
import tools


@pytest.fixture(scope="session")
def tool() -> tools.Tool:
    return tools.run
