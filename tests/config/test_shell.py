"""Shell on people's machines and in other people's images: POSIX alone, and the oldest make that is still about."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import Tool, lint

ROOT = Path(__file__).resolve().parents[2]
TRACKED = subprocess.run(
    ["git", "-c", "safe.directory=*", "ls-files"],  # whoever owns the checkout
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
).stdout.split("\n")


def shell_of(path: Path) -> str:
    """`sh` or `bash` by the first line, `sh` for what others source; empty for what is no script."""
    first = path.read_bytes().partition(b"\n")[0].decode(errors="replace") if path.is_file() else ""
    found = re.match(r"#!\S*?(?:/env )?/?(sh|bash)\b", first)
    return found[1] if found else "sh" if path.suffix == ".sh" else ""


SCRIPTS = {name: shell for name in TRACKED if (shell := shell_of(ROOT / name))}

# What the image brings along, or what is run by nobody but CI.
BASH = {".ci/run", "images/elasticsearch/docker-entrypoint.sh", "images/postgres/docker-entrypoint.sh"}

EXCEPTIONS = {
    "elasticsearch/install.sh": {"SC2094": "`put` reads the file and writes to the network"},
    "images/postgres/docker-entrypoint.sh": {
        "SC1090": "the person's own files",
        "SC2174": "the mode is the deepest folder's, as in the official image",
    },
    "rsyslog/healthcheck.sh": {"SC2015": "`continue` is meant for either failure"},
}


def test_only_these_need_bash() -> None:
    assert {name for name, shell in SCRIPTS.items() if shell == "bash"} == BASH
    assert len(SCRIPTS) > len(BASH)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_portable(name: str) -> None:
    path = ROOT / name
    # run, not sourced: what it uses of the file that it sources beside it is known
    said = lint(path.read_text(encoding="utf-8"), SCRIPTS[name], path.parent, tuple(EXCEPTIONS.get(name, ())))
    assert not said


def test_the_linter_would_say_so() -> None:
    assert "SC3010" in lint("#!/bin/sh\n[[ -f x ]] && echo y\n", "sh")


COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


def inline() -> dict[str, str]:
    """The shell that stands in docker-compose.yml itself, with `$$` as the `$` that it is there."""
    found = {}
    for name, service in COMPOSE.items():
        entrypoint = service.get("entrypoint", [])
        if entrypoint[:2] == ["sh", "-c"]:
            found[f"{name}: entrypoint"] = entrypoint[2]
        test = service.get("healthcheck", {}).get("test", [])
        if test[:1] == ["CMD-SHELL"]:
            found[f"{name}: health check"] = test[1]
    return {name: text.replace("$$", "$") for name, text in found.items()}


@pytest.mark.parametrize("name", inline())
def test_shell_within_the_compose_file_is_portable(name: str) -> None:
    said = lint(inline()[name], "sh")
    assert not said


# ── run, not only read, under the small shells that images have: Debian's dash and busybox's ash ─────────────────────
SHELLS = {"dash": ("redis", "dash"), "ash": ("portal", "busybox", "sh")}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return SHELLS[request.param]


def test_all_are_understood(tool: Tool, shell: tuple[str, ...]) -> None:
    service, *command = shell
    names = [name for name, wanted in SCRIPTS.items() if wanted == "sh"]
    each = f"for name in {' '.join(names)}; do {' '.join(command)} -n $name || echo $name; done"
    done = tool(service, command[0], *command[1:], "-c", each)
    assert not done.stdout + done.stderr


PREPARE = "mkdir -p /to/app /to/edge /volumes/logs /volumes/edge"
LOOK = "stat -c '%n %u:%g %a' /to/app /to/app/* /to/edge/* /volumes/*; cat /to/app/one"


def test_secrets_are_handed_out(tool: Tool, shell: tuple[str, ...], tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / name).write_text(f"{name}\n")
    (tmp_path / "given").write_text("")
    flags = ("--user=0:0", "--tmpfs=/to", "--tmpfs=/volumes", f"--volume={tmp_path}:/from:ro")
    service, *command = shell
    run = f"{' '.join(command)} ops/init.sh 'app 10001:10001 one two' 'edge 65534:65534 three given?'"
    done = tool(service, command[0], *command[1:], "-c", f"{PREPARE} && {run} && {run} && {LOOK}", flags=flags)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "/to/app 10001:10001 700",
        "/to/app/one 10001:10001 400",
        "/to/app/two 10001:10001 400",
        "/to/edge/given 65534:65534 400",
        "/to/edge/three 65534:65534 400",
        "/volumes/edge 65534:65534 755",
        "/volumes/logs 10001:10001 755",
        "one",
    ]
    (tmp_path / "two").write_text("")
    done = tool(service, command[0], *command[1:], "-c", f"{PREPARE} && {run}", flags=flags)
    assert done.returncode == 1
    assert done.stderr.startswith('init: the secret .secrets/two is missing or empty: run "make up"')
    (tmp_path / "two").write_text("two\n")
    (tmp_path / "given").unlink()
    done = tool(service, command[0], *command[1:], "-c", f"{PREPARE} && {run}", flags=flags)
    assert done.returncode == 1
    assert done.stderr.startswith("init: the secret .secrets/given is missing")


@pytest.mark.parametrize("days", ["", "x", "007", "12345", "-1", "3.5"])
def test_days_that_are_none_are_refused(tool: Tool, shell: tuple[str, ...], days: str) -> None:
    service, *command = shell
    done = tool(
        *(service, command[0], *command[1:], "elasticsearch/delete-old-indices.sh", "once"),
        flags=("--env", f"TRACE_RETENTION_DAYS={days or ' '}"),
    )
    assert done.returncode == 2
    assert done.stderr.startswith("TRACE_RETENTION_DAYS is ")


# ── make ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

# What GNU make learned after 3.81 (2006), which is the one that macOS has; from the NEWS of its releases.
NEWER = {
    "3.82": r"^\.ONESHELL|^\.RECIPEPREFIX|^\s*undefine\b|^\s*private\b|^\s*define\s+\S+\s*[:?+]?=|^\.SHELLFLAGS",
    "4.0": r"!=|::=|\$\(file\b|\$\(guile\b|^\s*load\b",
    "4.1 and later": r"\.SHELLSTATUS|\.EXTRA_PREREQS|\$\(intcmp\b|\$\(let\b|:::=|^\.WAIT|^\.NOTINTERMEDIATE",
    "4.3": r"&:",
}


@pytest.mark.parametrize("version", NEWER)
def test_the_makefile_has_nothing_newer_than_make_3_81(version: str) -> None:
    assert not re.findall(NEWER[version], MAKEFILE, re.MULTILINE)


def test_recipes_are_portable_too() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE)
    shown = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *targets], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert shown.count("-m ops") >= len(targets) - 1
    # each line is a shell of its own, which exec leaves
    assert not lint(shown, "sh", exclude=("SC2093",))


def test_continuous_integration_needs_no_newer_bash_than_macs_have() -> None:
    """3.2: no associative arrays, no mapfile, no ${x,,}, no |&, no unset array under `set -u`."""
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert not re.search(r"declare -A|mapfile|readarray|\$\{\w+[,^]|\|&|&>>|\[@\]|coproc|wait -n|\$'", text)
