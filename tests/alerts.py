"""The alerts as the shipped files define them."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
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


ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in rules() if "alert" in rule}


def runbook_queries(path: Path) -> list[str]:
    """The PromQL of one runbook."""
    return re.findall(r"```promql\n(.+?)\n *```", path.read_text(encoding="utf-8"), re.DOTALL)
