"""From a fault to the messages, at full length, five times: about 40 minutes, so `make test-long`.

A shop that fails altogether reaches 5 % of a five-minute window after 15 s; the rule waits 120 s; a scrape may be 10 s
old, an evaluation 15 s; Alertmanager waits 10 s; 10 s are left to deliver: 180 s. docs/alert-delay.md has the figures.
"""

import statistics
import time
from collections.abc import Callable

import pytest
from clients import Stack, eventually

from ops.drills.stage import here
from ops.drills.timeline import CHANNELS, Timeline

pytestmark = pytest.mark.long

RUNS = 5
MEDIAN_SECONDS = 180
LONGEST_SECONDS = 200
ALERT = "LowSuccessRate"  # of the two that see it, HighErrorRate is the one that is silenced
STEPS = ("pending", "firing", "alertmanager", *CHANNELS)


def drained(stack: Stack) -> Callable[[], bool]:
    """No request of the last five minutes failed, so each run begins as the first did."""
    return lambda: (
        stack.prometheus.value("job:http_errors:ratio_rate5m") == 0
        and not stack.prometheus.query(f'ALERTS{{alertname="{ALERT}"}}')
    )


def run(stack: Stack) -> dict[str, float]:
    """Break the shop, and say after how many seconds each step was reached."""
    eventually(drained(stack), within=600, every=2, what="five minutes without an error")
    stage = here()
    began = time.time()
    timeline = Timeline(stage, began)
    with stage.switches.fault("errors", seconds=LONGEST_SECONDS + 100):

        def told() -> bool:
            timeline.look()
            return timeline.told(ALERT)

        eventually(told, within=LONGEST_SECONDS + 60, every=0.5, what=f"{ALERT} by every channel")
    reached = {step: timeline.at(ALERT, step) for step in STEPS}
    return {step: at - began for step, at in reached.items() if at is not None}


def test_fault_to_message(stack: Stack) -> None:
    runs = []
    for number in range(1, RUNS + 1):
        runs.append(run(stack))
        shown = ", ".join(f"{step} {seconds:.1f}" for step, seconds in runs[-1].items())
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} run {number}: {shown}", flush=True)  # noqa: T201 - the figures are the result
    slowest = [max(one[channel] for channel in CHANNELS) for one in runs]
    assert statistics.median(slowest) <= MEDIAN_SECONDS, slowest
    assert max(slowest) <= LONGEST_SECONDS, slowest
    eventually(drained(stack), within=600, every=2, what="the last message that it is over")
