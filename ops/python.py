"""The tests' Python environment, `.venv`, and what runs in it."""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys

from ops import apt
from ops.console import OpsError, item, say, step
from ops.shell import BUILD, ROOT, run, run_long
from ops.up import up

VENV = ROOT / ".venv"
BIN = VENV / "bin"
_REQUIREMENTS = ROOT / "tests" / "requirements.txt"
_STAMP = VENV / "requirements.sha256"


def ensure_venv() -> None:
    """Make `.venv` with exactly the locked dependencies; nothing to do when it has them already."""
    wanted = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()
    if _STAMP.exists() and _STAMP.read_text() == wanted and run([str(BIN / "python"), "-V"]).returncode == 0:
        return
    step("Python environment: .venv from tests/requirements.txt")
    log = BUILD / "venv.log"
    has_uv = run(["uv", "--version"]).returncode == 0
    if run([str(BIN / "python"), "-V"]).returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        if has_uv:
            run_long(["uv", "venv", "--python", sys.executable, str(VENV)], log=log, what="making .venv")
        else:
            _make_venv()
    if has_uv:
        install = ["uv", "pip", "install", "--python", str(BIN / "python")]
    else:
        install = [str(BIN / "python"), "-m", "pip", "install", "--disable-pip-version-check"]
    run_long(
        [*install, "--require-hashes", "-r", str(_REQUIREMENTS)],
        log=log,
        what="installing the tests' dependencies",
        attempts=3,
        remedy=f"check that this machine reaches its Python package index; the whole log is {log}",
    )
    _STAMP.write_text(wanted)


def _make_venv() -> None:
    make = [sys.executable, "-m", "venv", str(VENV)]
    if run(make).returncode == 0:
        return
    # Debian has the part of the standard library that puts pip into a new environment in a package of its own
    shutil.rmtree(VENV, ignore_errors=True)
    if os.geteuid() != 0 or not apt.is_debian_like():
        raise OpsError("this Python cannot make environments", "sudo apt-get install python3-venv, or install uv")
    item("installing python3-venv by apt")
    apt.install("python3-venv")
    run_long(make, log=BUILD / "venv.log", what="making .venv")


def check() -> int:
    """Lint, types and unit tests; run all, then fail if any did."""
    ensure_venv()
    jobs = (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "--quiet", "."],
        ["mypy"],
        ["pytest", "-q", "tests/unit", *_pytest_args()],
    )
    codes = []
    for program, *args in jobs:
        step(" ".join([program, *args]))
        codes.append(_run(program, *args))
    return int(any(codes))


def test_long() -> int:
    """Run the tests that `test` leaves out because each takes many minutes."""
    return test("-m", "long")


def test(*options: str) -> int:
    """Run every test against a stack that this brings up; pytest's summary is the last thing said.

    A stack that does not come up fails this, and the tests that need none run nevertheless.
    """
    ensure_venv()
    came_up = True
    try:
        up()
    except OpsError as error:
        say(f"✗ {error}")
        came_up = False
    step("Tests")
    code = _run("pytest", *options, *_pytest_args())
    return code if came_up else code or 1


def _pytest_args() -> list[str]:
    return shlex.split(os.environ.get("PYTEST_ARGS", ""))


def _run(program: str, *args: str) -> int:
    return subprocess.run([str(BIN / program), *args], cwd=ROOT, check=False).returncode
