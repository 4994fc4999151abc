"""The products' own checkers, run from the very images that the stack runs: a file that passes here loads there."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import yaml

from ops import dotenv

ROOT = Path(__file__).resolve().parents[2]
SHELLCHECK = Path(sys.executable).with_name("shellcheck")


class Tool(Protocol):
    """Runs one program of one service's image."""

    def __call__(
        self, service: str, program: str, *arguments: str, folder: Path = ROOT, flags: Sequence[str] = ()
    ) -> "subprocess.CompletedProcess[str]":
        """Run it in `folder`, which it sees read-only under the same path; `flags` are docker's."""


def image(service: str) -> str:
    """The image that docker-compose.yml names, from the registry that this checkout uses."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    registry = dotenv.setting("REGISTRY")
    if registry is None:
        registry = dotenv.read_ours().get("REGISTRY", "")
    name: str = compose["services"][service]["image"]
    return name.replace("${REGISTRY-}", registry)


def run(
    service: str, program: str, *arguments: str, folder: Path = ROOT, flags: Sequence[str] = ()
) -> "subprocess.CompletedProcess[str]":
    """See Tool."""
    # as this user: a checkout need not be readable by the image's
    who = f"{os.getuid()}:{os.getgid()}"
    mount = f"type=bind,source={folder},target={folder},readonly"
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--network=none", f"--user={who}", f"--mount={mount}", f"--workdir={folder}"),
            *(*flags, f"--entrypoint={program}", image(service), *arguments),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    # docker's own failures: no engine, no image, no such program
    assert done.returncode not in {125, 126, 127}, f'{done.stderr.strip()}; "make images" gets the images'
    return done


def lint(text: str, shell: str, folder: Path = ROOT, exclude: tuple[str, ...] = ()) -> str:
    """What ShellCheck says of it; for `sh` that is POSIX, whatever bash or ksh have beyond it is an error."""
    done = subprocess.run(
        [
            *(SHELLCHECK, f"--shell={shell}", "--format=gcc", "--external-sources"),
            f"--source-path={folder}",
            # mounted or made at run time: cannot be followed
            *(f"--exclude={','.join(('SC1091', *exclude))}", "-"),
        ],
        input=text,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout
