"""The Makefile, the verbs, the lock, and running programs."""

import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from ops.__main__ import VERBS
from ops.console import OpsError
from ops.shell import ROOT, run, run_long, settle_home

MAKEFILE = (ROOT / "Makefile").read_text()


def make(*args: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", *args], cwd=ROOT, capture_output=True, text=True, check=False)


def test_bare_make_lists_every_target_with_a_line_of_help() -> None:
    shown = make().stdout
    targets = re.search(r"^\.PHONY: (.*)", MAKEFILE, re.MULTILINE)
    assert targets
    for target in targets[1].split():
        assert re.search(rf"^  {target} +\S+", shown, re.MULTILINE), target


def test_every_verb_has_its_target_and_every_target_its_verb() -> None:
    assert set(re.findall(r"\$\(OPS\) ([\w-]+)", MAKEFILE)) == set(VERBS)


def test_a_missing_python_is_one_line() -> None:
    done = make("up", "PYTHON=/nonexistent/python3")
    assert done.returncode != 0
    assert "no '/nonexistent/python3' on the PATH: install Python 3.11" in done.stderr.splitlines()[0]


def test_a_python_that_is_too_old_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ROOT / "ops" / "__init__.py"
    ast.parse(first.read_text(), feature_version=(3, 4))  # an old one must get as far as the message
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer, this is"):
        runpy.run_path(str(first))


def test_an_unknown_verb_is_a_wrong_call() -> None:
    done = run([sys.executable, "-m", "ops", "fly"])
    assert done.returncode == 2
    assert done.stderr.startswith("usage: python3 -m ops {up,down,")


def test_clean_asks_and_without_a_person_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("YES", raising=False)
    done = run([sys.executable, "-m", "ops", "clean"])
    assert done.returncode == 1
    assert "→ make clean YES=1" in done.stderr


HOLD = """
import sys, time
from pathlib import Path
from ops.up import lock
with lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_make_at_a_time_and_a_killed_one_frees_the_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as second:
            assert second.stdout
            told = f"waiting for another make here, or what it started (process {first.pid})"
            assert told in second.stdout.readline()
            first.kill()
            assert second.stdout.readline() == "held\n"
            second.kill()


def test_a_program_that_fails_is_tried_again_then_named_with_its_last_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    count = tmp_path / "count"
    script = f"echo x >> {count}; echo no route to host; exit 7"
    with pytest.raises(OpsError, match=r"fetching failed\n    no route to host\n  → look at the network"):
        run_long(["sh", "-c", script], log=tmp_path / "log", what="fetching", attempts=3, remedy="look at the network")
    assert count.read_text() == "x\n" * 3
    assert "fetching failed, trying again (3 of 3)" in capsys.readouterr().out


def test_a_missing_and_a_hanging_program_are_failed_ones() -> None:
    assert run(["/nonexistent/program"]).returncode == 127
    assert run(["sleep", "60"], timeout=0.2).returncode == 124


def test_a_user_without_a_home_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    settle_home()
    assert Path.home().is_dir()
