"""A disk that is really full: no line is torn, none lost without a word; what the files cannot take goes to stderr."""

import json
import subprocess
from collections import Counter
from typing import Any

from clients import Stack
from log_proof import SCRIPT

LINES = 8_000


def numbers(text: str) -> Counter[int]:
    """The numbers of the lines in a text; each must be whole."""
    found: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines() if line]
    return Counter(int(line["meta"]["number"]) for line in found)


def test_a_full_disk(stack: Stack) -> None:
    """Two megabytes for four megabytes of lines."""
    script = f"python - disk exact {LINES} 100000 && cat /var/log/ecommerce/combined*.log"
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--interactive", "--network=none", "--read-only"),
            *("--tmpfs=/var/log/ecommerce:size=2m,uid=10001", "--env=LOG_CONSOLE=off", "--env=LOG_QUEUE_SIZE=100000"),
            *(stack.config["services"]["app"]["image"], "sh", "-c", script),
        ],
        input=SCRIPT.read_text(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1000:]
    report, _, files = done.stdout.partition("\n")
    written, elsewhere = numbers(files), numbers(done.stderr)
    assert written
    assert elsewhere
    assert written + elsewhere == Counter(range(LINES))
    counted = json.loads(report)
    assert (counted["written"], counted["dropped"]) == (len(written), len(elsewhere))
