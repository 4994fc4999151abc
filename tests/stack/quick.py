"""A Prometheus whose clock runs ten times as fast, and its Alertmanager, beside the stack: see quick.yml.

Its rules are the shipped ones, transformed by ops/scale_rules.py; its Alertmanager reads the shipped file as it is.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clients import ROOT, Stack

from ops import faults, scale_rules
from ops.drills.stage import Stage

PACE = 0.1
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Quick:
    """The pair as a stage for drills, and what stands in each of its messages."""

    stage: Stage
    mark: str


@contextmanager
def quick(stack: Stack, folder: Path) -> Iterator[Quick]:
    """Start the pair, and remove it at the end."""
    _copy(folder)
    mark = f"quick-{secrets.token_hex(4)}.localhost"
    services = stack.config["services"]
    project = stack.config["name"]
    environment = {
        **os.environ,
        "COMPOSE_PROJECT_NAME": f"{project}-quick",
        "STACK": project,
        "FOLDER": str(folder),
        "PROMETHEUS_IMAGE": services["prometheus"]["image"],
        "ALERTMANAGER_IMAGE": services["alertmanager"]["image"],
        # the addresses of an alert's links: what stands in a message tells whose it is
        "PORTAL_URL": f"http://{mark}",
        "GRAFANA_URL": f"http://{mark}",
    }

    def compose(*arguments: str) -> str:
        command = ["docker", "compose", "--env-file", "/dev/null", "--file", str(HERE / "quick.yml"), *arguments]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        compose("up", "--detach", "--wait")
        yield Quick(
            Stage(
                stack.config,
                faults.switches(stack.config),
                f"http://{compose('port', 'quick-prometheus', '9090').strip()}",
                f"http://{compose('port', 'quick-alertmanager', '9093').strip()}",
                stack.url("chat-robots", 9096),
                folder / "prometheus",
                folder / "alertmanager",
                PACE,
            ),
            mark,
        )
    finally:
        compose("down", "--volumes", "--timeout", "1")


def _copy(folder: Path) -> None:
    scale_rules.copy(folder / "prometheus", PACE)
    config = folder / "prometheus/prometheus.yml"
    # both whom it tells and whom it scrapes under that name
    text = config.read_text(encoding="utf-8").replace("alertmanager:9093", "quick-alertmanager:9093")
    config.write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "alertmanager", folder / "alertmanager")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)  # the images have users of their own
