"""A healthy hour: customers at 20 requests a second for a whole day of theirs, and nothing has anything to complain of.

`SOAK_SECONDS=180` tries it out. The figures of the hour are logged: `-o log_cli=true -o log_cli_level=INFO`.
"""

import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from clients import Prometheus, Stack, compose, eventually
from prometheus_client import Counter, Gauge, Histogram

from shop import metrics
from shoppers.arrivals import rhythm

pytestmark = pytest.mark.long

RATE = 20  # requests a second, as a mean over the customers' day
DAY = 3600  # seconds: the default of SHOPPERS_DAY_SECONDS
SECONDS = int(os.environ.get("SOAK_SECONDS", "3600"))
QUIET_WITHIN = 2400  # what earlier tests have set off ends in the half hour that the objectives' windows look back

# Every instrument of the business moves in a healthy hour, but for these two, which count what is not healthy.
STAY = {'payments_total{result="error"}', "stock_shortages_total"}

TRAFFIC = 'http_requests_total{job="ecommerce-app", route!~"unmatched|/healthz|/readyz|/metrics|/api/v1/metrics/.+"'

log = logging.getLogger(__name__)


def business_series() -> list[str]:
    """A selector for each series of shop/metrics.py: a counter's children by their labels, a histogram's count."""
    found = []
    for instrument in vars(metrics).values():
        if isinstance(instrument, (Counter, Gauge, Histogram)):
            for family in instrument.collect():
                for sample in family.samples:
                    if not sample.name.endswith(("_created", "_bucket", "_sum")):
                        labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
                        found.append(sample.name + (f"{{{labels}}}" if labels else ""))
    return found


@dataclass(frozen=True)
class Hour:
    """The time that is looked at, by Prometheus's own clock."""

    prometheus: Prometheus
    begin: float
    end: float

    def all(self, expression: str) -> list[dict[str, Any]]:
        """Every series an expression gives; `WINDOW` in it stands for exactly this hour."""
        return self.prometheus.query(expression.replace("WINDOW", f"[{SECONDS}s] @ {self.end:.3f}"))

    def value(self, expression: str) -> float:
        """The one number an expression gives; nothing counts as nothing."""
        found = self.all(expression)
        assert len(found) <= 1, expression
        return float(found[0]["value"][1]) if found else 0.0

    def growth(self, selector: str) -> float:
        """How much a counter has grown over all replicas, exactly: nothing restarts in this hour (see below)."""
        return self.value(f"sum({selector} @ {self.end:.3f})") - self.value(f"sum({selector} @ {self.begin:.3f})")


@pytest.fixture(scope="module")
def hour(stack: Stack) -> Iterator[Hour]:
    """Wait for quiet, send the customers, let the time pass, and put their rate back to what is configured."""
    prometheus = stack.prometheus
    firing = 'ALERTS{alertstate="firing", alertname!="Watchdog"}'
    eventually(lambda: not prometheus.query(firing), within=QUIET_WITHIN, every=5, what="no alert fires beforehand")
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SHOPPERS_RATE", str(RATE))
            patch.setenv("SHOPPERS_DAY_SECONDS", str(DAY))
            compose("up", "--detach", "--no-deps", "--wait", "shoppers")
        started = time.time()
        eventually(
            lambda: prometheus.value(
                f"sum(shoppers_requests_total and timestamp(shoppers_requests_total) > {started})"
            ),
            within=90,
            what="customers come",
        )
        begin = prometheus.value("vector(time())")
        assert begin is not None
        end = begin + SECONDS
        time.sleep(SECONDS)
        # the last scrapes of the hour are in
        eventually(lambda: (prometheus.value("vector(time())") or 0) > end, within=60, what="the hour is over")
        yield Hour(prometheus, begin, end)
    finally:
        compose("up", "--detach", "--no-deps", "--wait", "shoppers")


def test_the_customers_came(hour: Hour) -> None:
    asked = hour.growth("shoppers_requests_total")
    expected = RATE * sum(rhythm(second, DAY) for second in range(SECONDS))
    log.info("requests: %.0f in %d s, %.2f a second; expected %.0f", asked, SECONDS, asked / SECONDS, expected)
    for quantile in (0.5, 0.95, 0.99):
        seconds = hour.value(
            f"histogram_quantile({quantile}, sum by (le) (increase(shoppers_response_seconds_bucketWINDOW)))"
        )
        log.info("p%g as customers see it: %.0f ms", quantile * 100, seconds * 1000)
    log.info(
        "busiest 5 minutes of the host's CPU: %.0f %%",
        100 * hour.value("max(max_over_time(instance:node_cpu_busy:ratio_rate5mWINDOW))"),
    )
    # visits come by chance, and each asks for more or less: far over four standard deviations, for short trials too
    assert asked == pytest.approx(expected, rel=0.05 if SECONDS >= DAY else 0.25)
    assert hour.growth("shoppers_visits_dropped_total") == 0


def test_no_alert_fires(hour: Hour) -> None:
    fired = hour.all(
        'max by (alertname, service) (max_over_time(ALERTS{alertstate="firing",alertname!="Watchdog"}WINDOW))'
    )
    pending = hour.all('sum by (alertname) (count_over_time(ALERTS{alertstate="pending"}WINDOW))')
    log.info("evaluations pending: %s", {alert["metric"]["alertname"]: alert["value"][1] for alert in pending})
    assert [alert["metric"] for alert in fired] == []


def test_the_heartbeat_never_stopped(hour: Hour) -> None:
    """Or no alert could have fired."""
    beats = hour.value('count_over_time(ALERTS{alertname="Watchdog", alertstate="firing"}WINDOW)')
    assert beats >= SECONDS / 15 - 2  # an evaluation every 15 s


@pytest.mark.parametrize("series", business_series())
def test_every_business_series_moves(hour: Hour, series: str) -> None:
    if isinstance(getattr(metrics, series, None), Gauge):
        moved = hour.value(f"max(max_over_time({series}WINDOW)) - min(min_over_time({series}WINDOW))")
    else:
        moved = hour.growth(series)
    log.info("%s: %+.0f", series, moved)
    if series in STAY:
        assert moved == 0
    else:
        assert moved > 0


def test_the_definitions_that_are_ratios_have_sensible_values(hour: Hour) -> None:
    created = hour.growth('orders_total{status="created"}')
    conversion = created / hour.growth("visitor_sessions_total")
    success = hour.growth('payments_total{result="successful"}') / hour.growth("payments_total")
    value = hour.growth("order_value_cents_sum") / created
    log.info("conversion %.3f, payments successful %.3f, average order %.2f CNY", conversion, success, value / 100)
    assert 0.1 < conversion < 0.25  # a quarter of the visits fill a cart, four fifths of those order
    assert 0.8 < success < 1  # six in a hundred cards are declined
    assert value > 0


def test_under_2_percent_are_4xx_and_none_5xx(hour: Hour) -> None:
    asked = hour.growth("shoppers_requests_total")
    refused = hour.growth('shoppers_requests_total{outcome="client_error"}')
    answered = hour.growth(TRAFFIC + "}")
    log.info("4xx: %.0f of %.0f, %.2f %%", refused, asked, 100 * refused / asked)
    assert refused / asked < 0.02
    assert hour.growth(TRAFFIC + ', status_code=~"4.."}') / answered < 0.02
    assert hour.growth('shoppers_requests_total{outcome=~"server_error|no_answer"}') == 0
    assert hour.growth('http_requests_total{job=~"ecommerce-app|payments-gateway", status_code=~"5.."}') == 0


def test_the_customers_said_each_minute_what_they_saw(stack: Stack, hour: Hour) -> None:
    span = {"gte": int(hour.begin * 1000), "lte": int(hour.end * 1000), "format": "epoch_millis"}
    query = {"bool": {"filter": [{"term": {"service": "shoppers"}}, {"range": {"@timestamp": span}}]}}
    found = stack.elasticsearch.search("ecommerce-logs-*", {"size": 1000, "query": query})["hits"]["hits"]
    minutes = [hit["_source"]["meta"] for hit in found if hit["_source"]["message"] == "Shoppers' minute"]
    assert abs(len(minutes) - SECONDS / 60) <= 1
    assert sum(minute["requests"] for minute in minutes) == pytest.approx(
        hour.growth("shoppers_requests_total"), rel=0.5
    )
    assert {minute["serverErrors"] + minute["noAnswer"] for minute in minutes} == {0}


def test_nothing_restarted(hour: Hour) -> None:
    """Which also makes the differences of counters above exact."""
    restarted = hour.all("changes(process_start_time_secondsWINDOW) > 0")
    assert [process["metric"] for process in restarted] == []
