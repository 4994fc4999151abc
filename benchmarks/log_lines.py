"""CPU of one log line, all threads included: `python -m benchmarks.log_lines LIBRARY FOLDER`.

Each library writes JSON lines to a file that rotates at 5 MB, 5 kept, in its cheapest documented way; ours redacts,
the others do not. Every line must be in the files at the end: a dropped line costs nothing.
"""

import json
import logging
import logging.handlers
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LINES = 15_000
_WARM_UP = 1_000
_BATCH = 250
_PAUSE_SECONDS = 0.025  # between batches: no queue overflows, whoever has one
_MAX_BYTES = 5_000_000
_KEPT = 5

Log = Callable[[str, Mapping[str, Any]], None]
Library = Callable[[Path], tuple[Log, Callable[[], None]]]


def ours(folder: Path) -> tuple[Log, Callable[[], None]]:
    """Log with this project's library: redacted, written by a thread of its own."""
    from observability import get_logger, logs  # noqa: PLC0415 - no library beside another
    from observability.settings import LogSettings  # noqa: PLC0415 - no library beside another

    rotation: dict[str, Any] = {"log_max_bytes": _MAX_BYTES, "log_backup_count": _KEPT}
    logs.configure(LogSettings(log_path=str(folder), log_console="off", **rotation), "benchmark")
    logger = get_logger("shop.orders")
    return lambda message, fields: logger.info(message, **fields), lambda: logs.shutdown(10)


def python_json_logger(folder: Path) -> tuple[Log, Callable[[], None]]:
    """python-json-logger over logging."""
    from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415 - no library beside another

    handler = _rotating(folder)
    handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(process)d %(message)s"))
    logger = _stdlib_logger(handler)
    return lambda message, fields: logger.info(message, extra=fields), handler.flush


def structlog_over_stdlib(folder: Path) -> tuple[Log, Callable[[], None]]:
    """structlog, rendered within structlog, written by logging."""
    import structlog  # noqa: PLC0415 - no library beside another

    handler = _rotating(folder)
    handler.setFormatter(logging.Formatter("%(message)s"))
    _stdlib_logger(handler)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.processors.UnicodeDecoder(),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logger = structlog.get_logger("shop.orders")
    return lambda message, fields: logger.info(message, **fields), handler.flush


def loguru(folder: Path) -> tuple[Log, Callable[[], None]]:
    """loguru, serialized, written by the caller."""
    from loguru import logger  # noqa: PLC0415 - no library beside another

    logger.remove()
    logger.add(folder / "combined.log", serialize=True, rotation=_MAX_BYTES, retention=_KEPT)
    return lambda message, fields: logger.info(message, **fields), logger.remove


LIBRARIES: dict[str, Library] = {
    library.__name__: library for library in (ours, python_json_logger, structlog_over_stdlib, loguru)
}


def _rotating(folder: Path) -> logging.Handler:
    return logging.handlers.RotatingFileHandler(folder / "combined.log", maxBytes=_MAX_BYTES, backupCount=_KEPT)


def _stdlib_logger(handler: logging.Handler) -> logging.Logger:
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    return logging.getLogger("shop.orders")


def _fields(number: int) -> dict[str, Any]:
    """Return what a line about an order tells: some of it new in each line, some of it again and again."""
    return {
        "orderId": f"0198c0de-7000-7abc-9def-{number:012x}",
        "userId": f"0198c0de-7000-7abc-8fed-{number % 500:012x}",
        "requestId": f"0198c0df-7000-7abc-9def-{number:012x}",
        "url": f"/api/v1/orders/{number}",
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "ip": f"203.0.113.{number % 250}",
        "amountCents": 1_990 + number,
        "items": 3,
        "responseTime": 12.5 + number % 7,
    }


def main() -> None:
    """Measure, and print the microseconds of a line."""
    library, folder = sys.argv[1], Path(sys.argv[2])
    log, close = LIBRARIES[library](folder)
    lines = [_fields(number) for number in range(_WARM_UP + LINES)]
    before = 0.0
    for first in range(0, len(lines), _BATCH):
        if first == _WARM_UP:
            time.sleep(_PAUSE_SECONDS * 4)
            before = time.process_time()
        for fields in lines[first : first + _BATCH]:
            log("Order created", fields)
        time.sleep(_PAUSE_SECONDS)
    close()
    cost = (time.process_time() - before) / LINES * 1e6
    files = list(folder.glob("*combined*"))
    found = sum(file.read_bytes().count(b"\n") for file in files if file.is_file())
    if found != len(lines):
        raise RuntimeError(f"{library}: {found} of {len(lines)} lines are in {len(files)} files")
    print(json.dumps({"us": cost}))


if __name__ == "__main__":
    main()
