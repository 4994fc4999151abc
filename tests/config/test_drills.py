"""No alert that no drill brings to people without a written reason, and no drill that was not played."""

import datetime as dt
import re

import pytest
from alerts import ALERTS

from ops.drills import table
from ops.drills.catalogue import CANNOT, DRILLS, UNHEARD, Drill, shared
from ops.drills.timeline import CHANNELS

HEARD = {alert for drill in DRILLS.values() for alert in drill.causes}
SILENCED = {alert for drill in DRILLS.values() for alert in drill.silences}
ROWS = [
    dict(zip(table.HEAD, row.split(" | "), strict=True))
    for row in re.findall(r"^\| (.+) \|$", table.PATH.read_text(encoding="utf-8"), re.MULTILINE)[2:]
]


@pytest.mark.parametrize("name", ALERTS)
def test_alert_reaches_people_in_a_drill_or_has_a_reason(name: str) -> None:
    assert (name in HEARD) + (name in UNHEARD) + (name in CANNOT) == 1
    assert name not in UNHEARD or name in SILENCED, "fires in no drill: a reason why none can cause it is wanted"
    assert name not in CANNOT or name not in SILENCED, "fires in a drill"


def test_every_drill_was_played_and_the_table_has_no_others() -> None:
    """At full length, as `make drill FAULT=all` writes it down."""
    played = [(row["drill"], row["alert"]) for row in ROWS]
    assert played == sorted((drill.name, alert) for drill in DRILLS.values() for alert in drill.causes)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['drill']}-{row['alert']}")
def test_a_row_tells_of_the_whole_way_and_its_day(row: dict[str, str]) -> None:
    for step in ("pending", "firing", *CHANNELS, "undone", "told it is over"):
        assert row[step].isdecimal(), step
    assert row["silenced"] == (", ".join(DRILLS[row["drill"]].silences) or "–")
    day, _, machine = row["date, machine"].partition(", ")
    assert dt.date.fromisoformat(day)
    assert machine


@pytest.mark.parametrize("drill", DRILLS.values(), ids=DRILLS.keys())
def test_drill(drill: Drill) -> None:
    assert re.fullmatch(r"[a-z][a-z-]+", drill.name)
    assert drill.causes, "a drill that nobody hears of"
    assert not set(drill.causes) & set(drill.silences)
    assert set(drill.causes + drill.silences) <= set(ALERTS)


def test_reasons_are_of_alerts_and_are_reasons() -> None:
    reasons = UNHEARD | CANNOT
    assert set(reasons) <= set(ALERTS)
    assert all(len(reason) > 20 for reason in reasons.values())


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
