"""Kibana's saved objects: the file is what the code makes, and what it names exists in the index template."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kibana.source.__main__ import FILE
from kibana.source.objects import DASHBOARD, DATA_VIEW, render
from kibana.source.panels import PANELS, Panel
from kibana.source.searches import SEARCHES, Search

ROOT = Path(__file__).resolve().parents[2]
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    (item["type"], item["id"]): item for item in map(json.loads, render().splitlines())
}
FIELDS = set(
    json.loads((ROOT / "elasticsearch/component-templates/ecommerce-logs-mappings.json").read_text())["template"][
        "mappings"
    ]["properties"]
)


def test_the_file_is_what_the_code_makes() -> None:
    assert FILE.read_text(encoding="utf-8") == render(), "run python -m kibana.source"


def test_the_ids_that_links_rest_on() -> None:
    assert ("index-pattern", DATA_VIEW) == ("index-pattern", "ecommerce-logs")
    assert OBJECTS["dashboard", DASHBOARD]["attributes"]["title"] == "电商系统日志分析"
    assert OBJECTS["index-pattern", DATA_VIEW]["attributes"]["title"] == "ecommerce-logs-*"


def test_every_reference_is_in_the_file() -> None:
    for item in OBJECTS.values():
        for reference in item["references"]:
            assert (reference["type"], reference["id"]) in OBJECTS, (item["id"], reference["name"])


def test_every_panel_of_the_dashboard_has_its_reference() -> None:
    dashboard = OBJECTS["dashboard", DASHBOARD]
    names = {reference["name"] for reference in dashboard["references"]}
    for panel in json.loads(dashboard["attributes"]["panelsJSON"]):
        wanted = (
            [f"{panel['panelIndex']}:{panel['panelRefName']}"]
            if "panelRefName" in panel
            else [
                f"{panel['panelIndex']}:{reference['name']}"
                for reference in panel["embeddableConfig"]["attributes"]["references"]
            ]
        )
        assert set(wanted) <= names


def fields(kql: str) -> list[str]:
    """The fields that a query names."""
    return re.findall(r"(?:^| )(?:not )?([A-Za-z.]+)(?=:| >=)", kql)


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: search.id)
def test_a_saved_search_shows_and_asks_for_fields_that_have_a_type(search: Search) -> None:
    asked = fields(search.kql)
    assert asked
    assert {*search.columns, *asked} <= FIELDS


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.id)
def test_a_panel_asks_for_fields_that_have_a_type(panel: Panel) -> None:
    columns = {column["sourceField"] for column in panel.columns.values()} - {"___records___"}
    filters = [panel.kql, *(column["filter"]["query"] for column in panel.columns.values() if "filter" in column)]
    in_kql = {field for text in filters for field in fields(text)}
    in_query = set(re.findall(r'"field": "([^"]+)"', json.dumps(panel.query)))
    assert columns | in_kql | in_query <= FIELDS
    # Lens and the query that tests ask are about the same
    assert columns == in_query


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.id)
def test_a_panel_shows_only_its_own_columns(panel: Panel) -> None:
    shown = re.findall(r'"(?:columnId|xAccessor)": "([^"]+)"', json.dumps(panel.visualization))
    shown += [name for layer in panel.visualization.get("layers", []) for name in layer["accessors"]]
    assert set(shown) == set(panel.columns)


def test_panels_do_not_overlap() -> None:
    taken = [
        (column, row)
        for x, y, width, height in (panel.grid for panel in PANELS)
        for column in range(x, x + width)
        for row in range(y, y + height)
    ]
    assert len(taken) == len(set(taken))
    assert max(column for column, _ in taken) < 48  # Kibana's grid
