"""`make verify-official`: the official images, pulled, run and tested; date and result go into the README's table.

For machines that reach a registry. Elsewhere the stand-ins of images/ are what every run of `make test` proves.
"""

import os
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ops import dotenv, engine, python, registry
from ops.console import OpsError, item, step
from ops.images import PREFIX as PACKAGES
from ops.shell import BUILD, ROOT

REPORT = BUILD / "official.xml"
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
ROWS = {
    "Grafana": {"tests.config.test_grafana", "tests.stack.test_dashboards"},
    "Kibana": {"tests.config.test_kibana", "tests.stack.test_logs_kibana"},
    "Logstash": {"tests.config.test_shippers", "tests.stack.test_logs_shippers"},
    "Elasticsearch": {"tests.stack.test_logs_lifecycle"},
}
"""What a row rests on, by the word it begins with in either language. All other tests are the first row's."""
REST = ""
_CELL = re.compile(r"^(\| (\w+).* \| )(?:not yet|尚未|\d{4}-\d\d-\d\d: [^|]*)(?= \|$)", re.MULTILINE)
"""A row up to its last cell, as long as nothing else than a result stands in that."""


def verify() -> int:
    """Pull, start, test, write down; the exit code is the tests'."""
    step("Official images")
    engine.ensure()
    prefix = source()
    if problem := registry.problem("prom/node-exporter", prefix):
        raise OpsError(
            f"{prefix.rstrip('/') or 'Docker Hub'} does not answer ({problem}): no official image to verify",
            "run this where a registry answers, or name a mirror: make verify-official REGISTRY=mirror.example.com/",
        )
    # everything is tested, whatever this checkout leaves out otherwise
    os.environ.update(REGISTRY=prefix, LIGHT="")
    REPORT.unlink(missing_ok=True)
    code = python.test(f"--junitxml={REPORT}")
    if not REPORT.exists():
        raise OpsError("the tests did not run, so nothing is written down", "what is above says why")
    found = outcomes(REPORT, code)
    for readme in READMES:
        if readme.exists():
            write_down(readme, {row: f"{datetime.now(UTC):%Y-%m-%d}: {text}" for row, text in found.items()})
    for row, text in found.items():
        item(f"{row or 'all else'}: {text}")
    item(f"written into {', '.join(path.name for path in READMES if path.exists())}")
    return code


def source() -> str:
    """Give the registry that the person set; Docker Hub where there is none, or where it stands for packages."""
    chosen = dotenv.setting("REGISTRY") or ""
    return "" if chosen == PACKAGES else chosen


def outcomes(report: Path, code: int) -> dict[str, str]:
    """Count, for each row, what pytest reports. A code without a failed test means a stack that did not start."""
    counted = {row: Counter[str]() for row in (*ROWS, REST)}
    for row, result in _results(report):
        counted[row][result] += 1
    if code != 0 and not any(count["failed"] for count in counted.values()):
        for count in counted.values():
            count["failed"] = 1
    return {row: _cell(count) for row, count in counted.items()}


def _results(report: Path) -> Iterator[tuple[str, str]]:
    # pytest wrote it a moment ago
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314
        # a file that could not be read is a case without a class
        module = case.get("classname") or case.get("name", "")
        row = next((row for row, modules in ROWS.items() if module in modules), REST)
        ends = {child.tag for child in case}
        yield row, "failed" if ends & {"failure", "error"} else "skipped" if "skipped" in ends else "passed"


def _cell(count: Counter[str]) -> str:
    failed = f" {count['failed']} ✗" if count["failed"] else ""
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    return f"{count['passed']} ✓{failed}{skipped}"


def write_down(readme: Path, results: dict[str, str]) -> None:
    """Put each row's result into the last cell of the table of what is proven."""
    before = readme.read_text(encoding="utf-8")
    after, rows = _CELL.subn(lambda row: row[1] + results.get(row[2], results[REST]), before)
    if not rows:
        raise OpsError(
            f"{readme.name} has no table of what is proven on official images", f"git checkout {readme.name}"
        )
    readme.write_text(after, encoding="utf-8", newline="\n")
