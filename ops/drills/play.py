"""`make drill`: plays drills for a person, and undoes each whatever happens."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ops import compose, engine, order, up
from ops.console import OpsError, item, say, step
from ops.drills import table
from ops.drills.catalogue import CANNOT, DRILLS, UNHEARD, Drill
from ops.drills.stage import Stage, here
from ops.drills.timeline import CHANNELS, Step, Timeline
from ops.shell import BUILD

_POLL_SECONDS = 1.0
_CAUSE_SECONDS = 720.0  # from a fault until its condition holds: the longest window is ten minutes
_END_SECONDS = 1200.0  # from the fault's end until the last message: the longest window is a quarter of an hour
_WAY_SECONDS = 60.0  # from the alert to people; that has one pace, and a channel that is full waits
_ROBOTS = {"wecom": "WECOM_WEBHOOK_URL", "dingtalk": "DINGTALK_WEBHOOK_URL"}


@dataclass
class Played:
    """A drill on its way: when it was injected and undone (Unix seconds)."""

    drill: Drill
    injected: float = 0.0
    undone: float | None = None
    timeline: Timeline = field(repr=False, kw_only=True)

    @property
    def shown(self) -> bool:
        """Whether people know of every cause, as far as the fault lets them, and each alert to be silenced is."""
        if self.drill.cuts_off:
            return all(self.timeline.at(alert, "firing") for alert in self.drill.causes)
        return all(map(self.timeline.told, self.drill.causes)) and all(
            self.timeline.at(alert, "silenced") for alert in self.drill.silences
        )

    @property
    def over(self) -> bool:
        """Whether people know by every channel that what fired is over, late as its message may come.

        And what was to be silent is quiet: it might be told of when its explanation has ended before it.
        """
        fired, silent = (
            [alert for alert in alerts if self.timeline.at(alert, "firing")]
            for alerts in (self.drill.causes, self.drill.silences)
        )
        return (
            self.undone is not None
            and all(self.timeline.told(a) and self.timeline.over(a) for a in fired)
            and all(self.timeline.at(a, "quiet") for a in silent)
        )

    def missing(self) -> list[str]:
        """Say what did not come."""
        alerts, timeline = self.drill.causes, self.timeline
        lacking = [f"{a} did not reach {c}" for a in alerts for c in timeline.channels if not timeline.at(a, c)]
        lacking += [f"{a} was not silenced" for a in self.drill.silences if not timeline.at(a, "silenced")]
        lacking += [f"{a}'s end was not told" for a in alerts if not timeline.over(a)]
        lacking += [f"{a} was told of, although explained" for a in self.drill.silences if a in timeline.alerts()]
        return lacking


def unexpected(wave: Sequence[Played]) -> list[str]:
    """Name what people were told of that none of the drills of a wave should cause: one fault is one message."""
    expected = {alert for one in wave for alert in one.drill.raises}
    return [alert for alert in wave[0].timeline.alerts() if alert not in expected]


def drill() -> int:
    """Play the drill FAULT, several (`a,b`) or `all`; without it list them."""
    wanted = os.environ.get("FAULT", "")
    if not wanted:
        for line in listing():
            say(line)
        return 0
    names = list(DRILLS) if wanted == "all" else wanted.split(",")
    if unknown := [name for name in names if name not in DRILLS]:
        raise OpsError(f"there is no drill {', '.join(unknown)}", "take one of these", "\n".join(listing()))
    engine.require()
    compose.allow_unset_registry()
    with up.lock():
        stage = here()
        _undo_what_was_left(stage)
        waves: dict[int, list[Drill]] = {}
        for name in names:
            waves.setdefault(DRILLS[name].wave, []).append(DRILLS[name])
        played: list[Played] = []
        failed: list[str] = []
        for number, (_, wave) in enumerate(sorted(waves.items())):
            if number:
                _wait_for_calm(stage, wave)
            now = play(stage, wave)
            table.record(now)  # at once: a game day takes hours, and may be broken off
            played += now
            failed += [f"{one.drill.name}: {what}" for one in now for what in one.missing()]
            failed += [f"{', '.join(one.drill.name for one in now)}: {a} was told of, too" for a in unexpected(now)]
    for line in table.lines(played):
        say(line)
    item(f"recorded in {table.PATH.name}")
    for what in failed:
        item(f"✗ {what}")
    return int(bool(failed))


def listing() -> list[str]:
    """Give a line or two for each drill, and one for each alert that none brings to people."""
    lines = ["make drill FAULT=name[,name…] or FAULT=all; each is undone at its end"]
    for one in DRILLS.values():
        silenced = f", which silences {', '.join(one.silences)}" if one.silences else ""
        lines += [f"  {one.name:<22}{one.what}", f"  {'':<22}→ {', '.join(one.causes)}{silenced}"]
    for title, alerts in (
        ("Alerts that nobody hears of in any drill, since another one speaks for them:", UNHEARD),
        ("Alerts that no drill can cause:", CANNOT),
    ):
        lines += [title, *(f"  {alert:<28}{why}" for alert, why in alerts.items())]
    return lines


class OnAlreadyError(OpsError):
    """An alert that a drill should cause is on before it begins; nothing was broken."""


def play(stage: Stage, drills: Sequence[Drill], *, mark: str = "") -> list[Played]:
    """Play drills side by side: inject, follow until people know, undo, follow until they know that it is over.

    `mark` stands in every message that counts; others' are not looked at.
    """
    began = time.time()
    timeline = Timeline(stage, began, mark, channels=_channels(stage))
    step(f"Drill{'s' if len(drills) > 1 else ''}: {', '.join(one.name for one in drills)}")
    _refuse_if_it_proves_nothing(stage, drills)
    patience = _durations(stage)
    running = [Played(one, timeline=timeline) for one in drills]
    with _undone(stage, running):
        for one in running:
            one.injected = time.time()
            _journal(running)
            one.drill.way.inject(stage)
            item(f"{one.injected - began:7.1f} s  {one.drill.what}")
        while not all(one.over for one in running):
            _show(timeline.look(), began)
            now = time.time()
            for one in running:
                limit = max(patience[a] for a in one.drill.causes) + _CAUSE_SECONDS * stage.pace + _WAY_SECONDS
                if one.undone is None and (one.shown or now - one.injected > limit):
                    undo(stage, one, began)
            last = max((one.undone or now) for one in running)
            if now - last > _END_SECONDS * stage.pace + _WAY_SECONDS:
                break
            time.sleep(_POLL_SECONDS)
    return running


def undo(stage: Stage, one: Played, began: float) -> None:
    """End the fault of one drill, and say so."""
    one.undone = time.time()
    one.drill.way.undo(stage)
    item(f"{one.undone - began:7.1f} s  undone: {one.drill.name}")


@contextmanager
def _undone(stage: Stage, running: Sequence[Played]) -> Iterator[None]:
    """Leave nothing broken behind: the last one injected is the first one mended."""
    try:
        yield
    finally:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        failures = []
        for one in reversed(running):
            if one.injected and one.undone is None:
                item(f"undoing {one.drill.name}")
                try:
                    one.drill.way.undo(stage)
                except (OSError, OpsError) as error:  # the next one must be mended nevertheless
                    failures.append(f"{one.drill.name}: {error}")
        try:
            stage.until_well()
        except OpsError as error:
            failures.append(str(error))
        signal.signal(signal.SIGINT, before)
        if failures:
            raise OpsError("not everything could be undone", "make up, then make drill again", "\n".join(failures))
        _PATH.unlink(missing_ok=True)


_PATH = BUILD / "drill"


def _journal(running: Sequence[Played]) -> None:
    """Note what is broken, for the next one should this process be killed."""
    _PATH.write_text("\n".join(one.drill.name for one in running if one.injected), encoding="utf-8")


def _undo_what_was_left(stage: Stage) -> None:
    if not _PATH.exists():
        return
    for name in reversed(_PATH.read_text(encoding="utf-8").split()):
        item(f"a drill was killed: undoing {name}")
        DRILLS[name].way.undo(stage)
    _PATH.unlink()


def _show(steps: Sequence[Step], began: float) -> None:
    for one in steps:
        if one.alert != "Watchdog":
            item(f"{one.at - began:7.1f} s  {one.alert:<34}{one.what}")


def _channels(stage: Stage) -> tuple[str, ...]:
    """Name the channels whose messages can be seen: those of stand-ins, not of a real group."""
    environment = stage.resolved["services"]["notifier"]["environment"]
    return tuple(c for c in CHANNELS if c not in _ROBOTS or "//chat-robots:" in environment[_ROBOTS[c]])


def _durations(stage: Stage) -> dict[str, float]:
    """Say for each alert how long its condition has to hold, as Prometheus runs it."""
    groups = order.ask(f"{stage.prometheus}/api/v1/rules?type=alert")["data"]["groups"]
    return {str(rule["name"]): float(rule["duration"]) for group in groups for rule in group["rules"]}


def _on(stage: Stage, expected: set[str]) -> list[str]:
    """Name those of the alerts that are pending or firing."""
    alerts = order.ask(f"{stage.prometheus}/api/v1/alerts")["data"]["alerts"]
    return sorted({str(alert["labels"]["alertname"]) for alert in alerts} & expected)


def _wait_for_calm(stage: Stage, drills: Sequence[Drill]) -> None:
    """Give what the wave before left in the rules' windows time to pass; `play` refuses what is on even then."""
    expected = {alert for one in drills for alert in one.causes + one.silences}
    deadline = time.monotonic() + _END_SECONDS * stage.pace
    while _on(stage, expected) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _refuse_if_it_proves_nothing(stage: Stage, drills: Sequence[Drill]) -> None:
    if already := _on(stage, {alert for one in drills for alert in one.causes}):
        raise OnAlreadyError(
            f"{', '.join(already)}: on already, so a drill would prove nothing", "wait until that is over"
        )
