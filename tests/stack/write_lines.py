"""Writes numbered log lines through the library at a steady rate. Runs in a container of the app's image, from stdin.

    docker compose run … app python - RUN KIND COUNT RATE <write_lines.py

The logger's name, `proof.RUN`, finds the lines again. Prints one JSON object at the end: what the library itself saw.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from observability import logs
from observability.logs.pipeline import pipeline
from observability.metrics.logs import LEVELS, lines_dropped, lines_written
from observability.settings import LogSettings, read_settings

RUN, KIND, COUNT, RATE = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
log = logs.get_logger(f"proof.{RUN}")
library = logging.getLogger(f"proof.{RUN}")
probe = logs.get_logger(f"proof.{RUN}.probe")
FOLDER = Path("/var/log/ecommerce")
MIDNIGHT = int(time.time()) // 86_400 * 86_400
VALUES: tuple[Callable[[int], Any], ...] = (
    lambda number: number,
    lambda number: f"text {number}",
    lambda number: number / 7,
    lambda number: number % 24 == 3,
    lambda _: None,
    lambda number: [number, "mixed", {"deep": [None, 1.5]}],
    lambda number: {"number": number, "nested": {"a": {"b": {"c": number}}}},
    lambda _: "2026-13-45T99:99:99Z",
    lambda number: "长" * (number % 9_000),
    lambda _: {"": "empty", ".": "a point", "a.b": 1, "a": {"b": "the same path"}, "…": None, "名 字": "x"},
    lambda number: {f"key-{number}-{index}": index for index in range(20)},
    lambda _: {"\U0001f600" * 9_000: "a key without end", "k" * 40_000: "another"},
)
"""One name in meta, every kind of value."""
TYPED = ("status", "ip", "responseTime", "error", "orderId", "route", "error.type")
"""Names that the index has a type for, here given any other."""


def exact(number: int) -> None:
    """Write every level, by structlog and by logging, and a tenth of the lines just before and after midnight."""
    text = f"Line {number}"
    meta = {
        "number": number,
        "method": "GET",
        "url": f"/api/v1/products/{number}?q=衬衫",
        "route": "/api/v1/products/{product_id}",
        "status": 200 + number % 300,
        "responseTime": number / 8,
        "ip": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0",
        "orderId": f"order-{number % 1000}",
    }
    if number % 10 == 5:
        record = library.makeRecord(library.name, logging.INFO, __file__, 0, "Line %d", (number,), None, extra=meta)
        record.created = MIDNIGHT + (number // 10 % 1000 - 500) / 1000
        library.handle(record)
    elif number % 20 == 0:
        try:
            raise ValueError(f"number {number}")  # noqa: TRY301 - a line with a stack is what is wanted
        except ValueError:
            log.exception(text, **meta)
    elif number % 7 == 0:
        log.warning(text, **meta)
    else:
        log.info(text, **meta)


def colliding(number: int) -> None:
    """Give the same names values of every type."""
    value = VALUES[number % len(VALUES)](number)
    text = f"Line {number}"
    log.info(text, number=number, value=value, **{TYPED[number % len(TYPED)]: value})


def requests(number: int) -> None:
    """Write answers as the middleware does: a tenth fails, a quarter is slow, a fifth is about an order."""
    slow, failed = number % 4 == 0, number % 10 == 0
    meta = {
        "event": "request.failed" if failed else "request.completed",
        "route": "/slow" if slow else "/fast",
        "status": 500 if failed else 200,
        "responseTime": (1_000.0 if slow else 10.0) + number % 10,
    }
    if number % 5 == 1:
        meta["orderId"] = f"order-{number}"
    text = f"GET {meta['route']} {meta['status']}"
    if failed:
        error = LookupError if slow else ValueError
        log.error(text, exc_info=error(text), **meta)
    else:
        log.info(text, **meta)


def probed(number: int) -> None:
    """Write lines as of any request, one in 25 by a logger of its own that is easy to watch for."""
    text = f"GET /api/v1/products/{number} 200"
    (log if number % 25 else probe).info(text, number=number, status=200)


def main() -> None:
    """Write, flush, report."""
    logs.configure(read_settings(LogSettings), "log-proof")
    write = {"exact": exact, "colliding": colliding, "requests": requests, "probed": probed}[KIND]
    began = time.monotonic()
    for number in range(COUNT):
        ahead = number / RATE - (time.monotonic() - began)
        if ahead > 0.005:  # seconds; sleeping for less costs more than it says
            time.sleep(ahead)
        write(number)
    assert pipeline.writer is not None
    suffix = pipeline.writer._slot.suffix
    logs.shutdown(30)
    seconds, ended = time.monotonic() - began, time.time()
    report = {
        "written": sum(lines_written.labels(level)._value.get() for level in LEVELS),
        "dropped": sum(lines_dropped.labels(reason)._value.get() for reason in ("queue_full", "write_error")),
        "seconds": round(seconds, 3),  # until the last line was in its file
        "ended": ended,
        "cpu": round(time.process_time(), 1),
        "files": sorted(path.name for path in FOLDER.glob(f"combined{suffix}.*log")),
        "suffix": suffix,
        "midnight": MIDNIGHT,
    }
    sys.stdout.write(json.dumps(report) + "\n")


main()
