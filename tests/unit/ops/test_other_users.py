"""`make up` as somebody who is not root, with no home folder: a bare uid, as in a container."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.shell import ROOT

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def run_as(uid: int, *command: str, cwd: str = "/", **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        user=uid,
        group=uid,
        extra_groups=[],
        cwd=cwd,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(params=[1000, 1234])
def uid(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def python(uid: int) -> str:
    """A Python that this user may run: root's own often lies in root's home."""
    wanted = "import sys; sys.exit(sys.version_info < (3, 11))"
    for candidate in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            if run_as(uid, candidate, "-c", wanted).returncode == 0:
                return candidate
        except OSError:
            continue
    pytest.skip("no Python 3.11 that other users may run")


@pytest.fixture
def checkout(uid: int) -> Iterator[str]:
    # pytest's own folders are closed to other users
    with tempfile.TemporaryDirectory(prefix="checkout-") as folder:
        shutil.copytree(ROOT / "ops", Path(folder) / "ops", ignore=shutil.ignore_patterns("__pycache__"))
        os.chown(folder, uid, uid)
        yield folder


def test_it_works_without_a_home_folder_and_says_what_is_missing(uid: int, python: str, checkout: str) -> None:
    done = run_as(uid, python, "-m", "ops", "up", cwd=checkout, DOCKER_HOST="unix:///nonexistent.sock")
    assert done.stderr.startswith("✗ make up: no Docker engine answers at DOCKER_HOST")
    assert (Path(checkout) / ".build").stat().st_uid == uid


def test_their_passwords_are_theirs_alone(uid: int, python: str, checkout: str) -> None:
    done = run_as(uid, python, "-c", "from ops import secrets; secrets.ensure(); secrets.ensure()", cwd=checkout)
    assert done.returncode == 0, done.stderr
    folder = Path(checkout) / ".secrets"
    found = {(path.stat().st_uid, path.stat().st_mode & 0o777) for path in folder.iterdir()}
    assert found == {(uid, 0o600)}
    assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (uid, 0o700)


def test_a_checkout_of_somebody_elses_is_one_clear_message(uid: int, python: str, checkout: str) -> None:
    os.chown(checkout, 0, 0)
    Path(checkout).chmod(0o755)
    done = run_as(uid, python, "-m", "ops", "up", cwd=checkout)
    assert done.returncode == 1
    assert "may not be read or written by this user\n  → sudo chown -R" in done.stderr
    assert "Traceback" not in done.stderr
