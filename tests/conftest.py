"""For all tests: what was tested stands in the summary, too."""

import pytest

from ops import dotenv, images


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Repeat where a stand-in image has another version than docker-compose.yml pins: that is what was tested."""
    registry = dotenv.setting("REGISTRY")
    if (dotenv.read_ours().get("REGISTRY") if registry is None else registry) != images.PREFIX:
        return
    if found := images.drift():
        terminalreporter.section("images from packages that have another version than the pinned one", yellow=True)
        for one in found:
            terminalreporter.write_line(str(one))
