"""The alerts as the shipped files define them. `.venv/bin/python tests/alerts.py` writes docs/alerts.md
anew."""

import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from ops.drills.catalogue import CANNOT, DRILLS, UNHEARD  # noqa: E402 - where it is a program nobody else has set the path

PROMETHEUS = ROOT / "prometheus"
RULE_FILES = [PROMETHEUS / "ecommerce_rules.yml", *sorted(PROMETHEUS.glob("rules/*.yml"))]
RUNBOOKS = ROOT / "docs/runbooks"
TEST_FILES = sorted(PROMETHEUS.glob("tests/*.yml"))


def load(path: Path) -> Any:
    """One YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules() -> list[dict[str, Any]]:
    """Every rule of every file, recording ones too."""
    return [rule for path in RULE_FILES for group in load(path)["groups"] for rule in group["rules"]]


_COMPARED = re.compile(r"(?:==|[<>]) -?\d[\d.]*(?:e\d+)?(?: \* \w+)?")
_ALERT = re.compile(r"^ +- alert: (\w+)\n((?: +#.*\n)*)", re.MULTILINE)

ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def runbook_queries(path: Path) -> list[str]:
    """The PromQL of one runbook."""
    return re.findall(r"```promql\n(.+?)\n *```", path.read_text(encoding="utf-8"), re.DOTALL)


def reasons() -> dict[str, str]:
    """The comment on top of each alert, on one line; empty when there is none."""
    found = [match for path in RULE_FILES for match in _ALERT.findall(path.read_text(encoding="utf-8"))]
    return {name: " ".join(line.strip(" #") for line in comment.splitlines()) for name, comment in found}


def thresholds(alert: dict[str, Any]) -> list[str]:
    """What an alert's expression compares with. Numbers of labels and windows are none."""
    return _COMPARED.findall(re.sub(r"\{[^}]*\}", "", str(alert["expr"])))


def _drill(name: str) -> str:
    drills = [drill.name for drill in DRILLS.values() if name in drill.causes]
    silenced = [f"{drill.name} (silenced)" for drill in DRILLS.values() if name in drill.silences]
    if name in CANNOT:
        return f"none: {CANNOT[name]}"
    found = ", ".join(drills + silenced)
    return f"{found}; heard in none: {UNHEARD[name]}" if name in UNHEARD else found


def overview() -> str:
    """docs/alerts.md."""
    lines = [
        "# Alerts",
        "",
        "Every alert with what it compares with, for how long, and why: taken from the rule files, where each number",
        "stands once, beside its alert; and how to see it fire (`make drill FAULT=…`), or why that cannot be had.",
        "`.venv/bin/python tests/alerts.py` writes this page anew.",
        "",
        "| alert | 含义 | severity | service, symptom | compares with | for | why | drill |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    why = reasons()
    for name, alert in ALERTS.items():
        labels = alert["labels"]
        service = "the target's" if "{{" in labels["service"] else labels["service"]
        symptom = "the objective's" if "{{" in labels["symptom"] else labels["symptom"]
        compared = ", ".join(f"`{one}`" for one in dict.fromkeys(thresholds(alert))) or "–"
        cells = (
            *(f"[{name}](runbooks/{name}.md)", alert["annotations"]["summary"], labels["severity"]),
            *(f"{service}, {symptom}", compared, alert.get("for", "at once"), why[name] or "–"),
            _drill(name),
        )
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "docs/alerts.md").write_text(overview(), encoding="utf-8")
