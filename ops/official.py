"""`make verify-official`: the official images, pulled, run and tested; date and result go into the README's table.

For machines that reach a registry. Elsewhere the stand-ins of images/ are what every run of `make test` proves.
"""

import os
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

from ops import dotenv, engine, python, registry
from ops.console import OpsError, item, step
from ops.images import PREFIX as PACKAGES
from ops.shell import BUILD, ROOT

REPORT = BUILD / "official.xml"
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
_CELL = re.compile(r"(?<=\| )(?:not yet|尚未|\d{4}-\d\d-\d\d: [^|]*)(?= \|$)", re.MULTILINE)
"""The last cell of a row, as long as nothing else than a result stands in it."""


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
    result = f"{datetime.now(UTC):%Y-%m-%d}: {outcome(REPORT, started=code == 0)}"
    for readme in READMES:
        if readme.exists():
            write_down(readme, result)
    item(f"{result}: it stands in {', '.join(path.name for path in READMES if path.exists())} now")
    return code


def source() -> str:
    """Give the registry that the person set; Docker Hub where there is none, or where it stands for packages."""
    chosen = dotenv.setting("REGISTRY") or ""
    return "" if chosen == PACKAGES else chosen


def outcome(report: Path, *, started: bool) -> str:
    """Count what pytest reports. Without a failed test it may still have been the stack that did not start."""
    # pytest wrote it a moment ago
    suites = ET.parse(report).getroot().iter("testsuite")  # noqa: S314
    tests = failed = skipped = 0
    for suite in suites:
        tests += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    passed = tests - failed - skipped
    if failed or not started:
        return f"{passed} ✓ {max(failed, 1)} ✗"
    return f"{passed} ✓"


def write_down(readme: Path, result: str) -> None:
    """Put the result into the last cell of every row of the table of what is proven."""
    before = readme.read_text(encoding="utf-8")
    after, rows = _CELL.subn(result, before)
    if not rows:
        raise OpsError(
            f"{readme.name} has no table of what is proven on official images", f"git checkout {readme.name}"
        )
    readme.write_text(after, encoding="utf-8", newline="\n")
