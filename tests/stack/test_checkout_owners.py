"""The whole way, from `git clone` to `make up`, as users who own nothing here: other ids, no home, a strict umask.

A second stack beside the running one, minutes each: part of `make test-long`.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import ROOT

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root"),
]
SOCKET = Path("/var/run/docker.sock")
PYTHON = "/usr/bin/python3"  # of the system: the one that runs the tests may lie in a home that others cannot read


@pytest.fixture(params=[1000, 1234], ids=lambda uid: f"uid{uid}")
def checkout(request: pytest.FixtureRequest) -> Iterator[tuple[int, Path]]:
    """A clone that the user made, with a project name and ports of its own."""
    uid: int = request.param
    parent = Path("/var/tmp") / f"checkout-of-{uid}"
    shutil.rmtree(parent, ignore_errors=True)
    parent.mkdir(mode=0o700)
    os.chown(parent, uid, uid)
    folder = parent / "stack"
    # by a bundle: git does not serve a user the repository of another one
    bundle = parent / "project.bundle"
    subprocess.run(["git", "-C", str(ROOT), "bundle", "create", "--quiet", str(bundle), "HEAD"], check=True)
    os.chown(bundle, uid, uid)
    run(uid, parent, "git", "clone", "--quiet", str(bundle), str(folder))
    ports = re.findall(
        r"127\.0\.0\.1:\$\{([A-Z_]+_PORT):-(\d+)\}", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    )
    lines = {f"{name}={int(port) + 20_000}" for name, port in ports}
    (folder / ".env").write_text("\n".join([f"COMPOSE_PROJECT_NAME=stack-of-{uid}", *sorted(lines)]) + "\n")
    os.chown(folder / ".env", uid, uid)
    yield uid, folder
    run(uid, folder, PYTHON, "-m", "ops", "clean", YES="1")
    shutil.rmtree(parent)


def run(uid: int, folder: Path, *command: str, **environment: str) -> str:
    """Run as this user, whose only right is to speak to the engine."""
    done = subprocess.run(
        ["setpriv", f"--reuid={uid}", f"--regid={uid}", f"--groups={SOCKET.stat().st_gid}", "--", *command],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        umask=0o077,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_make_up_works_for_this_user(checkout: tuple[int, Path]) -> None:
    uid, folder = checkout
    output = run(uid, folder, PYTHON, "-m", "ops", "up")
    for place in ("metrics (Prometheus)", "logs (Elasticsearch)", "traces (Jaeger)"):
        assert f"✓ in {place}" in output
    secrets = folder / ".secrets"
    assert secrets.stat().st_uid == uid
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o600}
