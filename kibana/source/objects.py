"""The saved objects: a data view, the saved searches and the dashboard, in the export format of Kibana 9.

The format's versions are those that the objects were written for; Kibana migrates what is older than itself at import.
"""

import json
from typing import Any

from kibana.source.panels import PANELS, Panel
from kibana.source.searches import ERROR_LINES, SEARCHES, Search

DATA_VIEW = "ecommerce-logs"
DASHBOARD = "ecommerce-logs-analysis"
_CORE = "8.8.0"


def render() -> str:
    """Return the NDJSON: one object a line."""
    objects = (_data_view(), *map(_search, SEARCHES), _dashboard())
    return "".join(json.dumps(item, ensure_ascii=False, sort_keys=True) + "\n" for item in objects)


def _text(value: Any) -> str:
    """Kibana keeps parts of an object as JSON within a string."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _reference(name: str, kind: str = "index-pattern", target: str = DATA_VIEW) -> dict[str, str]:
    return {"id": target, "name": name, "type": kind}


def _data_view() -> dict[str, Any]:
    return {
        "type": "index-pattern",
        "id": DATA_VIEW,
        "coreMigrationVersion": _CORE,
        "typeMigrationVersion": "8.0.0",
        "references": [],
        "attributes": {
            "title": "ecommerce-logs-*",
            "name": "电商系统日志",
            "timeFieldName": "@timestamp",
            "fields": "[]",
            "fieldAttrs": "{}",
            "fieldFormatMap": _text({"meta.responseTime": {"id": "number", "params": {"pattern": "0,0.[0]"}}}),
            "runtimeFieldMap": "{}",
            "sourceFilters": "[]",
            "typeMeta": "{}",
        },
    }


def _search(search: Search) -> dict[str, Any]:
    name = "kibanaSavedObjectMeta.searchSourceJSON.index"
    source = {"query": {"query": search.kql, "language": "kuery"}, "filter": [], "indexRefName": name}
    return {
        "type": "search",
        "id": search.id,
        "coreMigrationVersion": _CORE,
        "typeMigrationVersion": "8.0.0",
        "references": [_reference(name)],
        "attributes": {
            "title": search.title,
            "description": search.description,
            "columns": search.columns,
            "sort": [["@timestamp", "desc"]],
            "kibanaSavedObjectMeta": {"searchSourceJSON": _text(source)},
        },
    }


def _dashboard() -> dict[str, Any]:
    panels = [_panel(panel) for panel in PANELS]
    height = max(panel.grid[1] + panel.grid[3] for panel in PANELS)
    panels.append(
        {
            "type": "search",
            "panelIndex": "error-lines",
            "panelRefName": "panel_error-lines",
            "gridData": {"x": 0, "y": height, "w": 48, "h": 16, "i": "error-lines"},
            "embeddableConfig": {"enhancements": {}},
        }
    )
    references = [_reference(f"{panel.id}:indexpattern-datasource-layer-layer") for panel in PANELS]
    references.append(_reference("error-lines:panel_error-lines", "search", ERROR_LINES.id))
    return {
        "type": "dashboard",
        "id": DASHBOARD,
        "coreMigrationVersion": _CORE,
        "typeMigrationVersion": "10.2.0",
        "references": references,
        "attributes": {
            "title": "电商系统日志分析",
            "description": "错误率、请求量、最慢的路由、错误类型，都出自日志。",
            "version": 1,
            "timeRestore": True,
            "timeFrom": "now-1h",
            "timeTo": "now",
            "refreshInterval": {"pause": False, "value": 10_000},
            "optionsJSON": _text(
                {"useMargins": True, "syncColors": False, "syncCursor": True, "hidePanelTitles": False}
            ),
            "panelsJSON": _text(panels),
            "kibanaSavedObjectMeta": {
                "searchSourceJSON": _text({"query": {"query": "", "language": "kuery"}, "filter": []})
            },
        },
    }


def _panel(panel: Panel) -> dict[str, Any]:
    x, y, width, height = panel.grid
    layer = {"columns": panel.columns, "columnOrder": list(panel.columns), "incompleteColumns": {}}
    return {
        "type": "lens",
        "panelIndex": panel.id,
        "title": panel.title,
        "gridData": {"x": x, "y": y, "w": width, "h": height, "i": panel.id},
        "embeddableConfig": {
            "enhancements": {},
            "description": panel.question,
            "attributes": {
                "title": panel.title,
                "description": panel.question,
                "type": "lens",
                "visualizationType": panel.kind,
                "references": [_reference("indexpattern-datasource-layer-layer")],
                "state": {
                    "visualization": panel.visualization,
                    "query": {"query": panel.kql, "language": "kuery"},
                    "filters": [],
                    "datasourceStates": {"formBased": {"layers": {"layer": layer}}},
                    "internalReferences": [],
                    "adHocDataViews": {},
                },
            },
        },
    }
