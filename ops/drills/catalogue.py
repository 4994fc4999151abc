"""What there is to break, what each should cause, and which alerts no drill brings to people, with the reason."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ops.drills import ways
from ops.drills.ways import Way

_PAYMENT = "/api/v1/orders/{order_id}/payment"


@dataclass(frozen=True)
class Drill:
    """One fault."""

    name: str
    what: str
    way: Way
    causes: tuple[str, ...]
    """Alerts that people hear of."""
    silences: tuple[str, ...] = ()
    """Alerts that fire too and that nobody hears of: one of `causes` explains them."""
    besides: tuple[str, ...] = ()
    """Alerts that people may hear of, too: it depends on the hour, or nothing rests on them."""
    wave: int = 0
    """In the game day the drills of a wave run side by side: none changes what another one shows."""
    cuts_off: bool = False
    """The fault cuts off a channel, so it is undone when its alerts fire: people can hear only then."""

    @property
    def raises(self) -> frozenset[str]:
        """Every alert that may fire of it; two drills that share one prove nothing beside each other."""
        return frozenset(self.causes + self.silences + self.besides)


def shared(drills: Sequence[Drill]) -> list[str]:
    """Name the alerts that more than one of the drills may raise: one of these faults could be without any effect."""
    counted = Counter(alert for drill in drills for alert in drill.raises)
    return sorted(alert for alert, times in counted.items() if times > 1)


DRILLS = {
    drill.name: drill
    for drill in (
        # wave 0: nothing that a customer would notice
        Drill("exporter-stopped", "node-exporter stops", ways.stopped("node-exporter"), ("TargetDown",)),
        Drill(
            "postgres-connections",
            "somebody takes nearly every connection of PostgreSQL",
            ways.CONNECTIONS_TAKEN,
            ("PostgresConnectionsHigh",),
        ),
        Drill(
            "postgres-deadlock",
            "two transactions lock each other out",
            ways.DEADLOCK,
            ("PostgresDeadlocks",),
        ),
        Drill(
            "redis-full",
            "Redis is filled to 95 % of its memory",
            ways.REDIS_FULL,
            ("RedisMemoryHigh",),
        ),
        Drill(
            "redis-clients",
            "Redis lets nobody in for three seconds",
            ways.REDIS_CLOSED,
            ("RedisRejectedConnections",),
        ),
        Drill("rule-fails", "a rule that cannot be evaluated", ways.RULE_FAILS, ("PrometheusRuleFailures",)),
        Drill(
            "alertmanager-config",
            "a template that Alertmanager refuses",
            ways.TEMPLATE_BROKEN,
            ("AlertmanagerConfigReloadFailed",),
        ),
        # wave 1: no more than some of them would
        Drill(
            "prometheus-config",
            "a rule file that Prometheus refuses",
            ways.RULE_REFUSED,
            ("PrometheusConfigReloadFailed",),
            wave=1,
        ),
        Drill(
            "long-span-name",
            "a span whose name is too long for a label",
            ways.LONG_NAME,
            ("PrometheusTargetOverLimit",),
            wave=1,
        ),
        Drill(
            "chat-refuses",
            "WeCom refuses a message",
            ways.CHAT_REFUSES,
            ("NotifierDeliveryFailing",),
            besides=(ways.REFUSED,),
            wave=15,
            cuts_off=True,
        ),
        Drill(
            "shipper-stopped",
            "the log shipper stops",
            ways.SHIPPER_STOPPED,
            ("LogsNotIndexed",),
            wave=1,
        ),
        # each of these is felt everywhere: beside it stands only what it does not touch.
        # No switch of the shop beside a fault of the portal, which it is behind
        Drill(
            "errors",
            "a third of all requests fail with 500",
            ways.switch("errors", share=0.3),
            ("LowSuccessRate",),
            silences=("HighErrorRate",),
            wave=2,
        ),
        Drill(
            "payment-errors",
            "half of all payments fail with 500",
            ways.switch("errors", share=0.5, route=_PAYMENT),
            ("SLOBudgetBurnFast",),
            wave=3,
        ),
        Drill(
            "latency",
            "every answer takes 1.5 s longer",
            ways.switch("latency", delay=1.5),
            ("HighLatency",),
            besides=("SLOBudgetBurnFast",),  # when it lasts longer than this
            wave=4,
        ),
        Drill(
            "pool-exhaustion",
            "every connection of the shop's pool is taken",
            ways.switch("pool_exhaustion"),
            ("HighDatabaseConnectionUsage", "LowSuccessRate"),
            besides=("HighLatency",),  # who waits for a connection in vain has waited
            wave=5,
        ),
        Drill(
            "orders-stopped",
            "no order is taken",
            ways.switch("orders_stopped"),
            ("OrdersStopped",),
            # Refused orders burn the budget before ten minutes without one have passed, unless LowSuccessRate is first:
            # orders are about 5 % of all requests.
            besides=("SLOBudgetBurnFast", "LowSuccessRate"),
            wave=6,
        ),
        Drill(
            "log-garbage",
            "lines that are not JSON in the log folder",
            ways.GARBAGE,
            ("LogLinesUnparsed",),
            wave=6,
        ),
        Drill(
            "shop-stopped",
            "every replica of the shop stops",
            ways.stopped("app"),
            ("ShopDown",),
            wave=7,
        ),
        Drill("redis-stopped", "Redis stops", ways.stopped("redis"), ("RedisDown",), wave=7),
        Drill(
            "page-hangs",
            "the portal's page does not answer",
            ways.frozen("portal"),
            ("ProbeFailed",),
            wave=7,
        ),
        Drill(
            "postgres-stopped",
            "PostgreSQL stops",
            ways.stopped("postgres"),
            ("PostgresDown",),
            silences=("LowSuccessRate", "HighErrorRate"),
            wave=8,
        ),
        Drill(
            "traces-refused",
            "Elasticsearch refuses to write traces, as it does on a full disk",
            ways.TRACES_REFUSED,
            ("JaegerSpansDropped",),
            wave=1,
        ),
        Drill(
            "elasticsearch-hangs",
            "Elasticsearch does not answer",
            ways.frozen("elasticsearch"),
            ("ElasticsearchUnhealthy",),
            silences=("TraceSpansDropped",),
            wave=10,
        ),
        Drill("page-gone", "the portal stops", ways.stopped("portal"), ("TargetVanished",), wave=10),
        Drill(
            "jaeger-stopped",
            "Jaeger stops",
            ways.stopped("jaeger"),
            ("TargetDown",),
            wave=11,
        ),
        Drill(
            "log-volume-full",
            "no log line can be written",
            ways.switch("log_volume_full"),
            ("LogLinesDropped",),
            wave=11,
        ),
        Drill(
            "payment-declines",
            "banks decline every card",
            ways.switch("payment_declines"),
            ("PaymentsFailing",),
            wave=11,
        ),
        Drill(
            "notifier-stopped",
            "the notifier stops, and chats with it",
            ways.stopped("notifier"),
            ("AlertmanagerNotificationsFailing",),
            besides=("TargetDown",),
            wave=12,
            cuts_off=True,
        ),
        Drill(
            "alertmanager-stopped",
            "Alertmanager stops",
            ways.stopped("alertmanager"),
            ("PrometheusNotificationsFailing",),
            besides=("TargetDown",),
            wave=13,
            cuts_off=True,
        ),
        Drill("cpu", "every CPU is busy", ways.BUSY, ("HostCpuHigh",), wave=14),
    )
}

UNHEARD = {
    "HighErrorRate": "over 5 % of 5xx is under 95 % of success: LowSuccessRate fires too, and speaks for both",
    "TraceSpansDropped": "a Jaeger that is well has to refuse spans for five minutes: too much load for a drill",
}
"""Alerts that a drill makes fire and that nobody hears of there: another one explains them."""

CANNOT = {
    "ConversionCollapsed": "it compares half an hour with the day before: the shop would be broken for most of an hour",
    "ElasticsearchDiskHigh": "it is the host's own disk; filling it to 85 % may take down what else runs there",
    "ElasticsearchRejectedWrites": "10,000 writes have to wait at once, a load that would take the machine along",
    "HostDiskAlmostFull": "filling the host's disk to 95 % may take down what else runs there",
    "HostDiskFillingUp": "it looks six hours back and waits one more",
    "HostMemoryLow": "taking 90 % of the host's memory lets the kernel kill what else runs there",
    "SLOBudgetBurnSlow": "it needs a day of traffic before it judges",
    "SLOBudgetExhausted": "it needs a day of traffic before it judges",
    "Watchdog": "it always fires; its absence is the alarm, and an outside service gives it",
}
"""Alerts without a drill. promtool's tests make these fire; see prometheus/tests/."""
