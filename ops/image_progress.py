"""Shows builds side by side: a live line an image on a terminal, a plain line now and then elsewhere."""

import shutil
import sys
import time
from types import TracebackType
from typing import Self

from ops.console import item
from ops.image_build import Build, current_step

PLAIN_SECONDS = 30
_LIVE_SECONDS = 0.5


class Progress:
    """The state of each image and the time left. Seconds are of the wall clock."""

    def __init__(self, estimates: dict[str, float], side_by_side: int) -> None:
        self._estimates = estimates
        self._side_by_side = side_by_side
        self._running: dict[str, tuple[Build, float]] = {}
        self._ended: dict[str, str] = {}
        self._is_live = sys.stdout.isatty()
        self._drawn = 0
        self._shown = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def started(self, build: Build) -> None:
        """Note that a build began."""
        self._running[build.name] = (build, time.monotonic())

    def finished(self, name: str, *, failed: bool) -> None:
        """Note that a build ended, and say so for good."""
        _, since = self._running.pop(name)
        self._ended[name] = "failed" if failed else "built"
        self._clear()
        item(f"{'✗' if failed else '✓'} {name:<24} {time.monotonic() - since:4.0f} s")

    def left(self, now: float) -> float:
        """Estimate the seconds until everything is built; 0 when what still runs is late."""
        rest = {name: seconds for name, seconds in self._estimates.items() if name not in self._ended}
        for name, (_, since) in self._running.items():
            rest[name] = max(rest[name] - (now - since), 0.0)
        return max([sum(rest.values()) / self._side_by_side, *rest.values()], default=0.0)

    def show(self) -> None:
        """Draw the state, not more often than is of use."""
        now = time.monotonic()
        if not self._running or now - self._shown < (_LIVE_SECONDS if self._is_live else PLAIN_SECONDS):
            return
        self._shown = now
        head = f"{len(self._ended)} of {len(self._estimates)} built, {time_left(self.left(now))}"
        if not self._is_live:
            at = ", ".join(f"{_named(build)} {now - since:.0f} s" for build, since in self._running.values())
            item(f"{head}; now: {at}")
            return
        self._clear()
        width = shutil.get_terminal_size().columns - 1
        lines = [
            f"  … {_named(build):<24} {now - since:4.0f} s  {current_step(build.log)}"
            for build, since in self._running.values()
        ]
        lines.append(f"    {head}")
        sys.stdout.write("".join(f"{line[:width]}\n" for line in lines))
        sys.stdout.flush()
        self._drawn = len(lines)

    def _clear(self) -> None:
        if self._drawn:
            sys.stdout.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0


def _named(build: Build) -> str:
    return build.name if build.attempt == 1 else f"{build.name} (attempt {build.attempt})"


def time_left(seconds: float) -> str:
    """Say an estimate as people do."""
    if seconds <= 0:
        return "takes longer than usual"
    about = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(10, round(seconds, -1)):.0f} s"  # noqa: PLR2004 - 1.5 min
    return f"about {about} left"
