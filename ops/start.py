"""Starts the services and shows each becoming healthy."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import IO, Any

from ops import compose, diagnose
from ops.compose import Container
from ops.console import item
from ops.shell import BUILD, ROOT, run

_POLL_SECONDS = 1.0
_RESTARTING_LOOKS = 10  # so often seen between two deaths, a service will not come up by waiting
_STOP_SECONDS = 300.0  # for all together; each has a grace of its own
_SILENCE_SECONDS = 15.0  # the longest time without a line, where there is no terminal to draw on
_HEALTH_SECONDS = 240.0  # for services that no other waits for, after the last one was started


class _Board:
    """Prints a line as each service gets ready, and who is waited for."""

    def __init__(self, resolved: dict[str, Any]) -> None:
        self.resolved = resolved
        self.one_shots = compose.one_shots(resolved)
        self.stale: set[str] = set()
        self.said: set[str] = set()
        self.waiting = sorted(resolved["services"])
        self.restarting: Counter[str] = Counter()
        self.began = time.monotonic()
        self.last_line = self.began
        self.live = sys.stdout.isatty()

    def already(self, containers: list[Container]) -> None:
        """Say what runs from before; compose may yet make some of it anew, and runs one-shots again."""
        ready = self._ready(containers)
        self.stale = self.one_shots & set(ready)
        there = [service for service in ready if service not in self.one_shots]
        if there:
            self._line(f"running already: {', '.join(there)}")
            self.said.update(there)

    def show(self, containers: list[Container], *, started: bool) -> None:
        """Take the newest look into account; until all was `started`, a one-shot's end may be that of the last time."""
        ready = [service for service in self._ready(containers) if started or service not in self.stale]
        self.waiting = [service for service in sorted(self.resolved["services"]) if service not in ready]
        for service in ready:
            if service not in self.said:
                self.said.add(service)
                mine = next(container for container in containers if container.service == service)
                self._line(f"✓ {service:<24}{_word(mine):<9}{self.seconds:>5.0f} s")
        for container in containers:
            self.restarting[container.service] += container.state == "restarting"
        if self.waiting and self.live:
            names = ", ".join(self.waiting)
            print(f"\r\033[K  … {self.seconds:.0f} s, waiting for {names[:90]}", end="", flush=True)
        elif self.waiting and time.monotonic() - self.last_line > _SILENCE_SECONDS:
            self._line(f"… {self.seconds:.0f} s, waiting for {', '.join(self.waiting)}")

    def _ready(self, containers: list[Container]) -> list[str]:
        unready = compose.unready(self.resolved, containers)
        return [service for service in sorted(self.resolved["services"]) if service not in unready]

    def hopeless(self, containers: list[Container]) -> list[Container]:
        """Give the containers that die again and again."""
        dying = {service for service in self.waiting if self.restarting[service] >= _RESTARTING_LOOKS}
        return [container for container in containers if container.service in dying]

    def close(self) -> None:
        """Leave the terminal clean."""
        if self.live:
            print("\r\033[K", end="", flush=True)

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self.began

    def _line(self, text: str) -> None:
        self.close()
        item(text)
        self.last_line = time.monotonic()


def start(resolved: dict[str, Any], lock: IO[str]) -> float:
    """Start every service of the resolved configuration and wait until all are ready; return the seconds it took.

    The child inherits the lock: were this process killed, the next one would wait for the child. Raises OpsError with
    what failed.
    """
    _stop_unwanted(set(resolved["services"]))
    _restart_unwell()
    board = _Board(resolved)
    board.already(compose.containers())
    log = BUILD / "up.log"
    with log.open("w") as out:
        child = subprocess.Popen(
            compose.command("up", "--detach", "--no-build", "--remove-orphans"),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=(lock.fileno(),),
        )
    try:
        _wait(board, child, log)
    finally:
        board.close()
    return board.seconds


def _wait(board: _Board, child: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = None
    while True:
        ended = child.poll() is not None
        containers = compose.containers()
        board.show(containers, started=ended)
        failed = board.hopeless(containers)
        if failed and not ended:
            child.terminate()
            child.wait()
        if ended and (child.returncode != 0 or board.waiting):
            named = compose.named_in(log.read_text(errors="replace"), containers)
            failed = failed or [container for container in containers if container.is_failed or container in named]
            deadline = deadline or time.monotonic() + _HEALTH_SECONDS
            if time.monotonic() > deadline:
                failed = failed or [container for container in containers if container.service in board.waiting]
        if failed or (ended and child.returncode != 0):
            board.close()
            raise diagnose.failure(failed, log.read_text(errors="replace"))
        if ended and not board.waiting:
            return
        time.sleep(_POLL_SECONDS)


def _stop_unwanted(wanted: set[str]) -> None:
    """Stop what a run with other profiles left: two log shippers would both read the files."""
    unwanted = {c.service for c in compose.containers(*compose.EVERY_PROFILE)} - wanted
    if unwanted:
        item(f"stopping what is not wanted any more: {', '.join(sorted(unwanted))}")
        run(
            compose.command(*compose.EVERY_PROFILE, "rm", "--stop", "--force", *sorted(unwanted)), timeout=_STOP_SECONDS
        )


def _restart_unwell() -> None:
    """Restart what runs and is not well: compose would leave it so, and fail at once for whom that waits."""
    unwell = sorted({c.service for c in compose.containers() if c.state == "running" and c.health == "unhealthy"})
    if unwell:
        item(f"restarting what is not well: {', '.join(unwell)}")
        run(compose.command("restart", *unwell), timeout=_STOP_SECONDS)


def _word(container: Container) -> str:
    return "done" if container.state == "exited" else container.health or container.state
