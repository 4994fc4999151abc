"""Running programs."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from ops.console import OpsError, item

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
"""What is made on the way and can be made again."""


def settle_home() -> None:
    """Give tools a home folder where this user has none to write to: a bare uid, a service account."""
    try:
        home = Path.home()
    except RuntimeError:  # neither HOME nor an entry in /etc/passwd
        home = Path("/nonexistent")
    if not os.access(home, os.W_OK):
        home = BUILD / "home"
        home.mkdir(parents=True, exist_ok=True)
    os.environ["HOME"] = str(home)


def run(args: Sequence[str], *, timeout: float = 60, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a program with no input, keep its output; a program that is missing or hangs is a failed one."""
    try:
        return subprocess.run(
            args,
            cwd=cwd,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(args, 127, "", f"{args[0]}: not found")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(args, 124, "", f"{' '.join(args[:3])}: no answer within {timeout:.0f} s")


def tail(text: str, lines: int = 8) -> str:
    """Give the last lines that are not blank."""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


def run_long(args: Sequence[str], *, log: Path, what: str, attempts: int = 1, remedy: str = "") -> None:
    """Run a program whose output only matters when it fails; it goes to `log`, and is tried `attempts` times.

    Raises OpsError with the last lines of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(1, attempts + 1):
        with log.open("w") as out:
            code = subprocess.run(
                args, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, check=False
            ).returncode
        if code == 0:
            return
        if attempt < attempts:
            item(f"{what} failed, trying again ({attempt + 1} of {attempts})")
            time.sleep(3 * attempt)
    raise OpsError(f"{what} failed", remedy or f"read {log}, then try again", tail(log.read_text(errors="replace")))
