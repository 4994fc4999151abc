"""Start and stop, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def run(code: str, folder: Path) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "app"), "LOG_PATH": str(folder), "LOG_CONSOLE": "off"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_the_collector_leaves_alone_what_is_there_at_the_start_and_collects_what_comes_later(tmp_path: Path) -> None:
    said = run(
        """
        import gc, weakref
        import observability

        class Node: ...

        observability.start(service="t")
        frozen, walked = gc.get_freeze_count(), len(gc.get_objects())
        node = Node()
        node.itself = node
        seen = weakref.ref(node)
        del node
        gc.collect()
        observability.shutdown()
        observability.start(service="t")
        print(frozen > 10_000, walked < frozen / 10, seen() is None, gc.get_freeze_count() <= frozen)
        print(gc.get_threshold()[0] == 10_000)
        observability.shutdown()
        """,
        tmp_path,
    )
    assert said == ["True"] * 5


def test_a_threshold_that_somebody_has_set_stays(tmp_path: Path) -> None:
    said = run(
        """
        import gc
        import observability

        gc.set_threshold(1_000, 5, 5)
        observability.start(service="t")
        print(*gc.get_threshold())
        observability.shutdown()
        """,
        tmp_path,
    )
    assert said == ["1000", "5", "5"]
