"""Real faults, and the messages that they cause: mail, WeCom and DingTalk, and again when it is over.

By the drills of `make drill`, against a Prometheus whose clock runs ten times as fast (quick.py); at full length a
person plays them. The three waves follow each other: within one, no drill changes what another one shows.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import pytest
from clients import Stack, eventually
from quick import Quick, quick

from ops import order
from ops.drills import ways
from ops.drills.catalogue import DRILLS, Drill, shared
from ops.drills.play import OnAlreadyError, Played, play
from ops.drills.stage import here
from ops.drills.timeline import CHANNELS, Timeline

# Nine connections in ten: the alert, and nothing that a customer would notice. The whole pool taken fails requests and
# slows them down, as the two faults beside it do: each of them could be without any effect.
POOL_NEARLY_TAKEN = replace(
    DRILLS["pool-exhaustion"],
    what="nine in ten connections of the shop's pool are taken",
    way=ways.switch("pool_exhaustion", share=0.9),
    causes=("HighDatabaseConnectionUsage",),
    besides=(),
)
WAVES: tuple[tuple[Drill, ...], ...] = (
    (DRILLS["errors"], DRILLS["latency"], POOL_NEARLY_TAKEN),
    (
        *(DRILLS["exporter-stopped"], DRILLS["postgres-connections"], DRILLS["postgres-deadlock"]),
        *(DRILLS["redis-full"], DRILLS["redis-clients"], DRILLS["log-volume-full"], DRILLS["rule-fails"]),
        *(DRILLS["alertmanager-config"], DRILLS["payment-declines"]),
    ),
    # PostgreSQL is not among them: its exporter takes 6 s to give up, more than a quick scrape waits
    (DRILLS["shop-stopped"], DRILLS["redis-stopped"], DRILLS["page-hangs"]),
)
PROVEN = [(drill.name, alert) for drill in chain(*WAVES) for alert in drill.causes]
SEEDS_FOUR = {"HighErrorRate", "HighLatency", "LowSuccessRate", "HighDatabaseConnectionUsage"}


@pytest.fixture(scope="module")
def pair(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quick]:
    with quick(stack, tmp_path_factory.mktemp("quick") / "files") as made:
        yield made


@pytest.fixture(scope="module")
def alone(stack: Stack) -> Timeline:
    """HighErrorRate, posted to the shipped Alertmanager, which knows of no LowSuccessRate of that service."""
    assert stack.alertmanager, "its own files, its own pace"
    mark = f"alone-{time.time_ns()}.localhost"
    stage = here()
    timeline = Timeline(stage, time.time(), mark)
    labels = {"alertname": "HighErrorRate", "severity": "warning", "service": mark, "symptom": "errors"}
    links = {"runbook_url": f"http://{mark}/runbooks/HighErrorRate", "dashboard_url": f"http://{mark}/d/ecommerce-red"}
    texts = {"summary": "商店 5xx 错误率过高", "description": "最近 5 分钟有 9% 的请求以 5xx 结束。"}
    stage.post_alert(labels, {**links, **texts}, seconds=15)
    return timeline


@pytest.fixture(scope="module")
def played(pair: Quick, alone: Timeline) -> dict[str, Played]:
    """Every drill, by its name, played to its end; `alone` is on its way meanwhile."""
    assert alone.mark
    causes = {alert for _, alert in PROVEN}

    def calm() -> bool:
        alerts = order.ask(f"{pair.stage.prometheus}/api/v1/alerts")["data"]["alerts"]
        active = {alert["labels"]["alertname"] for alert in alerts}
        assert not active & causes, active
        return "Watchdog" in active

    def begun_calm(wave: tuple[Drill, ...]) -> list[Played] | None:
        assert calm()
        try:
            return play(pair.stage, wave, mark=pair.mark)
        except OnAlreadyError:  # between two looks: in so short a window one declined card is a quarter of the payments
            return None

    time.sleep(5)  # a rate needs two scrapes, the slowest are 1.5 s apart
    waves = [
        eventually(
            lambda wave=wave: begun_calm(wave), within=120, what="a healthy stack in the quick Prometheus's eyes"
        )
        for wave in WAVES
    ]
    return {one.drill.name: one for wave in waves for one in wave}


@pytest.mark.parametrize("wave", WAVES, ids=lambda wave: wave[0].name)
def test_no_two_drills_of_a_wave_raise_the_same_alert(wave: tuple[Drill, ...]) -> None:
    """They share a timeline: a fault without any effect would pass by its neighbour's alert."""
    assert not shared(wave)


@pytest.mark.parametrize(("name", "alert"), PROVEN, ids=[f"{name}-{alert}" for name, alert in PROVEN])
def test_a_fault_reaches_people_and_so_does_its_end(played: dict[str, Played], name: str, alert: str) -> None:
    timeline = played[name].timeline
    assert timeline.channels == CHANNELS
    for channel in CHANNELS:
        told, over = timeline.at(alert, channel), timeline.at(alert, f"{channel} over")
        assert told, f"no message by {channel}"
        assert over, f"no message by {channel} that it is over"
        assert told < over
    quiet, undone = timeline.at(alert, "quiet"), played[name].undone
    assert quiet, "it is firing still"
    assert undone, "the fault is there still"
    assert quiet > undone, "it ended before the fault did"


def test_the_seeds_four_and_ten_others_fired(played: dict[str, Played]) -> None:
    fired = {step.alert for one in played.values() for step in one.timeline.steps if step.what == "firing"}
    assert fired >= SEEDS_FOUR
    assert len({alert for _, alert in PROVEN} - SEEDS_FOUR) >= 10


def test_a_failing_shop_is_one_message(played: dict[str, Played]) -> None:
    """HighErrorRate fires, and LowSuccessRate, which it implies, speaks for it."""
    timeline = played["errors"].timeline
    assert timeline.at("HighErrorRate", "firing")
    assert timeline.at("HighErrorRate", "silenced")
    assert not set(CHANNELS) & {step.what for step in timeline.steps if step.alert == "HighErrorRate"}


def test_a_shop_that_is_gone_says_nothing_else(played: dict[str, Played]) -> None:
    told = played["shop-stopped"].timeline.alerts()
    assert "ShopDown" in told
    assert not {alert for alert in told if alert.startswith(("High", "Low", "SLO", "Payments", "Orders"))}


def test_high_error_rate_alone_is_delivered(alone: Timeline, played: dict[str, Played]) -> None:
    assert played, "so it had time enough"

    def heard() -> bool:
        alone.look()
        return alone.told("HighErrorRate") and alone.over("HighErrorRate")

    eventually(heard, within=60, what="the message by every channel, and its end")
