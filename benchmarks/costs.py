"""What is read out of the rounds: statistics to estimate."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from benchmarks.intervals import median_of

Rounds = Sequence[dict[str, Any]]
Statistic = Callable[[Rounds], float]


def cost_of(name: str, route: str, key: str | None = None) -> Statistic:
    """Return the statistic "what was measured of `name`": the median of the rounds."""
    return median_of(lambda found: float(found[name][route] if key is None else found[name][route][key]))


def over_bare(name: str, route: str) -> Statistic:
    """Return the statistic "what it costs over the bare application": the median of the rounds' differences.

    For ours that is the bare application whose collector is spared, too, where it was measured: what the library costs.
    """

    def over(rounds: Rounds) -> float:
        base = "bare_spared" if name.startswith("ours") and "bare_spared" in rounds[0] else "bare"
        return median(float(found[name][route] - found[base][route]) for found in rounds)

    return over


def times_bare(name: str, route: str, key: str, base: str = "bare") -> Statistic:
    """Return the statistic "times the bare application's": the median of the rounds' quotients."""
    return lambda rounds: median(float(found[name][route][key] / found[base][route][key]) for found in rounds)
