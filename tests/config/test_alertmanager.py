"""alertmanager/ held to its promises, by a real Alertmanager: who is told, who is silenced, and what the mail says."""

import json
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest
from alerts import ALERTS, ROOT, TEST_FILES, load
from tools import Tool, image

FOLDER = ROOT / "alertmanager"
CONFIG = load(FOLDER / "alertmanager.yml")
BOTH = "webhook,team-mails"


def test_alertmanager_loads_it(tool: Tool) -> None:
    done = tool("alertmanager", "amtool", "check-config", str(FOLDER / "alertmanager.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 templates" in done.stdout


def test_the_pace_of_notifications() -> None:
    route = CONFIG["route"]
    assert route["group_by"] == ["alertname"]
    assert (route["group_wait"], route["group_interval"], route["repeat_interval"]) == ("10s", "10s", "1h")


def test_no_secret_is_in_the_file() -> None:
    def keys(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                yield key
                yield from keys(value)
        elif isinstance(node, list):
            for value in node:
                yield from keys(value)

    for key in keys(CONFIG):
        assert not any(word in key for word in ("password", "secret", "credentials", "token")) or key.endswith(
            "_file"
        ), key


def test_people_hear_of_the_end_too() -> None:
    people = [receiver for receiver in CONFIG["receivers"] if receiver["name"] != "dead-mans-switch"]
    for receiver in people:
        for kind, default in (("email_configs", False), ("webhook_configs", True)):
            for integration in receiver.get(kind, []):
                assert integration.get("send_resolved", default), receiver["name"]


@pytest.mark.parametrize(
    ("receivers", "labels"),
    [
        (BOTH, ["alertname=HighErrorRate", "severity=warning", "service=ecommerce-api"]),
        (BOTH, ["alertname=LowSuccessRate", "severity=critical", "service=ecommerce-api"]),
        (BOTH, ["alertname=SomebodyElses"]),
        (BOTH, ["alertname=WatchdogOfOurs", "severity=critical"]),
        ("dead-mans-switch", ["alertname=Watchdog", "severity=none"]),
        *[
            (
                "dead-mans-switch" if name == "Watchdog" else BOTH,
                [f"alertname={name}", f"severity={rule['labels']['severity']}"],
            )
            for name, rule in ALERTS.items()
        ],
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_route(tool: Tool, receivers: str, labels: list[str]) -> None:
    file = f"--config.file={FOLDER / 'alertmanager.yml'}"
    done = tool("alertmanager", "amtool", "config", "routes", "test", file, f"--verify.receivers={receivers}", *labels)
    assert done.returncode == 0, done.stdout + done.stderr


class Alertmanager:
    """A real one that reaches nobody: it is asked whom it would silence."""

    def __init__(self, container: str) -> None:
        self._container = container

    def amtool(self, *arguments: str) -> str:
        done = subprocess.run(
            ["docker", "exec", self._container, "amtool", "--alertmanager.url=http://127.0.0.1:9093", *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def silenced(self, case: str, *alerts: dict[str, str]) -> set[str]:
        """Post these alerts; return the names of those that are inhibited."""
        own = [[f"{name}={value}" for name, value in {**alert, "case": case}.items() if value] for alert in alerts]
        for labels in own:
            self.amtool("alert", "add", *labels)
        deadline = time.monotonic() + 5
        while True:
            shown = json.loads(self.amtool("alert", "query", "-o", "json", "-a", "-i", "-u", f"case={case}"))
            states = {alert["labels"]["alertname"]: alert["status"] for alert in shown}
            settled = len(states) == len(alerts) and all(one["state"] != "unprocessed" for one in states.values())
            if settled or time.monotonic() > deadline:
                break
        assert settled, states
        # they end here: what one case posted must not reach into the next
        for labels in own:
            self.amtool("alert", "add", "--end", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), *labels)
        return {name for name, status in states.items() if status["inhibitedBy"]}


@pytest.fixture(scope="module")
def alertmanager() -> Iterator[Alertmanager]:
    mount = f"type=bind,source={FOLDER},target=/etc/alertmanager,readonly"
    started = subprocess.run(
        [
            *(
                "docker",
                "run",
                "--detach",
                "--rm",
                "--network=none",
                f"--mount={mount}",
                "--tmpfs=/alertmanager:mode=1777",
            ),
            *(
                image("alertmanager"),
                "--config.file=/etc/alertmanager/alertmanager.yml",
                "--storage.path=/alertmanager",
            ),
            "--cluster.listen-address=",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert started.returncode == 0, started.stderr
    container = started.stdout.strip()
    try:
        for _ in range(50):
            ready = [
                "docker",
                "exec",
                container,
                "amtool",
                "--alertmanager.url=http://127.0.0.1:9093",
                "cluster",
                "show",
            ]
            if subprocess.run(ready, capture_output=True, timeout=30, check=False).returncode == 0:
                break
            time.sleep(0.2)
        yield Alertmanager(container)
    finally:
        subprocess.run(["docker", "rm", "--force", container], capture_output=True, timeout=60, check=True)


def fired(name: str, **like: str) -> dict[str, str]:
    """Give the labels with which the shipped rule fires: those that promtool's tests hold it to."""
    tests = [test for path in TEST_FILES for test in load(path)["tests"]]
    cases = [case for test in tests for case in test["alert_rule_test"] if case["alertname"] == name]
    found = [alert["exp_labels"] for case in cases for alert in case["exp_alerts"]]
    return {"alertname": name, **next(labels for labels in found if like.items() <= labels.items())}


LOW = fired("LowSuccessRate")
HIGH = fired("HighErrorRate")
SLOW = fired("HighLatency")
FAST_BURN = fired("SLOBudgetBurnFast", slo="checkout-availability")
SLOW_BURN = {**fired("SLOBudgetBurnSlow"), "slo": FAST_BURN["slo"]}
SLOW_LATENCY = fired("SLOBudgetBurnFast", slo="checkout-latency")
EXHAUSTED = {**fired("SLOBudgetExhausted"), "slo": FAST_BURN["slo"]}
DOWN = fired("ShopDown")
ORDERS = fired("OrdersStopped")
FEWER = fired("ConversionCollapsed")
PAYMENTS = fired("PaymentsFailing")
POSTGRES = fired("PostgresDown")
POOL = fired("HighDatabaseConnectionUsage")
UNHEALTHY = fired("ElasticsearchUnhealthy")
JAEGER_DROPS = fired("JaegerSpansDropped")
SHOP_DROPS = fired("TraceSpansDropped", service="ecommerce-api")
SHOP = {"service": DOWN["service"]}
number = count()


@pytest.mark.parametrize(
    ("alerts", "silenced"),
    [
        pytest.param([LOW, HIGH], {"HighErrorRate"}, id="low-success-silences-high-errors"),
        pytest.param([HIGH], set(), id="high-errors-alone-is-heard"),
        pytest.param([LOW, SLOW], set(), id="another-symptom-is-heard"),
        pytest.param([LOW, {**HIGH, "service": "payments-gateway"}], set(), id="another-service-is-heard"),
        pytest.param([LOW, DOWN, {**HIGH, "service": "x"}], {"LowSuccessRate"}, id="no-replica-explains-the-shop-only"),
        pytest.param([DOWN, ORDERS, SLOW], {"OrdersStopped", "HighLatency"}, id="no-replica-explains-all-of-the-shop"),
        pytest.param([LOW, FAST_BURN], {"SLOBudgetBurnFast"}, id="the-fault-explains-its-burn"),
        pytest.param([FAST_BURN, HIGH], set(), id="a-burn-silences-no-fault"),
        pytest.param(
            [FAST_BURN, SLOW_BURN, EXHAUSTED],
            {"SLOBudgetBurnSlow", "SLOBudgetExhausted"},
            id="of-one-objective-the-fastest",
        ),
        pytest.param([FAST_BURN, {**SLOW_BURN, "slo": "browse-availability"}], set(), id="another-objective-is-heard"),
        pytest.param([SLOW, SLOW_LATENCY], set(), id="a-warning-silences-no-page"),
        pytest.param(
            [PAYMENTS, LOW, HIGH], {"LowSuccessRate", "HighErrorRate"}, id="payments-explain-the-shops-success"
        ),
        pytest.param([PAYMENTS, SLOW, ORDERS], set(), id="payments-explain-neither-slowness-nor-missing-orders"),
        pytest.param([LOW, FEWER], {"ConversionCollapsed"}, id="failing-requests-explain-fewer-orders"),
        pytest.param([LOW, ORDERS], set(), id="that-nobody-orders-is-news"),
        pytest.param([ORDERS, HIGH], set(), id="missing-orders-explain-no-errors"),
        pytest.param(
            [POSTGRES, LOW, HIGH, SLOW, POOL, ORDERS, PAYMENTS],
            {one["alertname"] for one in (LOW, HIGH, SLOW, POOL, ORDERS, PAYMENTS)},
            id="without-its-database-all-of-the-shop",
        ),
        pytest.param([POSTGRES, DOWN], set(), id="not-that-the-shop-is-gone"),
        pytest.param([POSTGRES, SHOP_DROPS], set(), id="nor-that-it-drops-spans"),
        pytest.param(
            [UNHEALTHY, JAEGER_DROPS, SHOP_DROPS, LOW], {"JaegerSpansDropped", "TraceSpansDropped"}, id="no-store"
        ),
        pytest.param([SHOP_DROPS], set(), id="dropped-spans-alone-are-heard"),
        pytest.param(
            [{"alertname": "A", "severity": "critical"}, {"alertname": "B", "severity": "warning"}],
            set(),
            id="labels-that-both-lack-are-not-equal",
        ),
        pytest.param(
            [{"alertname": "A", "severity": "critical", **SHOP}, {"alertname": "B", "severity": "warning", **SHOP}],
            set(),
            id="a-symptom-that-both-lack-is-not-equal",
        ),
        pytest.param(
            [{**FAST_BURN, "slo": ""}, {**SLOW_BURN, "slo": ""}], set(), id="an-objective-that-both-lack-is-not-equal"
        ),
        pytest.param(
            [{**DOWN, "service": ""}, {"alertname": "B", "severity": "warning"}], set(), id="no-service-no-cause"
        ),
    ],
)
def test_inhibition(alertmanager: Alertmanager, alerts: list[dict[str, str]], silenced: set[str]) -> None:
    assert alertmanager.silenced(str(next(number)), *alerts) == silenced


def notification(status: str, *alerts: dict[str, Any]) -> dict[str, Any]:
    """What Alertmanager hands its templates: https://prometheus.io/docs/alerting/latest/notifications/#data."""
    whole = {
        "startsAt": "2026-11-24T03:00:00Z",
        "endsAt": "2026-11-24T03:10:00Z",
        "generatorURL": "http://localhost:9090/graph?g0.expr=up",
        "status": status,
    }
    return {
        "receiver": "team-mails",
        "status": status,
        "alerts": [{**whole, **alert} for alert in alerts],
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": {"alertname": "HighErrorRate"},
        "commonAnnotations": {"summary": "商店 5xx 错误率过高"},
        "externalURL": "http://localhost:9093",
    }


ALERT = {
    "labels": {"alertname": "HighErrorRate", "severity": "warning", "service": "ecommerce-api"},
    "annotations": {
        "summary": "商店 5xx 错误率过高",
        "description": "最近 5 分钟有 <b>9%</b> 的请求以 5xx 结束。",
        "runbook_url": "http://localhost:8080/runbooks/HighErrorRate",
        "dashboard_url": "http://localhost:3001/d/ecommerce-red",
    },
}


class Render(Protocol):
    """Renders one template of the mail."""

    def __call__(self, template: str, data: dict[str, Any], kind: str = "text") -> str: ...


@pytest.fixture
def render(tool: Tool, tmp_path: Path) -> Render:
    def render(template: str, data: dict[str, Any], kind: str = "text") -> str:
        (tmp_path / "data.json").write_text(json.dumps(data), encoding="utf-8")
        mount = f"--mount=type=bind,source={FOLDER},target={FOLDER},readonly"
        done = tool(
            *("alertmanager", "amtool", "template", "render", f"--template.glob={FOLDER}/templates/*.tmpl"),
            *(
                f'--template.text={{{{ template "{template}" . }}}}',
                f"--template.type={kind}",
                "--template.data=data.json",
            ),
            folder=tmp_path,
            flags=[mount, "--env=TZ=Asia/Shanghai"],
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    return render


def test_subject(render: Render) -> None:
    assert render("mail.subject", notification("firing", ALERT)) == "【告警】HighErrorRate：商店 5xx 错误率过高"
    assert render("mail.subject", notification("firing", ALERT, ALERT)).endswith("（2 条）")
    assert render("mail.subject", notification("resolved", ALERT)) == "【恢复】HighErrorRate：商店 5xx 错误率过高"


def test_text(render: Render) -> None:
    text = render("mail.text", notification("firing", ALERT))
    for line in (
        "【告警】HighErrorRate：商店 5xx 错误率过高",
        "级别：警告 warning",
        "服务：ecommerce-api",
        "描述：最近 5 分钟有 <b>9%</b> 的请求以 5xx 结束。",
        "时间：2026-11-24 11:00:00+08:00",
        "处置手册：http://localhost:8080/runbooks/HighErrorRate",
        "仪表板：http://localhost:3001/d/ecommerce-red",
    ):
        assert line in text.splitlines()
    over = render("mail.text", notification("resolved", ALERT))
    assert "时间：2026-11-24 11:00:00+08:00 – 2026-11-24 11:10:00+08:00" in over
    assert "触发时：最近 5 分钟有 <b>9%</b> 的请求以 5xx 结束。" in over.splitlines(), "not as if it still were so"


def test_html(render: Render) -> None:
    page = render("mail.html", notification("firing", ALERT), "html")
    assert '<a href="http://localhost:8080/runbooks/HighErrorRate">处置手册</a>' in page
    assert '<a href="http://localhost:3001/d/ecommerce-red">仪表板</a>' in page
    assert "&lt;b&gt;9%&lt;/b&gt;" in page, "a label may hold what somebody typed"
    assert "【恢复】" in render("mail.html", notification("resolved", ALERT), "html")
