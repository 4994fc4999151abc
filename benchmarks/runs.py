"""Fresh processes, and the file that holds what they measured."""

import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
_PATIENCE = 300  # seconds that one process may take
_VERSIONS = (
    *("fastapi", "starlette", "uvicorn", "uvloop", "sqlalchemy", "asyncpg", "prometheus-client", "structlog"),
    *("prometheus-fastapi-instrumentator", "starlette-exporter", "opentelemetry-sdk"),
    *("opentelemetry-instrumentation-fastapi", "python-json-logger", "loguru"),
)

Round = dict[str, Any]
"""What one round measured, by scenario."""


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a measured process: this one's without anybody's telemetry settings, and `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LOG_", "FAULTS_"))}
    return {**kept, "PYTHONPATH": str(HERE.parent / "app"), **extra}


def start(module: str, *args: str, env: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start `python -m benchmarks.<module>` in a process of its own; it is told to end by closing its stdin."""
    return subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{module}", *args],
        cwd=HERE.parent,
        env=environment(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def fresh(module: str, *args: str, env: Mapping[str, str]) -> Any:
    """Run `python -m benchmarks.<module>` to its end and return what it measured: the JSON it printed last."""
    process = start(module, *args, env=env)
    output, _ = process.communicate(timeout=_PATIENCE)
    if process.returncode != 0:
        raise RuntimeError(f"{module} {' '.join(args)} ended with {process.returncode}")
    return json.loads(output.splitlines()[-1])


def shuffled(names: Sequence[str]) -> list[str]:
    """Return the names in random order."""
    return random.sample(names, len(names))


def record(part: str, count: int, measure: Callable[[], Round], *, more: bool) -> None:
    """Measure so many rounds, and keep them with what the machine was and how busy; `more` adds to those kept."""
    kept = read(part) if more else None
    if kept is None or kept["machine"] != machine():
        kept = {"machine": machine(), "pieces": [], "rounds": []}
    piece = {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "load_before": round(os.getloadavg()[0], 1)}
    kept["pieces"].append(piece)
    began = time.monotonic()
    RESULTS.mkdir(exist_ok=True)
    for number in range(count):
        kept["rounds"].append(measure())
        seconds = round(time.monotonic() - began)
        piece.update(rounds=number + 1, seconds=seconds, load_after=round(os.getloadavg()[0], 1))
        (RESULTS / f"{part}.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        print(f"  {part}: round {number + 1} of {count}, {seconds} s", flush=True)


def read(part: str) -> dict[str, Any] | None:
    """Return what was recorded of a part; None when it never ran."""
    file = RESULTS / f"{part}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def machine() -> dict[str, Any]:
    """Describe the machine and the versions compared."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": f"{os.cpu_count()} × {cpu}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in _VERSIONS},
    }
