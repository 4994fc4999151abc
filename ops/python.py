"""The Python environments, `.venv` for the tests and `.venv-bench` for the benchmarks, and what runs in them."""

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ops import apt
from ops.console import OpsError, item, say, step
from ops.shell import BUILD, ROOT, run, run_long
from ops.up import up


@dataclass(frozen=True)
class Environment:
    """A folder with exactly the packages of one lock file."""

    folder: Path
    requirements: Path

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return self.folder / "bin"

    def ensure(self) -> None:
        """Make it; nothing to do when it has what is locked already."""
        stamp = self.folder / "requirements.sha256"
        wanted = hashlib.sha256(self.requirements.read_bytes()).hexdigest()
        python = str(self.bin / "python")
        if stamp.exists() and stamp.read_text() == wanted and run([python, "-V"]).returncode == 0:
            return
        name = self.folder.name
        step(f"Python environment: {name} from {self.requirements.relative_to(ROOT)}")
        log = BUILD / f"{name.removeprefix('.')}.log"
        has_uv = run(["uv", "--version"]).returncode == 0
        if run([python, "-V"]).returncode != 0:
            shutil.rmtree(self.folder, ignore_errors=True)
            if has_uv:
                run_long(["uv", "venv", "--python", sys.executable, str(self.folder)], log=log, what=f"making {name}")
            else:
                self._make(log)
        if has_uv:
            install = ["uv", "pip", "install", "--python", python]
        else:
            install = [python, "-m", "pip", "install", "--disable-pip-version-check"]
        run_long(
            [*install, "--require-hashes", "-r", str(self.requirements)],
            log=log,
            what=f"installing {self.requirements.relative_to(ROOT)}",
            attempts=3,
            remedy=f"check that this machine reaches its Python package index; the whole log is {log}",
        )
        stamp.write_text(wanted)

    def _make(self, log: Path) -> None:
        make = [sys.executable, "-m", "venv", str(self.folder)]
        if run(make).returncode == 0:
            return
        # Debian has the part of the standard library that puts pip into a new environment in a package of its own
        shutil.rmtree(self.folder, ignore_errors=True)
        if os.geteuid() != 0 or not apt.is_debian_like():
            raise OpsError("this Python cannot make environments", "sudo apt-get install python3-venv, or install uv")
        item("installing python3-venv by apt")
        apt.install("python3-venv")
        run_long(make, log=log, what=f"making {self.folder.name}")


TESTS = Environment(ROOT / ".venv", ROOT / "tests" / "requirements.txt")
BENCHMARKS = Environment(ROOT / ".venv-bench", ROOT / "benchmarks" / "requirements.txt")


def check() -> int:
    """Lint, types and unit tests; run all, then fail if any did."""
    TESTS.ensure()
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


SIDE_BY_SIDE = ("--numprocesses=3", "--dist=loadscope")  # the parts that tests/conftest.py names


def test(*options: str) -> int:
    """Run every test: what the stack is asked in turn, and beside it what does not disturb that."""
    return _test(*SIDE_BY_SIDE, *options)


def test_long() -> int:
    """Run the tests that `test` leaves out because each takes many minutes, one after another."""
    return _test("-m", "long")


def _test(*options: str) -> int:
    """Run pytest against a stack that this brings up; its summary is the last thing said.

    A stack that does not come up fails this, and the tests that need none run nevertheless.
    """
    TESTS.ensure()
    came_up = True
    try:
        up()
    except OpsError as error:
        say(f"✗ {error}")
        came_up = False
    step("Tests")
    code = _run("pytest", *options, *_pytest_args())
    return code if came_up else code or 1


def bench(*subjects: str) -> int:
    """Measure the library side by side with others; benchmarks/RESULTS.md is written anew."""
    BENCHMARKS.ensure()
    return subprocess.run(
        [str(BENCHMARKS.bin / "python"), "-m", "benchmarks", *subjects],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "app")},
        check=False,
    ).returncode


def bench_metrics() -> int:
    """Measure metrics."""
    return bench("metrics")


def bench_logs() -> int:
    """Measure log lines."""
    return bench("logs")


def bench_traces() -> int:
    """Measure traces, and all three signals together."""
    return bench("traces")


def _pytest_args() -> list[str]:
    return shlex.split(os.environ.get("PYTEST_ARGS", ""))


def _run(program: str, *args: str) -> int:
    return subprocess.run([str(TESTS.bin / program), *args], cwd=ROOT, check=False).returncode
