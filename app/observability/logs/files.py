"""Log files that several processes can keep in one folder: a slot each, renamed once when full."""

import fcntl
import os
from datetime import UTC, datetime
from pathlib import Path

_SLOTS = 100


class Slot:
    """The process's number in the folder, held by a lock that the kernel releases when the process ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, _SLOTS + 1):
            # Not the log file itself: a rename would take the lock along. Not *.log: a shipper would read it.
            fd = os.open(folder / f".slot-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                continue
            self._fd = fd
            self.suffix = "" if number == 1 else f"-{number}"
            return
        raise OSError(f"LOG_PATH: {_SLOTS} processes already log to {folder}; give this one another folder")

    def release(self) -> None:
        """Let another process have the number."""
        os.close(self._fd)


class RotatingFile:
    """A file that only this process appends to. Every write is whole lines, or nothing."""

    def __init__(self, folder: Path, name: str, max_bytes: int, keep: int) -> None:
        self._path = folder / f"{name}.log"
        self._name = name
        self._max_bytes = max_bytes
        self._keep = keep
        self._fd: int | None = None
        self._size = 0

    def write(self, lines: list[bytes]) -> int:
        """Append the lines and return how many are in the file; raise OSError only when none of them is."""
        written = 0
        try:
            while written < len(lines):
                written += self._write_some(lines[written:])
        except OSError:
            if not written:
                raise
        return written

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _write_some(self, lines: list[bytes]) -> int:
        """Append what fits the current file: at least one line."""
        fd = self._fd if self._fd is not None else self._open()
        if self._size and self._size + len(lines[0]) > self._max_bytes:
            self._rotate()
            fd = self._open()
        room, count = self._max_bytes - self._size, 0
        for line in lines:
            room -= len(line)
            if room < 0 and count:
                break
            count += 1
        block = b"".join(lines[:count])
        done = 0
        try:
            while done < len(block):
                done += os.write(fd, block[done:])
        except OSError:
            self._cut_back(fd)
            self.close()  # the next try opens anew: the folder may have been replaced or remounted
            raise
        self._size += len(block)
        return count

    def _cut_back(self, fd: int) -> None:
        """Take back a block that did not fit the disk whole: a torn line would spoil the one after it."""
        os.ftruncate(fd, self._size)

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        size = os.fstat(fd).st_size
        try:
            # A process that was killed, or a machine that lost power, can leave half a line.
            if size and os.pread(fd, 1, size - 1) != b"\n":
                size += os.write(fd, b"\n")
        except OSError:
            os.close(fd)
            raise
        self._fd, self._size = fd, size
        return fd

    def _rotate(self) -> None:
        self.close()
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        self._path.rename(self._path.with_name(f"{self._name}.{now}.log"))
        # The times sort as text. `combined.*` is not `combined-2.*`: each slot keeps its own.
        for old in sorted(self._path.parent.glob(f"{self._name}.*Z.log"))[: -self._keep]:
            old.unlink(missing_ok=True)
