"""kill -9 in a storm: nothing is lost, and what was in flight comes at most once more, with the same id."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx
from around import SECRET, TOKEN, Robots, alert, group, until

APP = Path(__file__).parents[3] / "app"
GROUPS, ALERTS = 10, 50
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


class Process:
    """`python -m notifier`, to be killed and started again on the same outbox and port."""

    def __init__(self, folder: Path, robots: Robots) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "NO_PROXY") if name in os.environ},
            "PYTHONPATH": str(APP),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LOG_PATH": str(folder / "logs"),
            "OTEL_SDK_DISABLED": "true",
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "WEBHOOK_TOKEN": TOKEN,
            "NOTIFIER_DATABASE": str(folder / "notifier.db"),
            "WECOM_WEBHOOK_URL": robots.wecom_url,
            "DINGTALK_WEBHOOK_URL": robots.dingtalk_url,
            "DINGTALK_SECRET": SECRET,
            "ROBOTS_ALLOW_HTTP": "true",
            "ROBOTS_PER_MINUTE": "10000",
        }
        self.folder = folder

    def start(self) -> None:
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "notifier"],
                env=self.environment,
                cwd=self.folder,
                stdout=output,
                stderr=output,
            )
        until(self._ready, 30)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        assert self._process.wait(15) in {0, -signal.SIGTERM}

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        assert self._process.wait(5) == -signal.SIGKILL

    def _ready(self) -> bool:
        assert self._process.poll() is None, (self.folder / "output").read_text()
        try:
            return httpx.get(f"{self.url}/readyz").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def storm(url: str) -> Iterator[set[str]]:
    """Alertmanager's part: it posts ten groups, each again until it has an answer. Yields the ids it was given."""
    identifiers: set[str] = set()

    def post(number: int) -> None:
        name = f"Group{number}"
        payload = group(*(alert(name, number=one) for one in range(ALERTS)), name=name)
        while True:
            try:
                answer = httpx.post(f"{url}/api/v1/alertmanager", json=payload, headers=AUTHORIZED, timeout=5)
            except httpx.TransportError:
                time.sleep(0.1)
                continue
            assert answer.status_code == 202, answer.text
            identifiers.add(answer.json()["id"])
            return

    def post_all() -> None:
        for number in range(GROUPS):
            post(number)

    thread = threading.Thread(target=post_all)
    thread.start()
    yield identifiers
    thread.join(30)
    assert not thread.is_alive()


def pages(robots: Robots, vendor: str) -> Counter[tuple[str, str]]:
    """How often each page, (id, page of pages), was shown."""
    found = (re.search(r"编号：(\w+)(?:（(\d+/\d+)）)?$", text) for text in robots.shown(vendor))
    return Counter((match[1], match[2] or "1/1") for match in found if match)


def missing(robots: Robots, vendor: str, identifiers: set[str]) -> set[str]:
    """The notifications of which a page has not been shown."""
    shown: dict[str, set[str]] = {identifier: set() for identifier in identifiers}
    for identifier, page in pages(robots, vendor):
        shown.setdefault(identifier, set()).add(page)
    return {one for one, seen in shown.items() if len(seen) != int((seen or {"0/1"}).pop().split("/")[1])}


def test_killed_in_a_storm(tmp_path: Path, robots: Robots) -> None:
    with Process(tmp_path, robots) as process:
        killed_in_a_storm(process, robots)


def killed_in_a_storm(process: Process, robots: Robots) -> None:
    # The group has seen the page, the notifier has not heard so: the one case in which a page must come twice.
    robots.behave("wecom", "lost-answer")
    with storm(process.url) as identifiers:
        until(lambda: pages(robots, "wecom") and len(pages(robots, "dingtalk")) >= 3, 20)
        process.kill()
        before = {vendor: pages(robots, vendor) for vendor in ("wecom", "dingtalk")}
        robots.behave("wecom", "ok")
        process.start()
        says_why(process)
    assert len(identifiers) == GROUPS
    for vendor in ("wecom", "dingtalk"):
        until(lambda vendor=vendor: not missing(robots, vendor, identifiers), 20)  # type: ignore[misc] # mypy does not infer lambdas with defaults
        counted = pages(robots, vendor)
        # one worker a channel: one page can have been in flight
        again = [page for page, times in counted.items() if times > 1]
        assert sum(times - 1 for times in counted.values()) <= 1, counted
        assert vendor != "wecom" or again == list(before["wecom"]), again
        # a webhook whose answer was lost is known when it comes again: no second id
        assert {identifier for identifier, _ in counted} == identifiers
        assert before[vendor].keys() <= counted.keys()
        texts = "\n".join(robots.shown(vendor))
        for number in range(ALERTS):
            assert texts.count(f"第 {number} 个实例") >= GROUPS


def says_why(first: Process) -> None:
    """A second notifier on the same outbox ends with a line that says why: it would send everything twice."""
    second = subprocess.run(
        [sys.executable, "-m", "notifier"],
        env=first.environment,  # its port is taken, too: the outbox is looked at first
        cwd=first.folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 2
    assert second.stderr.count("\n") == 1
    assert "another notifier works on" in second.stderr
