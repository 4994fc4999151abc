"""Grafana's files as Grafana reads them: panels, their queries, and the variables filled in with their first choice."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "grafana/dashboards"

# A page of the last hour, as it opens; four scrapes of 15 s.
BUILT_IN = {"__rate_interval": "1m", "__range": "1h", "__interval": "15s"}


def dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard by its uid."""
    models = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]
    return {model["uid"]: model for model in models}


def data_sources() -> dict[str, dict[str, Any]]:
    """Every provisioned data source by its uid; `$$` is the file format's dollar sign."""
    text = (ROOT / "grafana/provisioning/datasources/datasources.yml").read_text(encoding="utf-8")
    return {source["uid"]: source for source in yaml.safe_load(text.replace("$$", "$"))["datasources"]}


def panels() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every panel, with its dashboard."""
    for dashboard in dashboards().values():
        yield from ((dashboard, panel) for panel in dashboard["panels"] if panel["type"] != "row")


def choices(dashboard: dict[str, Any]) -> dict[str, str]:
    """What each variable of a dashboard holds when it is opened."""
    values = dict(BUILT_IN)
    for variable in dashboard["templating"]["list"]:
        value = variable.get("current", {}).get("value", variable["query"])
        values[variable["name"]] = variable["allValue"] if value == ["$__all"] else value
    return values


def filled_in(text: str, dashboard: dict[str, Any]) -> str:
    """Replace `$name`, `${name}` and `${name:format}` of every known variable; others stay and are an error to find."""
    values = choices(dashboard)

    def value(match: re.Match[str]) -> str:
        return values.get(match[1] or match[2], match[0])

    return re.sub(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))", value, text)


def annotations() -> dict[str, str]:
    """The query of every kind of marks that is drawn over all panels of a dashboard, by its name."""
    found: dict[str, str] = {}
    for dashboard in dashboards().values():
        for annotation in dashboard["annotations"]["list"]:
            text = filled_in(annotation["expr"], dashboard)
            assert found.setdefault(annotation["name"], text) == text, f"{annotation['name']}: two queries"
    return found


@dataclass(frozen=True)
class Target:
    """One query of one panel, as it is sent when the page is opened."""

    board: str
    panel: str
    query: dict[str, Any]
    source: str
    text: str

    def __str__(self) -> str:
        return f"{self.board}/{self.panel}/{self.query['refId']}"


def targets(source: str) -> list[Target]:
    """Every query of every panel that asks the data source with this uid."""
    return [
        Target(
            dashboard["uid"],
            panel["title"],
            query,
            source,
            filled_in(query.get("expr", query.get("query", "")), dashboard),
        )
        for dashboard, panel in panels()
        for query in panel.get("targets", [])
        if filled_in(panel["datasource"]["uid"], dashboard) == source
    ]
