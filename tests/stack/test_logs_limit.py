"""How many lines a second the pipeline holds, and how much memory its shipper takes for them."""

import itertools
import os
import time
from dataclasses import dataclass

import pytest
from clients import Stack, compose, eventually
from log_proof import count, shipper, writing

from ops import budget

RATES = (1_000, 1_500, 2_000, 2_500, 3_000, 3_500, 4_000, 5_000, 6_000, 8_000, 10_000)
PROMISED = 1_000
SECONDS = 25
BEHIND = 3.0  # seconds after which the last line is searchable at the latest where nothing waits: test_logs_fresh.py


@dataclass(frozen=True)
class Played:
    """What came of one rate."""

    rate: int
    written: float
    lag: float
    memory: float
    load: float

    def __str__(self) -> str:
        """A line of the report."""
        return (
            f"{self.rate:>6,} lines a second, {self.written:,.0f} written, the last searchable {self.lag:.1f} s later; "
            f"{shipper()} {self.memory / 1e6:.0f} MB at most, load average {self.load:.1f}"
        )

    @property
    def held(self) -> bool:
        """Whether nothing was behind at the end, of the writer or of the shipper."""
        return self.written >= self.rate * 0.95 and self.lag <= BEHIND


def play(stack: Stack, rate: int) -> Played:
    """Write at a rate for a while, and wait for the last line."""
    lines, memory = rate * SECONDS, 0.0
    looks = itertools.count()
    container = compose("ps", "--quiet", shipper()).strip()
    with writing("exact", lines, rate) as writer:

        def all_there() -> bool:
            nonlocal memory
            if next(looks) % 6 == 0:  # it costs a tenth of a second of the processor that is measured
                memory = max(memory, budget.held(container))
            return count(stack.elasticsearch, {"term": {"logger": writer.logger}}) == lines

        eventually(all_there, within=SECONDS + 180, what=f"{lines} lines", every=0.5)
        seen = time.time()
        report = writer.report()
    assert (report["written"], report["dropped"]) == (lines, 0)
    return Played(rate, lines / report["seconds"], seen - report["ended"], memory, os.getloadavg()[0])


@pytest.mark.long
def test_the_highest_rate_that_is_held(stack: Stack) -> None:
    """Raised until the last lines come late; up to there, and there too, none is lost."""
    played: list[Played] = []
    for rate in RATES:
        played.append(play(stack, rate))
        if not played[-1].held:
            break
    shown = "\n".join(map(str, played))
    assert max((one.rate for one in played if one.held), default=0) >= PROMISED, shown
    print(shown)  # noqa: T201 - pytest -rP shows it
