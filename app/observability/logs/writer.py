"""The thread that writes lines, so that nobody who logs ever waits for a disk."""

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from observability.logs.console import Console
from observability.logs.files import RotatingFile, Slot
from observability.metrics.logs import lines_dropped, lines_written
from observability.settings import LogSettings

_GATHER_SECONDS = 0.05
"""Lines are gathered this long and written at once: 20 wake-ups a second at most, and a line is out in 50 ms."""
_BATCH = 1_000

_dropped = lines_dropped.labels("queue_full")
_not_in_file = lines_dropped.labels("write_error")

Line = tuple[str, bytes | Callable[..., bytes], tuple[Any, ...]]
"""Level, and the rendered line, or what renders it and of which parts."""


class Writer:
    """A bounded queue and the thread that empties it into the files and the console."""

    failure: OSError | None = None
    """Raised at each write while set: the fault switch log_volume_full."""

    def __init__(self, settings: LogSettings) -> None:
        folder = Path(settings.log_path)
        self._queue: SimpleQueue[Line] = SimpleQueue()
        self._limit = settings.log_queue_size
        self._slot = Slot(folder)
        suffix = self._slot.suffix
        self._combined = RotatingFile(folder, f"combined{suffix}", settings.log_max_bytes, settings.log_backup_count)
        self._errors = RotatingFile(folder, f"error{suffix}", settings.log_max_bytes, settings.log_backup_count)
        self._console = Console(settings.log_console)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def put(self, level: str, line: bytes | Callable[..., bytes], *parts: Any) -> None:
        """Hand a line over, or what renders it and of which parts, which must not change any more; never waits.

        When the queue is full the line is dropped and counted.
        """
        if self._queue.qsize() >= self._limit:
            _dropped.inc()
        else:
            self._queue.put((level, line, parts))

    def close(self, timeout: float) -> None:
        """Write what is queued and stop, in about `timeout` seconds at most."""
        self._stop.set()
        self._queue.put(("", b"", ()))  # wake the thread
        self._thread.join(timeout)
        if not self._thread.is_alive():
            self._combined.close()
            self._errors.close()
            self._slot.release()

    def _run(self) -> None:
        while not self._stop.is_set():
            batch = [self._queue.get()]
            # From here on the clock wakes this thread: to be woken by who logs costs more, and costs him.
            while batch:
                self._drain(batch)
                self._stop.wait(_GATHER_SECONDS)
                batch = self._waiting()
        self._drain(self._waiting())

    def _waiting(self) -> list[Line]:
        """Return what is queued, a batch at most. Only this thread takes lines, so none of them is gone meanwhile."""
        return [self._queue.get_nowait() for _ in range(min(self._queue.qsize(), _BATCH))]

    def _drain(self, batch: list[Line]) -> None:
        while batch:
            self._write([(level, rendered) for level, line, parts in batch if (rendered := _rendered(line, parts))])
            batch = self._waiting()

    def _write(self, batch: list[tuple[str, bytes]]) -> None:
        if not batch:
            return
        lines = [line for _, line in batch]
        written = self._append(self._combined, lines)
        for level, count in Counter(level for level, _ in batch[:written]).items():
            lines_written.labels(level).inc(count)
        if written < len(lines):
            _not_in_file.inc(len(lines) - written)
            _to_stderr(lines[written:])
        errors = [line for level, line in batch if level == "ERROR"]
        if errors:
            self._append(self._errors, errors)  # what it lacks is in combined.log, or went to stderr just now
        self._console.write(lines)

    def _append(self, file: RotatingFile, lines: list[bytes]) -> int:
        try:
            if self.failure is not None:
                raise self.failure
            return file.write(lines)
        except OSError:
            return 0


def _rendered(line: bytes | Callable[..., bytes], parts: tuple[Any, ...]) -> bytes:
    if isinstance(line, bytes):
        return line
    try:
        return line(*parts)
    except Exception:  # noqa: BLE001 - the thread must live, or all later lines are lost
        _not_in_file.inc()
        return b""


def _to_stderr(lines: list[bytes]) -> None:
    block = b"".join(lines)
    with contextlib.suppress(OSError):  # stderr is gone as well: the counter knows
        while block:
            block = block[os.write(2, block) :]
