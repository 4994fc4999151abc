"""No engine, and why: each case is one clear message."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ops import apt, engine
from ops.console import OpsError
from ops.shell import ROOT


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No docker command, no dockerd, nobody to ask."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")


def test_an_engine_that_the_person_chose_and_that_is_dead(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "ops", tmp_path / "ops")  # with a lock of its own: a `make up` may be at work here
    done = subprocess.run(
        [sys.executable, "-m", "ops", "up"],
        cwd=tmp_path,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "DOCKER_HOST": "unix:///nonexistent.sock"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "✗ make up: no Docker engine answers at DOCKER_HOST=unix:///nonexistent.sock\n"
        "  → start that engine, or unset DOCKER_HOST\n"
    )


@pytest.mark.usefixtures("no_docker")
def test_no_engine_and_no_right_to_install_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(OpsError, match=r"no Docker engine runs here, and only root may.*\n.*sudo make up"):
        engine.ensure()


@pytest.mark.usefixtures("no_docker")
def test_no_engine_and_not_debian(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(OpsError, match=r"neither Debian nor Ubuntu\n.*docs\.docker\.com"):
        engine.ensure()


@pytest.mark.usefixtures("no_docker")
def test_docker_desktop_that_was_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(OpsError, match="start Docker Desktop"):
        engine.ensure()


def fake_docker(folder: Path, script: str) -> None:
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker").chmod(0o755)


@pytest.mark.usefixtures("no_docker")
def test_an_engine_that_this_user_may_not_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "permission denied while trying to connect to the Docker daemon socket"
    fake_docker(tmp_path, f"echo '{words}' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(OpsError, match=r"may not speak to it\n.*permission denied.*\n.*usermod -aG docker"):
        engine.ensure()


@pytest.mark.usefixtures("no_docker")
def test_plugins_that_are_too_old_and_cannot_be_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_docker(
        tmp_path,
        'case $1 in version) echo \'{"Version":"24.0.1"}\';; compose) echo v2.5.0;; *) exit 1;; esac',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(apt, "is_debian_like", lambda: False)
    with pytest.raises(OpsError, match="docker compose and buildx are needed"):
        engine.ensure()


@pytest.mark.usefixtures("no_docker")
def test_an_engine_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_docker(
        tmp_path,
        'case $1 in version) echo \'{"Version":"19.03.1"}\';; compose) echo v2.40.3;; *) echo v0.29.1;; esac',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(OpsError, match=r"20\.10 or newer is needed, this is 19\.03\.1"):
        engine.ensure()


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Docker Compose version v2.40.3-desktop.1", (2, 40, 3)),
        ("20.10.24+dfsg1", (20, 10, 24)),
        ("1:26.1.5", (26, 1, 5)),
        ("none", ()),
    ],
)
def test_versions(text: str, numbers: tuple[int, ...]) -> None:
    assert engine.version_of(text) == numbers


@pytest.mark.parametrize(("holder", "removed"), [("999999999", True), ("", True), ("1", True)])
def test_the_mark_of_a_killed_engine_is_removed(tmp_path: Path, holder: str, removed: bool) -> None:  # noqa: FBT001 - a table's column
    mark = tmp_path / "docker.pid"
    mark.write_text(holder)
    engine._forget_dead_daemon(mark)
    assert mark.exists() is not removed


def test_the_package_archive_is_the_machines_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listed = "http://mirror.example/debian-security/|bookworm-security|main|$(SIGNED_BY)\nhttp://mirror.example/debian/|bookworm|main|/etc/key.gpg"
    fake = tmp_path / "apt-get"
    fake.write_text(f"#!/bin/sh\ncat <<'END'\n{listed}\nEND\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(apt, "os_release", lambda: {"ID": "debian", "VERSION_CODENAME": "bookworm"})
    assert apt.archive() == apt.Archive("http://mirror.example/debian/", "/etc/key.gpg")
    monkeypatch.setattr(apt, "os_release", lambda: {"ID": "debian", "VERSION_CODENAME": "sid"})
    with pytest.raises(OpsError, match="name no archive for sid"):
        apt.archive()
