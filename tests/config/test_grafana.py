"""Grafana's files against what they rest on: their generator, Grafana's model, PromQL, the log index's mapping."""

import json
import re
from pathlib import Path
from typing import Any

import dashboards
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from tools import Tool

from grafana.source.boards import render
from grafana.source.frame import SCHEMA_VERSION

ROOT = Path(__file__).resolve().parents[2]
BOARDS = dashboards.dashboards()
SOURCES = dashboards.data_sources()
PANELS = [pytest.param(board, panel, id=f"{board['uid']}/{panel['title']}") for board, panel in dashboards.panels()]
CONVENTIONS = (ROOT / "docs/conventions.md").read_text(encoding="utf-8")

# Of the panel types in Grafana 12 those that we use; `graph` and `singlestat` are what Grafana has removed.
TYPES = {"timeseries", "stat", "bargauge", "heatmap", "table", "logs", "alertGroups"}
WITHOUT_UNIT = {"logs", "alertGroups"}  # they show text

DASHBOARD_LINK = re.compile(r"/d/([\w-]+)(?:\?([^\s\"']*))?")


def test_files_are_what_the_source_makes() -> None:
    made = render()
    assert {path.name for path in dashboards.FOLDER.glob("*.json")} == set(made)
    for name, text in made.items():
        assert (dashboards.FOLDER / name).read_text(encoding="utf-8") == text, f"{name}: run python -m grafana.source"


def test_uids_and_titles_are_the_agreed_ones() -> None:
    agreed = dict(re.findall(r"^\| `(ecommerce-[\w-]+)` \| (.+?) \|$", CONVENTIONS, re.MULTILINE))
    assert {uid: board["title"] for uid, board in BOARDS.items()} == agreed


def test_the_required_panels_have_their_names() -> None:
    titles = {panel["title"] for panel in BOARDS["ecommerce-overview"]["panels"]}
    assert {"HTTP请求率", "平均响应时间", "活跃用户数"} <= titles


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
def test_grafanas_model_knows_every_field(board: dict[str, Any]) -> None:
    assert json.loads(JSONEncoder().encode(Dashboard.from_json(board))) == board


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
def test_board(board: dict[str, Any]) -> None:
    assert board["editable"] is False
    assert board["refresh"] == "10s"
    assert board["schemaVersion"] == SCHEMA_VERSION
    assert "__inputs" not in board, "these are never asked for in provisioned files"
    assert board["description"]
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert "datasource" in variables
    if board["uid"] not in {"ecommerce-slo", "ecommerce-logs"}:  # of all replicas together; of log lines
        assert {"job", "instance"} <= variables
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
def test_panels_do_not_overlap(board: dict[str, Any]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                other = taken.setdefault((x, y), panel["title"])
                assert other == panel["title"], f"{panel['title']} lies over {other}"


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_panel(board: dict[str, Any], panel: dict[str, Any]) -> None:
    assert panel["type"] in TYPES
    assert "？" in panel["description"], "a description says which question the panel answers"
    assert panel["type"] in WITHOUT_UNIT or panel["fieldConfig"]["defaults"]["unit"]
    source = dashboards.filled_in(panel["datasource"]["uid"], board)
    assert SOURCES[source]["type"] == panel["datasource"]["type"]
    if panel["type"] == "alertGroups":
        assert panel["options"]["alertmanager"] == SOURCES["alertmanager"]["name"]
        return
    references = [target["refId"] for target in panel["targets"]]
    assert references
    assert len(references) == len(set(references))


PROMQL = dashboards.targets("prometheus")


@pytest.mark.parametrize("target", PROMQL, ids=str)
def test_rates_follow_the_zoom(target: dashboards.Target) -> None:
    ranges = re.findall(r"(?:rate|increase)\([^()\[]*?\[(.+?)\]", target.query["expr"])
    assert set(ranges) <= {"$__rate_interval", "$__range"}, "a fixed range is empty or blunt at another zoom"
    assert "$" not in target.text.replace('"$1"', ""), f"no such variable: {target.text}"


def test_recorded_series_are_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for target in PROMQL:
        assert set(re.findall(r"\b[a-z_]+:\w+:\w+", target.text)) <= recorded, target


@pytest.mark.parametrize("target", [t for t in PROMQL if "histogram_quantile" in t.text], ids=str)
def test_quantiles_are_of_summed_buckets(target: dashboards.Target) -> None:
    for inner in re.findall(r"histogram_quantile\([\d.]+, (.{20})", target.text):
        assert inner.startswith("sum by (le"), f"a quantile of one replica's buckets is not the service's: {inner}"


def test_every_query_is_promql(tool: Tool, tmp_path: Path) -> None:
    """As rules, because that is what promtool reads; a wrong one is named by its number."""
    annotations = list(dashboards.annotations().values())
    linked = [query["query"] for query in SOURCES["jaeger"]["jsonData"]["tracesToMetrics"]["queries"]]
    linked = [query.replace("$__tags", 'route="/"').replace("${__span.name}", "x") for query in linked]
    texts = [target.text for target in PROMQL] + annotations + linked
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(texts)]
    (tmp_path / "panels.json").write_text(
        json.dumps({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8"
    )
    done = tool("prometheus", "promtool", "check", "rules", "panels.json", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(texts)} rules found" in done.stdout


def test_fields_of_log_queries_are_in_the_index_template() -> None:
    text = (ROOT / "elasticsearch/component-templates/ecommerce-logs-mappings.json").read_text(encoding="utf-8")
    known = {"_exists_", "_index", *leaves(json.loads(text)["template"]["mappings"]["properties"])}
    for target in dashboards.targets("elasticsearch"):
        asked = [part["field"] for part in target.query["bucketAggs"] + target.query["metrics"] if "field" in part]
        asked += re.findall(r"([\w.@]+):", target.text) + re.findall(r"_exists_:([\w.@]+)", target.text)
        assert set(asked) <= known, target
    for board in BOARDS.values():
        for variable in board["templating"]["list"]:
            if variable.get("query", "").startswith('{"find"'):
                assert json.loads(variable["query"])["field"] in known
    linked = {link["field"] for link in SOURCES["elasticsearch"]["jsonData"]["dataLinks"]}
    configured = {
        SOURCES["elasticsearch"]["jsonData"][name] for name in ("timeField", "logMessageField", "logLevelField")
    }
    assert linked | configured <= known


def leaves(properties: dict[str, Any], prefix: str = "") -> set[str]:
    """The names of all fields of a mapping."""
    names = set()
    for name, field in properties.items():
        names |= {prefix + name} if "type" in field and field["type"] != "object" else set()
        names |= leaves(field.get("properties", {}), f"{prefix}{name}.")
    return names


def test_data_sources_are_the_agreed_ones() -> None:
    line = re.search(r"Data source uids: (.+?)\.", CONVENTIONS)
    assert line
    assert list(SOURCES) == re.findall(r"`(\w+)`", line[1])
    assert all(uid == source["type"] and source["editable"] is False for uid, source in SOURCES.items())
    elasticsearch = SOURCES["elasticsearch"]
    assert elasticsearch["basicAuthUser"] == "reader"
    assert elasticsearch["secureJsonData"] == {"basicAuthPassword": "$__file{/run/secrets/elasticsearch_reader}"}


def test_data_sources_link_to_one_another() -> None:
    def targets(value: Any) -> set[str]:
        if isinstance(value, dict):
            named = {item for key, item in value.items() if key in {"datasourceUid", "alertmanagerUid"}}
            return named.union(*(targets(item) for item in value.values()))
        return set().union(*(targets(item) for item in value)) if isinstance(value, list) else set()

    links = {uid: targets(source["jsonData"]) for uid, source in SOURCES.items()}
    assert links == {
        "prometheus": {"jaeger", "alertmanager"},
        "elasticsearch": {"jaeger"},
        "jaeger": {"elasticsearch", "prometheus"},
        "alertmanager": set(),
    }


def rule_files() -> list[Path]:
    return [ROOT / "prometheus/ecommerce_rules.yml", *sorted((ROOT / "prometheus/rules").glob("*.yml"))]


@pytest.mark.parametrize(
    "path",
    [*dashboards.FOLDER.glob("*.json"), ROOT / "grafana/provisioning/datasources/datasources.yml", *rule_files()],
    ids=lambda path: path.name,
)
def test_links_lead_to_a_dashboard_and_its_variables(path: Path) -> None:
    for uid, parameters in DASHBOARD_LINK.findall(path.read_text(encoding="utf-8")):
        assert uid in BOARDS, f"{path.name} links to {uid}, which is no dashboard"
        variables = {variable["name"] for variable in BOARDS[uid]["templating"]["list"]}
        assert set(re.findall(r"var-(\w+)=", parameters)) <= variables, f"{uid} has no such variable: {parameters}"


def rules() -> list[dict[str, Any]]:
    groups = [group for path in rule_files() for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def test_every_alert_leads_to_its_dashboard() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert alerts
    for rule in alerts:
        link = DASHBOARD_LINK.search(rule["annotations"]["dashboard_url"])
        assert link, rule["alert"]
        assert link[1] in BOARDS, rule["alert"]


def test_links_between_dashboards_find_some() -> None:
    for board in BOARDS.values():
        for link in board["links"]:
            assert [other for other in BOARDS.values() if set(link["tags"]) <= set(other["tags"])]
