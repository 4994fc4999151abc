"""For all tests: what was tested stands in the summary, too; and which of them `make test` runs side by side."""

import os
from typing import TYPE_CHECKING

import pytest

from ops import dotenv, images

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# They ask nothing of the shop: each brings its own, a Jaeger in memory or a writer of lines.
BESIDE = {f"tests/stack/test_{name}.py" for name in ("traces_sampled", "logs_types", "logs_exact", "logs_fresh")}


def part(nodeid: str) -> str:
    """Which of three parts a test is of. Those of one part run one after another, in a process of their own."""
    path = nodeid.partition("::")[0]
    if not path.startswith("tests/stack/"):
        return "without the stack"
    return "beside the shop" if path in BESIDE else "in the shop"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> "LoadScopeScheduling":
    """Hand whole parts to pytest-xdist's processes."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only `make test` has processes

    class Parts(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return part(nodeid)

    return Parts(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What needs no stack gives way to what waits for the stack's answers."""
    if hasattr(item.config, "workerinput") and part(item.nodeid) == "without the stack":
        os.setpriority(os.PRIO_PROCESS, 0, max(10, os.getpriority(os.PRIO_PROCESS, 0)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Repeat where a stand-in image has another version than docker-compose.yml pins: that is what was tested."""
    registry = dotenv.setting("REGISTRY")
    if (dotenv.read_ours().get("REGISTRY") if registry is None else registry) != images.PREFIX:
        return
    if found := images.drift():
        terminalreporter.section("images from packages that have another version than the pinned one", yellow=True)
        for one in found:
            terminalreporter.write_line(str(one))
