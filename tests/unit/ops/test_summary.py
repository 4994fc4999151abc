"""The summary of `make test` says which images were not what docker-compose.yml pins."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.shell import ROOT

DRIFT = """
from ops import dotenv, images
images.drift = lambda: [images.Drift("prom/prometheus:v3.5.3", "3.5.3", "3.6.0")]
"""


@pytest.mark.parametrize(("registry", "shown"), [("packages/", True), ("", False), ("mirror.example/", False)])
def test_a_drift_of_versions_is_in_the_summary(tmp_path: Path, registry: str, shown: bool) -> None:  # noqa: FBT001 - a column of the table
    (tmp_path / "conftest.py").write_text(DRIFT + (ROOT / "tests/conftest.py").read_text(encoding="utf-8"))
    (tmp_path / "test_nothing.py").write_text("def test_nothing() -> None:\n    pass\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "REGISTRY": registry},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("prom/prometheus:v3.5.3: pinned 3.5.3, the packages give 3.6.0" in done.stdout) == shown
