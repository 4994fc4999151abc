"""The ways to break something, each with the way to mend it.

`undo` needs to know nothing of its `inject`: it may be called again, by another process, after a kill.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ops.drills import programs
from ops.drills.stage import Stage, post
from ops.urls import address

LONGEST = 1800.0
"""Seconds: no fault runs longer that can end by itself, even if the process that should undo it is killed."""

_FULL = 0.95  # of Redis's memory; at 1 it evicts
_CONNECTIONS_LEFT = 8  # for the shop's next ones, and the superuser's


REFUSED = "DrillMessage"
"""The alert whose message WeCom refuses."""


@dataclass(frozen=True)
class Way:
    """One way."""

    inject: Callable[[Stage], None]
    undo: Callable[[Stage], None]


# ── the shop ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def switch(fault: str, **options: Any) -> Way:
    """Turn a fault switch of the shop on; it ends by itself, too."""

    def start(stage: Stage) -> None:
        stage.switches.start(fault, seconds=LONGEST, **options)

    def clear(stage: Stage) -> None:
        stage.switches.clear(fault)

    return Way(start, clear)


# ── containers ───────────────────────────────────────────────────────────────────────────────────────────────────────
def stopped(service: str) -> Way:
    """Stop a service's containers."""
    return Way(lambda stage: stage.stop(service), lambda stage: stage.start(service))


def frozen(service: str) -> Way:
    """Freeze them: connections are taken and nobody answers."""
    return Way(lambda stage: stage.pause(service), lambda stage: stage.unpause(service))


# ── PostgreSQL and Redis ─────────────────────────────────────────────────────────────────────────────────────────────
def _take_connections(stage: Stage) -> None:
    wanted = int(stage.postgres(programs.FREE_CONNECTIONS)) - _CONNECTIONS_LEFT
    stage.python("app", programs.HOLD_CONNECTIONS, str(wanted), str(LONGEST))


def _end_connections(stage: Stage) -> None:
    stage.postgres(programs.END_CONNECTIONS)


def _deadlock(stage: Stage) -> None:
    stage.shell("postgres", programs.DEADLOCK)


def _fill_redis(stage: Stage) -> None:
    stage.redis("EVAL", programs.FILL, "0", str(_FULL), str(int(LONGEST)))


def _empty_redis(stage: Stage) -> None:
    stage.redis("EVAL", programs.EMPTY, "0")


def _refuse_connections(stage: Stage) -> None:
    stage.shell("redis", programs.REFUSE_CONNECTIONS)


def _let_connections_in(stage: Stage) -> None:
    stage.redis("CONFIG", "SET", "maxclients", "10000")


# ── logs and traces ──────────────────────────────────────────────────────────────────────────────────────────────────
def _write_garbage(stage: Stage) -> None:
    script = 'for n in 1 2 3; do echo "drill $(date +%s%N): this is no JSON" >>/var/log/ecommerce/drill.log; done'
    stage.shell("app", script)


def _remove_garbage(stage: Stage) -> None:
    stage.shell("app", "rm -f /var/log/ecommerce/drill.log")


def _send_long_name(stage: Stage) -> None:
    """Send a span whose name is longer than any label may be: Jaeger makes a label of it."""
    now = time.time_ns()
    span = {
        "traceId": f"{now:032x}",
        "spanId": f"{now:016x}",
        "name": "drill" * 100,
        "kind": 2,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 1_000_000),
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "drill"}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    post(f"{address(stage.resolved, 'jaeger', 4318)}/v1/traces", body)


def _forget_names(stage: Stage) -> None:
    stage.stop("jaeger")
    stage.start("jaeger")


def _block(stage: Stage, *, on: bool) -> None:
    stage.shell("elasticsearch", programs.BLOCK, f'{{"index.blocks.write": {str(on).lower()}}}')


# ── watchers ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def rules(text: str) -> Way:
    """Give Prometheus one more rule file."""

    def add(stage: Stage) -> None:
        stage.write(stage.prometheus_folder / "rules" / "drill.yml", text, stage.prometheus)

    def take_away(stage: Stage) -> None:
        stage.remove(stage.prometheus_folder / "rules" / "drill.yml", stage.prometheus)

    return Way(add, take_away)


def _break_template(stage: Stage) -> None:
    stage.write(stage.alertmanager_folder / "templates" / "drill.tmpl", '{{ define "drill" }}', stage.alertmanager)


def _mend_template(stage: Stage) -> None:
    stage.remove(stage.alertmanager_folder / "templates" / "drill.tmpl", stage.alertmanager)


def _refuse_chat(stage: Stage) -> None:
    stage.behave("wecom", "errcode")
    stage.post_alert(
        {"alertname": REFUSED, "severity": "none", "service": "drill", "drill": str(time.time_ns())},
        {"summary": "演练：这条消息会被企业微信拒收", "description": "它用来证明送不到的消息会引发告警。"},
        seconds=60,
    )


def _take_chat(stage: Stage) -> None:
    stage.behave("wecom", "ok")


def _work(stage: Stage) -> None:
    stage.python("chat-robots", programs.BUSY, str(LONGEST))


def _rest(stage: Stage) -> None:
    stage.shell("chat-robots", "rm -f /tmp/drill")


CONNECTIONS_TAKEN = Way(_take_connections, _end_connections)
DEADLOCK = Way(_deadlock, lambda _: None)
REDIS_FULL = Way(_fill_redis, _empty_redis)
REDIS_CLOSED = Way(_refuse_connections, _let_connections_in)
GARBAGE = Way(_write_garbage, _remove_garbage)
TRACES_REFUSED = Way(lambda stage: _block(stage, on=True), lambda stage: _block(stage, on=False))
LONG_NAME = Way(_send_long_name, _forget_names)
TEMPLATE_BROKEN = Way(_break_template, _mend_template)
CHAT_REFUSES = Way(_refuse_chat, _take_chat)
SHIPPER_STOPPED = Way(lambda stage: stage.stop(stage.shipper()), lambda stage: stage.start(stage.shipper()))
BUSY = Way(_work, _rest)
RULE_FAILS = rules("groups: [{name: drill, rules: [{record: 'drill:up:twice', expr: up * on () group_left () up}]}]\n")
RULE_REFUSED = rules("groups: [{name: drill, rules: [{record: 'drill:up', expr: 'up +'}]}]\n")
