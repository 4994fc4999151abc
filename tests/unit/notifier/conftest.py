from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from around import SECRET, Notifier, Robots, notifier
from prometheus_client import REGISTRY
from smtp_server import SmtpServer

Start = Callable[..., Notifier]


@pytest.fixture(autouse=True, scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Logs into a folder of the test's own, no spans, and nothing from the environment of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOG_PATH", str(tmp_path_factory.mktemp("logs")))
        patch.setenv("LOG_CONSOLE", "off")
        patch.setenv("OTEL_SDK_DISABLED", "true")
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield


@pytest.fixture
def robots() -> Iterator[Robots]:
    made = Robots()
    yield made
    made.close()


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    made = SmtpServer()
    yield made
    made.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts notifiers on the outbox of the test."""
    with ExitStack() as stack:

        def started(**settings: Any) -> Notifier:
            return stack.enter_context(notifier(str(tmp_path / "notifier.db"), **settings))

        yield started


@pytest.fixture
def chats(robots: Robots) -> dict[str, Any]:
    """Settings for both chats."""
    return {
        "wecom_webhook_url": robots.wecom_url,
        "dingtalk_webhook_url": robots.dingtalk_url,
        "dingtalk_secret": SECRET,
    }


@pytest.fixture
def change() -> Callable[..., float]:
    """How much a series has changed since the test first asked."""
    before: dict[Any, float] = {}

    def changed(name: str, **labels: str) -> float:
        value = REGISTRY.get_sample_value(name, labels) or 0.0
        return value - before.setdefault((name, tuple(labels.items())), value)

    return changed
