"""From a fault to the messages, at full length, five times: about 40 minutes, so `make test-long`.

A shop that fails altogether reaches 5 % of a five-minute window after 15 s; the rule waits 120 s; a scrape may be 10 s
old, an evaluation 15 s; Alertmanager waits 10 s; 10 s are left to deliver: 180 s. docs/alert-delay.md has the figures.

The 15 s are those of a traffic that stays when the shop fails. Simulated customers go home at their first error, and
one request in seven is left; so the test sends its own, at one rate, before, during and between the faults.
"""

import statistics
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests
from clients import Stack, eventually

from ops.drills.stage import here
from ops.drills.timeline import CHANNELS, Timeline

pytestmark = pytest.mark.long

RUNS = 5
MEDIAN_SECONDS = 180
LONGEST_SECONDS = 200
ALERT = "LowSuccessRate"  # of the two that see it, HighErrorRate is the one that is silenced
RATE = 20.0  # requests a second, four times the simulated customers'
WINDOW_SECONDS = 315  # five minutes, and the age of a scrape
STEPS = ("pending", "firing", "alertmanager", *CHANNELS)


@pytest.fixture
def steady(stack: Stack) -> Iterator[None]:
    """Traffic that stays, whatever it is answered; for so long already that it is what the window is full of."""
    ends = threading.Event()

    def send() -> None:
        session, due = requests.Session(), time.monotonic()
        while not ends.wait(max(0.0, due - time.monotonic())):
            session.get(f"{stack.shop.url}/api/v1/products?limit=1", timeout=10)
            due += 1 / RATE

    thread = threading.Thread(target=send)
    thread.start()
    time.sleep(WINDOW_SECONDS)
    yield
    ends.set()
    thread.join()


def drained(stack: Stack) -> Callable[[], bool]:
    """For five minutes no request failed, so each run begins as the first did."""
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


@pytest.mark.usefixtures("steady")
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
