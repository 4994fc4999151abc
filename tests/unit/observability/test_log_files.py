"""Files: whole under rotation, several processes, a full disk, a killed process."""

from __future__ import annotations

import asyncio
import errno
import logging
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from observability import get_logger, logs
from observability.logs.files import RotatingFile
from observability.logs.writer import Writer
from observability.settings import LogSettings

Change = Callable[..., float]
SHAPE = ["timestamp", "level", "message", "service", "eventId", "logger", "pid", "hostname", "meta"]


def read_all(folder: Path, pattern: str = "combined*.log") -> list[dict[str, Any]]:
    files = sorted(folder.glob(pattern))
    return [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]


def run(code: str, folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": "app", "LOG_PATH": str(folder), "LOG_CONSOLE": "off", **environment}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env=env, stderr=subprocess.PIPE)


def test_a_line_has_the_documented_shape(lines: Any) -> None:
    get_logger("shop.orders").info("Order created", order_id="o1", count=3)
    logging.getLogger("library").error("%s failed", "it", extra={"attempt": 2})
    ours, theirs = lines()
    assert list(ours) == list(theirs) == SHAPE
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", ours["timestamp"])
    assert (ours["level"], ours["message"], ours["service"]) == ("INFO", "Order created", "test-service")
    assert (ours["pid"], ours["logger"], ours["meta"]) == (os.getpid(), "shop.orders", {"order_id": "o1", "count": 3})
    assert (theirs["level"], theirs["message"], theirs["meta"]) == ("ERROR", "it failed", {"attempt": 2})
    assert ours["eventId"] != theirs["eventId"]


def test_a_line_that_cannot_be_rendered_later_is_counted_and_loses_no_other(tmp_path: Path, change: Change) -> None:
    def broken() -> bytes:
        raise ValueError("broken")

    writer = Writer(LogSettings(log_path=str(tmp_path), log_console="off"))
    change("log_lines_dropped_total", reason="write_error")
    for line in (b'{"n":1}\n', broken, lambda: b'{"n":2}\n'):
        writer.put("INFO", line)
    writer.close(5)
    assert read_all(tmp_path) == [{"n": 1}, {"n": 2}]
    assert change("log_lines_dropped_total", reason="write_error") == 1


def test_a_record_of_logging_keeps_its_millisecond(lines: Any) -> None:
    for number in range(1000):
        record = logging.getLogger("x").makeRecord("x", logging.INFO, "", 0, "at %d", (number,), None)
        record.created = 1_795_478_399 + number / 1000
        logging.getLogger("x").handle(record)
    assert [line["timestamp"][-5:-1] for line in lines()] == [f".{number:03d}" for number in range(1000)]


def test_errors_are_in_both_files(lines: Any, tmp_path: Path) -> None:
    get_logger("x").info("fine")
    get_logger("x").error("bad")
    ids = [line["eventId"] for line in lines() if line["level"] == "ERROR"]
    assert [line["eventId"] for line in read_all(tmp_path / "logs", "error*.log")] == ids
    assert len(ids) == 1


def test_the_level_changes_while_it_runs(lines: Any) -> None:
    log = get_logger("x")
    log.debug("no")
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.05)
    log.debug("yes")
    os.kill(os.getpid(), signal.SIGUSR2)
    time.sleep(0.05)
    log.debug("no")
    logs.set_level("ERROR")
    log.warning("no")
    with pytest.raises(ValueError, match="LOUD"):
        logs.set_level("LOUD")
    assert [line["message"] for line in lines()] == ["yes"]


def test_rotation_loses_no_line_and_keeps_five(tmp_path: Path, change: Change) -> None:
    logs.configure(LogSettings(log_path=str(tmp_path), log_console="off", log_max_bytes=5000), "t")
    change("log_lines_written_total", level="INFO")
    for number in range(200):
        get_logger("x").info("line", number=number)
    logs.shutdown(5)
    rotated = sorted(tmp_path.glob("combined.*Z.log"))
    assert len(rotated) == 5
    assert all(4000 < file.stat().st_size <= 5000 for file in rotated)
    numbers = [
        line["meta"]["number"] for line in read_all(tmp_path, "combined.*.log") + read_all(tmp_path, "combined.log")
    ]
    assert numbers == list(range(200))[-len(numbers) :]
    assert len(numbers) > 60
    assert change("log_lines_written_total", level="INFO") == 200


def test_processes_in_one_folder_share_no_file(tmp_path: Path) -> None:
    code = """
        from observability import logs
        from observability.settings import LogSettings, read_settings
        import os, pathlib, time
        logs.configure(read_settings(LogSettings), "t")
        folder = pathlib.Path(os.environ["LOG_PATH"])
        (folder / f"{os.getpid()}.ready").touch()
        while len(list(folder.glob("*.ready"))) < 3:  # all at the same time
            time.sleep(0.01)
        for number in range(300):
            logs.get_logger("x").info("line", number=number)
        logs.shutdown(5)
    """
    processes = [run(code, tmp_path, LOG_MAX_BYTES="20000", LOG_BACKUP_COUNT="50") for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    for process in processes:
        assert process.stderr
        process.stderr.close()
    found = read_all(tmp_path)
    assert len({line["eventId"] for line in found}) == len(found) == 900
    for number, suffix in enumerate(("", "-2", "-3"), 1):
        files = [*tmp_path.glob(f"combined{suffix}.*Z.log"), tmp_path / f"combined{suffix}.log"]
        pids = {orjson.loads(line)["pid"] for file in files for line in file.read_bytes().splitlines()}
        assert len(pids) == 1, number


def test_a_slot_is_free_again_when_its_process_is_killed(tmp_path: Path) -> None:
    (tmp_path / "combined.log").write_bytes(b'{"torn":')
    for _ in range(2):
        writer = Writer(LogSettings(log_path=str(tmp_path), log_console="off"))
        writer.put("INFO", b'{"whole":1}\n')
        writer.close(5)
    assert (tmp_path / "combined.log").read_bytes() == b'{"torn":\n{"whole":1}\n{"whole":1}\n'
    assert not (tmp_path / "combined-2.log").exists()


def test_a_full_disk_tears_no_line_and_the_rest_goes_to_stderr(tmp_path: Path) -> None:
    """A file size limit makes write(2) fail half-way, as a full disk does."""
    code = """
        import resource
        from observability import logs
        from observability.metrics.logs import lines_dropped, lines_written
        from observability.settings import LogSettings, read_settings
        logs.configure(read_settings(LogSettings), "t")
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
        for number in range(100):
            logs.get_logger("x").info("line", number=number)
        import time; time.sleep(0.3)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        logs.get_logger("x").info("line", number=100)
        logs.shutdown(5)
        written = lines_written.labels("INFO")._value.get()
        dropped = lines_dropped.labels("write_error")._value.get()
        assert written + dropped == 101, (written, dropped)
        assert dropped > 0
    """
    process = run(code, tmp_path)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    in_files = [line["meta"]["number"] for line in read_all(tmp_path)]
    in_stderr = [orjson.loads(line)["meta"]["number"] for line in stderr.splitlines()]
    assert sorted(in_files + in_stderr) == list(range(101))
    assert in_files[-1] == 100


def test_a_full_queue_drops_and_counts_and_nobody_waits(tmp_path: Path, change: Change) -> None:
    writer = Writer(LogSettings(log_path=str(tmp_path), log_console="off", log_queue_size=10))
    blocked = threading.Event()
    writer._append = lambda _, lines: blocked.wait(10) and len(lines)  # type: ignore[method-assign]  # a slow disk
    change("log_lines_dropped_total", reason="queue_full")
    started = time.perf_counter()
    for _ in range(100):
        writer.put("INFO", b"{}\n")
    assert time.perf_counter() - started < 0.1
    blocked.set()
    writer.close(5)
    assert 80 <= change("log_lines_dropped_total", reason="queue_full") <= 90


async def test_the_loop_does_not_wait_for_the_disk(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write, stuck, goes_on = RotatingFile.write, threading.Event(), threading.Event()

    def slow(file: RotatingFile, block: list[bytes]) -> int:
        stuck.set()
        if not goes_on.wait(5):
            goes_on.set()  # or each line would wait
        return write(file, block)

    monkeypatch.setattr(RotatingFile, "write", slow)
    get_logger("x").info("at 0")
    assert await asyncio.to_thread(stuck.wait, 2)
    for number in range(1, 100):
        get_logger("x").error(f"at {number}")
        await asyncio.sleep(0.001)
    assert not goes_on.is_set(), "a line waited for the disk"
    goes_on.set()
    assert [line["message"] for line in lines()] == [f"at {number}" for number in range(100)]


async def test_a_disk_with_room_again_is_written_again(lines: Any, capfd: Any) -> None:
    Writer.failure = OSError(errno.ENOSPC, "full")
    try:
        get_logger("x").info("goes to stderr")
        await asyncio.sleep(0.1)
    finally:
        Writer.failure = None
    get_logger("x").info("goes to the file")
    assert [line["message"] for line in lines()] == ["goes to the file"]
    assert [orjson.loads(line)["message"] for line in capfd.readouterr().err.splitlines()] == ["goes to stderr"]


def test_a_block_larger_than_the_file_is_split_at_lines(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path, "combined", 100, 50)
    block = [b"%040d\n" % number for number in range(20)]
    assert file.write(block) == 20
    file.close()
    files = [*sorted(tmp_path.glob("combined.*Z.log")), tmp_path / "combined.log"]
    assert b"".join(path.read_bytes() for path in files) == b"".join(block)
    assert all(path.stat().st_size <= 100 for path in files)


def test_a_fork_makes_ids_of_its_own() -> None:
    from observability.ids import uuid7  # noqa: PLC0415 - in the order of the test

    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    children = [context.Process(target=lambda: queue.put(uuid7()[14:])) for _ in range(2)]
    for child in children:
        child.start()
    ids = [queue.get() for _ in children]
    for child in children:
        child.join()
    assert len({*ids, uuid7()[14:]}) == 3


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code = """
        import observability
        observability.start(service="t")
    """
    process = run(code, tmp_path / "file" / "logs")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert stderr.startswith(b"LOG_PATH: cannot write to ")
    assert stderr.count(b"\n") == 1
