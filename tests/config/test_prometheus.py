"""prometheus/ held to its promises: it loads, it finds replicas, and no alert is without its proof and its runbook."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from alerts import (
    ALERTS,
    PROMETHEUS,
    ROOT,
    RULE_FILES,
    RUNBOOKS,
    TEST_FILES,
    load,
    overview,
    reasons,
    rules,
    thresholds,
)
from tools import Tool

from observability.metrics.http import DURATION_BUCKETS
from ops import scale_rules

CONFIG = load(PROMETHEUS / "prometheus.yml")
JOBS = {job["job_name"]: job for job in CONFIG["scrape_configs"]}
COMPOSE = load(ROOT / "docker-compose.yml")
SEVERITIES = {"critical", "warning", "none"}
ANNOTATIONS = {"summary", "description", "runbook_url", "dashboard_url"}
# They need no `for`: one event is already one too many, or it always fires.
AT_ONCE = {
    "LogLinesDropped",
    "LogLinesUnparsed",
    "NotifierDeliveryFailing",
    "PostgresDeadlocks",
    "PrometheusTargetOverLimit",
    "RedisRejectedConnections",
    "Watchdog",
}


def test_prometheus_loads_it(tool: Tool) -> None:
    done = tool(
        "prometheus", "promtool", "check", "config", "--lint=all", "--lint-fatal", str(PROMETHEUS / "prometheus.yml")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for path in RULE_FILES:
        assert str(path) in done.stdout, f"{path.name} is not loaded"


def test_the_prober_loads_its_file(tool: Tool) -> None:
    done = tool(
        "blackbox-exporter", "blackbox_exporter", f"--config.file={PROMETHEUS / 'blackbox.yml'}", "--config.check"
    )
    assert done.returncode == 0, done.stderr


def test_pace() -> None:
    assert CONFIG["global"]["scrape_interval"] == CONFIG["global"]["evaluation_interval"] == "15s"
    assert JOBS["ecommerce-app"]["scrape_interval"] == "10s"
    assert CONFIG["alerting"]["alertmanagers"] == [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]
    assert "ecommerce_rules.yml" in CONFIG["rule_files"]


def test_required_jobs() -> None:
    assert JOBS["prometheus"]["static_configs"] == [{"targets": ["localhost:9090"]}]
    assert JOBS["node"]["static_configs"] == [{"targets": ["node-exporter:9100"]}]
    assert JOBS["ecommerce-app"]["metrics_path"] == "/metrics"
    found = JOBS["ecommerce-app"]["dns_sd_configs"][0]
    assert (found["names"], found["type"], found["port"]) == (["app"], "A", 3000)
    assert "static_configs" not in JOBS["ecommerce-app"], "a replica must not need an edit"


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS.keys())
def test_job(job: dict[str, Any]) -> None:
    assert 0 < job["sample_limit"] <= 50_000
    text = (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8")
    assert re.search(rf"  # .+\n  - job_name: {job['job_name']}\n", text), "a comment says what it is for"
    hosts = [target.split(":")[0] for config in job.get("static_configs", []) for target in config["targets"]]
    hosts += [name for config in job.get("dns_sd_configs", []) for name in config["names"]]
    optional = {"grafana", "kibana"}  # left out where their images are not to be had
    for host in hosts:
        assert host in {"localhost", *COMPOSE["services"], *optional}, f"{host} is no service"
        if host in optional:
            assert "dns_sd_configs" in job, f"{host} may be left out: a static target would be down for ever"


@pytest.mark.parametrize(
    "limit", ["label_limit", "label_name_length_limit", "label_value_length_limit", "body_size_limit"]
)
def test_limits_of_every_job(limit: str) -> None:
    assert CONFIG["global"][limit]


def test_links_come_from_the_environment() -> None:
    labels = CONFIG["global"]["external_labels"]
    given = COMPOSE["services"]["prometheus"]["environment"]
    assert {value.strip("${}") for value in labels.values()} == set(given)
    dropped = CONFIG["alerting"]["alert_relabel_configs"][0]
    assert set(dropped["regex"].split("|")) == {name for name in labels if name.endswith("_url")}


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem)
def test_alerts_do_what_they_say(tool: Tool, path: Path) -> None:
    done = tool("prometheus", "promtool", "test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem)
def test_the_tests_notice_a_missing_for(tool: Tool, tmp_path: Path, path: Path) -> None:
    """Take every `for` away: then each alert that has one must fail its test, or nothing proves that it waits."""
    waiting = set()
    for source in load(path)["rule_files"]:
        hasty = load(path.parent / source)
        for group in hasty["groups"]:
            waiting |= {rule["alert"] for rule in group["rules"] if rule.pop("for", None)}
        (tmp_path / Path(source).name).write_text(yaml.safe_dump(hasty, width=10_000), encoding="utf-8")
    tests = load(path)
    tests["rule_files"] = [Path(source).name for source in tests["rule_files"]]
    tests["tests"] = [test for test in tests["tests"] if "alert_rule_test" in test]
    (tmp_path / "test.yml").write_text(yaml.safe_dump(tests, width=10_000), encoding="utf-8")
    done = tool("prometheus", "promtool", "test", "rules", "test.yml", folder=tmp_path)
    noticed = set(re.findall(r"alertname: (\w+), time", done.stdout + done.stderr))
    tested = {one["alertname"] for test in tests["tests"] for one in test["alert_rule_test"]}
    assert noticed >= waiting & tested


def seconds(duration: str) -> int:
    """`1d2h3m4s`, as promtool has it."""
    return sum(
        int(n) * {"d": 86_400, "h": 3_600, "m": 60, "s": 1}[unit] for n, unit in re.findall(r"(\d+)([dhms])", duration)
    )


@pytest.mark.parametrize("name", ALERTS)
def test_alert_has_its_proof(name: str) -> None:
    stories = [
        sorted(
            (case for case in test["alert_rule_test"] if case["alertname"] == name),
            key=lambda case: seconds(case["eval_time"]),
        )
        for path in TEST_FILES
        for test in load(path)["tests"]
    ]
    shapes = [[bool(case["exp_alerts"]) for case in story] for story in stories if story]
    assert any(any(shape) for shape in shapes), "no test sees it fire"
    for alert in (alert for story in stories for case in story for alert in case["exp_alerts"]):
        assert set(alert["exp_annotations"]) == ANNOTATIONS
        assert {"severity", "service", "symptom"} <= set(alert["exp_labels"])
    if name == "Watchdog":  # it always fires
        return
    assert any(True in shape and not shape[0] and not shape[-1] for shape in shapes), "no test sees it begin and end"
    assert any(not any(shape) for shape in shapes), "no test sees it stay quiet"


@pytest.mark.parametrize(("name", "alert"), ALERTS.items(), ids=ALERTS.keys())
def test_alert(name: str, alert: dict[str, Any]) -> None:
    assert re.fullmatch(r"[A-Z]\w+", name)
    assert alert["labels"]["severity"] in SEVERITIES
    assert set(alert["labels"]) == {"severity", "service", "symptom"}
    assert set(alert["annotations"]) == ANNOTATIONS
    assert "{{" not in alert["annotations"]["summary"], "one static sentence: it is the message's title"
    assert re.search(r"[\u4e00-\u9fff]", alert["annotations"]["summary"])
    assert re.search(r"[\u4e00-\u9fff]", alert["annotations"]["description"])
    assert ("for" not in alert) == (name in AT_ONCE)


@pytest.mark.parametrize(("name", "alert"), ALERTS.items(), ids=ALERTS.keys())
def test_a_threshold_has_its_reason_above_it(name: str, alert: dict[str, Any]) -> None:
    tuned = set(thresholds(alert)) - {"== 0", "== 1", "> 0", "< 0"}  # those are no matter of taste
    assert len(reasons()[name]) > 20 or not tuned, tuned


def test_the_table_of_alerts_is_what_the_rules_say() -> None:
    assert (ROOT / "docs/alerts.md").read_text(encoding="utf-8") == overview(), "python tests/alerts.py writes it anew"


@pytest.mark.parametrize(("name", "alert"), ALERTS.items(), ids=ALERTS.keys())
def test_links(name: str, alert: dict[str, Any]) -> None:
    assert alert["annotations"]["runbook_url"] == "{{ $externalLabels.portal_url }}/runbooks/" + name
    assert (RUNBOOKS / f"{name}.md").is_file()
    dashboard = re.fullmatch(
        r"\{\{ \$externalLabels\.grafana_url \}\}/d/([\w-]+)", alert["annotations"]["dashboard_url"]
    )
    assert dashboard
    assert f"| `{dashboard[1]}` |" in (ROOT / "docs/conventions.md").read_text(encoding="utf-8")


def test_names_are_unique() -> None:
    names = [rule["alert"] for rule in rules() if "alert" in rule]
    assert len(names) == len(set(names))


def test_a_record_and_its_users_are_in_one_group() -> None:
    """What is read from another group is an interval old. The objectives' slow windows may be."""
    for path in RULE_FILES:
        groups = load(path)["groups"]
        made = {rule["record"]: group["name"] for group in groups for rule in group["rules"] if "record" in rule}
        for group in groups:
            for rule in group["rules"]:
                for record in re.findall(r"\b\w+:[\w:]+\b", re.sub(r'"[^"]*"', "", str(rule["expr"]))):
                    assert record in made, f"{rule}: {record} is not recorded in {path.name}"
                    assert made[record] == group["name"] or group["name"].startswith("slo."), rule


def test_elasticsearchs_disk_is_told_of_before_its_watermarks() -> None:
    settings = load(ROOT / "elasticsearch/elasticsearch.yml")
    marks = [settings[f"cluster.routing.allocation.disk.watermark.{mark}"] for mark in ("flood_stage", "high", "low")]
    told = re.findall(r"available_bytes < (\S+)", ALERTS["ElasticsearchDiskHigh"]["expr"])
    limits = [int(mark.removesuffix("gb")) * 2**30 for mark in marks] + [float(limit) for limit in told]
    assert len(limits) == 4
    assert limits == sorted(limits)


def test_the_bounds_of_latency_are_buckets_of_the_shop() -> None:
    """Of a bucket that is not there nothing is over any bound, and the objective is for ever met."""
    bounds = re.findall(r'le="([^"]+)"', " ".join(str(rule["expr"]) for rule in rules()))
    assert len(bounds) == 2
    assert set(bounds) <= {str(bound) for bound in DURATION_BUCKETS}


def test_the_shops_alerts_work_alone() -> None:
    """People copy this one file."""
    assert load(PROMETHEUS / "tests/ecommerce_rules.yml")["rule_files"] == ["../ecommerce_rules.yml"]


@pytest.mark.parametrize(
    ("text", "scaled"),
    [
        ("        expr: sum(rate(a_total[5m]))", "        expr: sum(rate(a_total[30s]))"),
        ("expr: avg_over_time(a:b:rate30m[1d] offset 1h)", "expr: avg_over_time(a:b:rate30m[8640s] offset 360s)"),
        (
            "expr: predict_linear(a:b:min[6h], 24 * 60 * 60) < 0",
            "expr: predict_linear(a:b:min[2160s], 24 * 60 * 60 * 0.1) < 0",
        ),
        ("        for: 2m", "        for: 12s"),
        ("        for: 3m # why", "        for: 18s # why"),
        ("    interval: 5m", "    interval: 30s"),
        ("  scrape_interval: 15s", "  scrape_interval: 1500ms"),
        ("  evaluation_interval: 15s", "  evaluation_interval: 1500ms"),
        ("expr: rate(a_total[1s])", "expr: rate(a_total[100ms])"),
        ("      description: 最近 5 分钟 for: 5m", "      description: 最近 5 分钟 for: 5m"),
        ("      - record: slo:burn_rate:1h", "      - record: slo:burn_rate:1h"),
        ('expr: a{route!~"[23].."}', 'expr: a{route!~"[23].."}'),
    ],
)
def test_durations_are_scaled(text: str, scaled: str) -> None:
    assert scale_rules.scale(text, 0.1) == scaled


def test_scaled_rules_load(tool: Tool, tmp_path: Path) -> None:
    scale_rules.copy(tmp_path / "prometheus", 0.1)
    done = tool("prometheus", "promtool", "check", "config", "prometheus/prometheus.yml", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(int(number) for number in re.findall(r"(\d+) rules found", done.stdout)) == len(rules())


@pytest.mark.parametrize("arguments", [[], ["0.1"], ["2", "x"], ["0", "x"], ["0.0", "x"], ["much", "x"], ["-1", "x"]])
def test_a_wrong_call_says_how(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert scale_rules.main(arguments) == 2
    assert "usage" in capsys.readouterr().err


def test_no_folder_of_somebody_is_written_over(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="name a new folder"):
        scale_rules.main(["0.1", str(tmp_path)])
