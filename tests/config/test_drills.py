"""No alert without a drill, or a written reason why it has none."""

import re

import pytest
from alerts import ALERTS

from ops.drills.catalogue import CANNOT, DRILLS, Drill, shared

DRILLED = {alert for drill in DRILLS.values() for alert in drill.causes + drill.silences}


@pytest.mark.parametrize("name", ALERTS)
def test_alert_has_a_drill_or_a_reason(name: str) -> None:
    assert (name in DRILLED) != (name in CANNOT), "one of both"


@pytest.mark.parametrize("drill", DRILLS.values(), ids=DRILLS.keys())
def test_drill(drill: Drill) -> None:
    assert re.fullmatch(r"[a-z][a-z-]+", drill.name)
    assert drill.causes, "a drill that nobody hears of"
    assert not set(drill.causes) & set(drill.silences)
    assert set(drill.causes + drill.silences) <= set(ALERTS)


def test_reasons_are_of_alerts_and_are_reasons() -> None:
    assert set(CANNOT) <= set(ALERTS)
    assert all(len(reason) > 20 for reason in CANNOT.values())


@pytest.mark.parametrize("wave", sorted({drill.wave for drill in DRILLS.values()}))
def test_no_two_drills_of_a_wave_raise_the_same_alert(wave: int) -> None:
    assert not shared([drill for drill in DRILLS.values() if drill.wave == wave])


def test_what_is_silenced_or_besides_counts_as_raised() -> None:
    beside = (DRILLS["errors"], DRILLS["latency"], DRILLS["pool-exhaustion"])
    assert shared(beside) == ["HighLatency", "LowSuccessRate"]
    assert shared((DRILLS["errors"], DRILLS["postgres-stopped"])) == ["HighErrorRate", "LowSuccessRate"]


def test_switches_and_the_page_before_them_do_not_share_a_wave() -> None:
    """The switches of the shop are behind the portal: frozen or stopped, it would hold up both their turns."""
    portal = {drill.wave for drill in DRILLS.values() if drill.name in {"page-hangs", "page-gone"}}
    switched = {drill.wave for drill in DRILLS.values() if drill.way.inject.__qualname__.startswith("switch.")}
    assert switched
    assert not portal & switched
