"""When customers come: an open loop, so a slow shop does not slow them down (closed loops hide outages)."""

import math
import random
from collections.abc import Iterator

REQUESTS_A_VISIT = 6.4
"""Mean over many seeds of what `visit.py` does; a test holds it to that."""

_SWING = 0.5  # the busy hour has three times the customers of the quiet one


def rhythm(at: float, day_seconds: float) -> float:
    """Return how busy the moment `at` (seconds since the start) is; 1 is the day's mean."""
    if day_seconds == 0:
        return 1.0
    return 1.0 + _SWING * math.sin(2 * math.pi * at / day_seconds)


def arrivals(rate: float, day_seconds: float, seed: int) -> Iterator[tuple[float, random.Random]]:
    """Yield for each visit its time (seconds since the start) and the dice that decide what happens in it.

    `rate` is in requests a second. Times are a Poisson process whose rate follows the day: made at the busiest rate,
    then thinned out.
    """
    dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
    busiest = rate / REQUESTS_A_VISIT * (1 + (_SWING if day_seconds else 0))
    at, visits = 0.0, 0
    while True:
        at += dice.expovariate(busiest)
        if dice.random() * (1 + (_SWING if day_seconds else 0)) < rhythm(at, day_seconds):
            visits += 1
            yield at, random.Random(f"{seed}:{visits}")  # noqa: S311 - each visit its own: none depends on another's time
