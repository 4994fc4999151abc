"""`make drill` mends what it broke, however it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from clients import ROOT, Stack

from ops.drills.catalogue import DRILLS
from ops.drills.stage import here

DRILL = "orders-stopped"  # its alert looks back ten minutes: what these seconds do, no Prometheus notices


def fault_runs() -> bool:
    return any(fault["name"] == "orders_stopped" for fault in here().switches.running())


@contextmanager
def drill() -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """`make drill`'s own process, when it has broken what it breaks, and what it said until then."""
    # tests that a shell runs in its background ignore SIGINT, and so would what they start
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "ops", "drill"],
        cwd=ROOT,
        env={**os.environ, "FAULT": DRILL},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    signal.signal(signal.SIGINT, previous)
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            if DRILLS[DRILL].what in line:
                break
        yield process, said
    finally:
        process.kill()
        process.communicate(timeout=10)


@pytest.fixture
def mended(stack: Stack) -> Iterator[None]:
    """Nothing of a drill before, nothing after, whatever happens."""
    assert stack.config["services"]["app"]
    DRILLS[DRILL].way.undo(here())
    yield
    DRILLS[DRILL].way.undo(here())


@pytest.mark.usefixtures("mended")
def test_interrupted_it_mends_and_killed_the_next_one_does() -> None:
    with drill() as (process, _):
        assert fault_runs()
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 130, output
        assert f"undoing {DRILL}" in output
        assert not fault_runs()
    with drill() as (process, _):
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=10)
        assert fault_runs()
    with drill() as (process, said):
        assert f"a drill was killed: undoing {DRILL}" in said
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        assert not fault_runs()


def test_without_a_name_it_lists_and_breaks_nothing(stack: Stack) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "FAULT"}
    listed = subprocess.run(
        ["make", "drill"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert "HighLatency" in listed
    assert stack.shop.session.get(f"{stack.shop.url}/healthz", timeout=10).ok
