"""When a drill is over, what it lacks, and its rows in the table."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.drills import play, table
from ops.drills.catalogue import Drill
from ops.drills.play import Played, unexpected
from ops.drills.stage import Stage
from ops.drills.timeline import CHANNELS, Step, Timeline
from ops.drills.ways import Way
from ops.faults import Switches

BEGAN = 1_000_000.0
NOTHING = Way(lambda _: None, lambda _: None)
STAGE = Stage({}, Switches("", ""), prometheus="", alertmanager="", robots="", pace=0.001)


def steps(alert: str, **at: float) -> Iterator[Step]:
    """`told` and `over` stand for every channel's."""
    for what, seconds in at.items():
        for name in {"told": CHANNELS, "over": [f"{channel} over" for channel in CHANNELS]}.get(what, (what,)):
            yield Step(BEGAN + seconds, alert, name)


def played(drill: Drill, *happened: Iterator[Step], undone: float | None = 100) -> Played:
    timeline = Timeline(STAGE, BEGAN, steps=[step for each in happened for step in each])
    return Played(drill, BEGAN, None if undone is None else BEGAN + undone, timeline=timeline)


CAUSE = {"pending": 10.0, "firing": 70.0, "told": 80.0, "over": 120.0}
EXPLAINING = Drill("explaining", "", NOTHING, ("Cause",), silences=("Explained",))


def test_what_was_to_be_silent_is_followed_until_it_is_quiet() -> None:
    silenced = {"firing": 75.0, "silenced": 76.0}
    assert not played(EXPLAINING, steps("Cause", **CAUSE), steps("Explained", **silenced)).over
    over = played(EXPLAINING, steps("Cause", **CAUSE), steps("Explained", **silenced, quiet=300.0))
    assert over.over
    assert over.missing() == []


def test_it_is_not_over_before_it_is_undone_and_told() -> None:
    assert not played(EXPLAINING, steps("Cause", **CAUSE), undone=None).over
    assert not played(EXPLAINING, steps("Cause", pending=10, firing=70, told=80)).over


def test_what_is_told_of_although_explained_is_a_failure() -> None:
    told = played(EXPLAINING, steps("Cause", **CAUSE), steps("Explained", firing=75, silenced=76, told=130, quiet=300))
    assert told.missing() == ["Explained was told of, although explained"]
    assert unexpected([told]) == []


def test_whatever_else_people_were_told_of_is_a_failure() -> None:
    other = Drill("other", "", NOTHING, ("Other",), besides=("Beside",))
    one = played(EXPLAINING, *(steps(name, told=80) for name in ("Cause", "Other", "Beside", "Stranger")))
    assert unexpected([one, Played(other, BEGAN, timeline=one.timeline)]) == ["Stranger"]


def test_a_drill_that_is_played_again_replaces_its_own_rows(tmp_path: Path) -> None:
    path = tmp_path / "drills.md"
    two = Drill("two", "", NOTHING, ("Cause", "Late"))
    table.record([played(two, steps("Cause", **CAUSE)), played(EXPLAINING, steps("Cause", **CAUSE))], path)
    table.record([played(two, steps("Cause", **CAUSE), steps("Late", pending=20, firing=90, told=99, over=160))], path)
    where = table.rows(played(two))[0][-1]
    assert path.read_text(encoding="utf-8").splitlines()[-3:] == [
        f"| explaining | Cause | 10 | 70 | 80 | 80 | 80 | 100 | 20 | – | {where} |",
        f"| two | Cause | 10 | 70 | 80 | 80 | 80 | 100 | 20 | – | {where} |",
        f"| two | Late | 20 | 90 | 99 | 99 | 99 | 100 | 60 | – | {where} |",
    ]


@dataclass
class Looks:
    """Prometheus' active alerts, look by look; the last ones stay."""

    looks: list[set[str]]
    taken: int = 0

    def __call__(self, _: str) -> dict[str, dict[str, list[dict[str, object]]]]:
        names = self.looks[min(self.taken, len(self.looks) - 1)]
        self.taken += 1
        return {"data": {"alerts": [{"labels": {"alertname": name}} for name in names]}}


def test_a_wave_waits_for_what_the_one_before_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play, "_POLL_SECONDS", 0.001)
    looks = Looks([{"Cause", "Watchdog"}, {"Explained"}, {"Watchdog", "Stranger"}, {"Cause"}])
    monkeypatch.setattr("ops.order.ask", looks)
    play._wait_for_calm(STAGE, [EXPLAINING])
    assert looks.taken == 3


def test_a_wave_does_not_wait_for_ever_and_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(play, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr("ops.order.ask", Looks([{"Cause"}]))
    began = time.monotonic()
    play._wait_for_calm(STAGE, [EXPLAINING])
    assert 1 < time.monotonic() - began < 5
    with pytest.raises(play.OnAlreadyError, match="Cause"):
        play._refuse_if_it_proves_nothing(STAGE, [EXPLAINING])
