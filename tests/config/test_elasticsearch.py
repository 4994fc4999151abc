"""Elasticsearch's templates and roles held to docs/conventions.md; its scripts held to their promises."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops import secrets

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "elasticsearch"
COMPONENTS = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("component-templates/*.json")}
INDEX_TEMPLATES = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("index-templates/*.json")}
MAPPINGS = COMPONENTS["ecommerce-logs-mappings"]["template"]["mappings"]
CONVENTIONS = (ROOT / "docs/conventions.md").read_text(encoding="utf-8")


def test_every_field_of_a_line_has_a_type() -> None:
    section = CONVENTIONS.split("## A log line")[1].split("Files in `LOG_PATH`")[0]
    top, _, meta = section.partition("An error's line has")
    fields = set(re.findall(r"`([A-Za-z_]+)`", top)) - {"ERROR", "WARN", "INFO", "DEBUG", "Z", "meta"}
    of_meta = set(re.findall(r"`([A-Za-z]+)`", meta.partition("An HTTP line's")[2])) - {"meta"}
    expected = (
        fields | {f"meta.{name}" for name in of_meta} | {f"meta.error.{part}" for part in ("type", "message", "stack")}
    )
    assert len(expected) > 20, "the conventions' text has changed its form: this test reads nothing any more"
    assert expected <= set(MAPPINGS["properties"])


@pytest.mark.parametrize(
    ("field", "kind"),
    [("level", "keyword"), ("message", "text"), ("pid", "integer"), ("hostname", "keyword"), ("@timestamp", "date")],
)
def test_the_types_that_were_asked_for(field: str, kind: str) -> None:
    assert MAPPINGS["properties"][field]["type"] == kind


def test_nothing_in_a_line_can_refuse_it() -> None:
    assert (MAPPINGS["dynamic"], MAPPINGS["subobjects"]) == (False, False)
    settings = COMPONENTS["ecommerce-logs-settings"]["template"]["settings"]
    assert settings["index.mapping.ignore_malformed"] is True
    # Lucene's limit for a term is 32,766 bytes; a character has up to four
    assert settings["index.mapping.ignore_above"] * 4 <= 32_766


def test_retention_stands_alone_and_may_be_missing() -> None:
    with_ilm = [name for name, component in COMPONENTS.items() if "index.lifecycle" in json.dumps(component)]
    assert with_ilm == ["ecommerce-logs-retention"]
    for template in INDEX_TEMPLATES.values():
        assert template["ignore_missing_component_templates"] == with_ilm
        assert set(template["composed_of"]) <= set(COMPONENTS)


def test_unparsed_lines_have_their_own_template() -> None:
    unparsed, lines = INDEX_TEMPLATES["ecommerce-logs-unparsed"], INDEX_TEMPLATES["ecommerce-logs"]
    # both patterns match such an index: the higher priority wins
    assert unparsed["priority"] > lines["priority"]


def test_every_user_has_a_role_and_no_more_than_it_needs() -> None:
    roles: dict[str, Any] = yaml.safe_load((FOLDER / "roles.yml").read_text())
    assert set(roles) == {f"ecommerce_{user}" for user in secrets.FILE_REALM_USERS}
    shipper = roles["ecommerce_shipper"]["indices"]
    assert [(entry["names"], set(entry["privileges"])) for entry in shipper] == [
        (["ecommerce-logs-*"], {"create_doc", "auto_configure"})
    ]
    writers = {name for name, role in roles.items() if re.search("'(all|write|index|create|delete)'", str(role))}
    assert writers == {"ecommerce_jaeger"}


@pytest.mark.parametrize("value", ["0", " ", "07", "-1", "1.5", "30d", "12345"])
@pytest.mark.parametrize("script", ["install.sh", "delete-old-indices.sh"])
def test_a_wrong_retention_is_one_clear_line(script: str, value: str) -> None:
    done = subprocess.run(
        ["sh", FOLDER / script],
        env={"PATH": os.defpath, "ELASTICSEARCH_URL": "http://127.0.0.1:9", "LOG_RETENTION_DAYS": value},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f'LOG_RETENTION_DAYS is "{value}"' in done.stderr
