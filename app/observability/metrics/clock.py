"""A thread that does something every few seconds, on its own clock, so that no request pays for it."""

import threading
from collections.abc import Callable


class Clock:
    """Calls `tick` every `seconds` from `start` to `stop`."""

    def __init__(self, name: str, seconds: float, tick: Callable[[], None]) -> None:
        self._name = name
        self._seconds = seconds
        self._tick = tick
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start ticking, the first time now; nothing when it already does."""
        if self._thread is None:
            self._stopped.clear()
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop ticking."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopped.set()
            thread.join(1.0)

    def _run(self) -> None:
        while True:
            self._tick()
            if self._stopped.wait(self._seconds):
                return
