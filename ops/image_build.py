"""Builds one stand-in image: runs its recipe, tries again when a download broke, asks the product for its version."""

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from ops import apt, mirrors
from ops.console import OpsError, item
from ops.shell import BUILD, run, tail

RECIPE_LABEL = "stand-in.recipe"
"""The hash of the recipe. It comes last: an image without it is not finished."""
VERSION_LABEL = "org.opencontainers.image.version"
LOGS = BUILD / "logs"
ATTEMPTS = 3
PAUSE_SECONDS = 10
# what apt, curl, Go and pip say when a transfer, not a recipe, went wrong
_TRANSFER = re.compile(
    r"Failed to fetch|Temporary failure|Could not (?:resolve|connect|handshake)|Connection (?:timed out|refused|reset)|"
    r"no such host|i/o timeout|TLS handshake timeout|unexpected EOF|dial tcp|Hash Sum mismatch|curl: \(\d+\)|"
    r"(?:status|error:?) (?:429|50[0234])|proxyconnect|network is unreachable",
    re.IGNORECASE,
)
_running: set["subprocess.Popen[bytes]"] = set()
_stopping = threading.Event()


def labels(tags: list[str]) -> dict[str, dict[str, str]]:
    """Give the labels of those images that exist."""
    asked = run(["docker", "image", "inspect", "--format", "{{json .RepoTags}}\t{{json .Config.Labels}}", *tags])
    found = {}
    for line in asked.stdout.splitlines():
        names, _, values = line.partition("\t")
        if values:
            found.update(dict.fromkeys(json.loads(names), json.loads(values) or {}))
    return {tag: found[tag] for tag in tags if tag in found}


@functools.cache
def archive() -> str:
    """Give the address of Debian's archive this machine uses; empty where it is no Debian and mmdebstrap must know."""
    return apt.archive().uri if apt.os_release().get("ID") == "debian" else ""


def stop_all() -> None:
    """End every build; what is cached stays."""
    _stopping.set()
    for process in list(_running):
        os.killpg(process.pid, signal.SIGTERM)


@dataclass
class Build:
    """One image to be built."""

    name: str
    tag: str
    folder: Path
    recipe: str
    fresh: bool = False  # without the engine's cache
    attempt: int = 1

    @property
    def log(self) -> Path:
        """Everything the build said, the last attempt last."""
        return LOGS / f"image-{self.name}.log"

    def run(self) -> None:
        """Build it. Raises OpsError naming the image, the step and the last lines of its log."""
        LOGS.mkdir(parents=True, exist_ok=True)
        self.log.write_text("")
        start = 0
        while self._attempt() and not _stopping.is_set():
            text = self.log.read_text(errors="replace")[start:]
            broken_transfer = bool(_TRANSFER.search(tail(text, 40)))
            if not broken_transfer or self.attempt == ATTEMPTS:
                raise failure(self.name, text, self.log, broken_transfer=broken_transfer)
            _stopping.wait(PAUSE_SECONDS * self.attempt)
            self.attempt += 1
            start += len(text)

    def _attempt(self) -> int:
        return self._import() if (self.folder / "build").exists() else self._build()

    def _import(self) -> int:
        """Make an image from nothing: the base."""
        require_mmdebstrap()
        tarball = BUILD / f"image-{self.name}.tar"
        try:
            code = self._logged([str(self.folder / "build"), str(tarball), archive()])
            changes = ('CMD ["bash"]', f"LABEL {RECIPE_LABEL}={self.recipe}")
            return code or self._logged(
                [
                    "docker",
                    "import",
                    *(part for change in changes for part in ("--change", change)),
                    str(tarball),
                    self.tag,
                ]
            )
        finally:
            tarball.unlink(missing_ok=True)

    def _build(self) -> int:
        command = ["docker", "build", "--progress=plain", "--tag", self.tag, "--file", str(self.folder / "Dockerfile")]
        command += ["--secret", f"id=ca,src={mirrors.CA}", "--secret", f"id=mirrors,src={mirrors.MIRRORS}"]
        command += mirrors.build_arguments()
        command += ["--no-cache"] if self.fresh and self.attempt == 1 else []
        return self._logged([*command, str(self.folder.parent)]) or self._finish()

    def _finish(self) -> int:
        """Ask the product for its version, which shows that it runs, and label the image."""
        ask = labels([self.tag])[self.tag]["stand-in.version-command"]
        asked = run(["docker", "run", "--rm", "--network=none", "--entrypoint=sh", self.tag, "-c", f"{ask} 2>&1"])
        version = re.search(r"\d+(?:\.\d+)+", asked.stdout)
        with self.log.open("a") as log:
            log.write(f"{ask}: {asked.stdout}{asked.stderr}")
        if asked.returncode or not version:
            return asked.returncode or 1
        named = [f"--label={RECIPE_LABEL}={self.recipe}", f"--label={VERSION_LABEL}={version.group()}"]
        return self._logged(["docker", "build", "--tag", self.tag, *named, "-"], f"FROM {self.tag}\n".encode())

    def _logged(self, command: list[str], feed: bytes = b"") -> int:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "DOCKER_BUILDKIT": "1"},
                start_new_session=True,  # so that a build and all its children can be ended together
            )
            _running.add(process)
            try:
                process.communicate(feed)
            finally:
                _running.discard(process)
        return process.returncode


def require_mmdebstrap() -> None:
    """Make sure that the base image can be made here. Raises OpsError where it cannot."""
    if shutil.which("mmdebstrap"):
        return
    if os.geteuid() != 0 or not apt.is_debian_like():
        raise OpsError(
            "the base image is made with mmdebstrap, which is not installed",
            "on Debian or Ubuntu: sudo apt-get install mmdebstrap debian-archive-keyring; elsewhere load "
            "packages/debian:trixie-slim from a machine that has it: docker save … | docker load",
        )
    item("installing mmdebstrap and debian-archive-keyring, to make the base image")
    apt.install("mmdebstrap", "debian-archive-keyring")


def current_step(log: Path) -> str:
    """Give the last thing a build said, for the line that shows its progress."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 2000))
        lines = file.read().decode(errors="replace").splitlines()
    for line in reversed(lines):
        said = re.sub(r"^#\d+ (?:[\d.]+ |sha256:\S+|DONE.*|CACHED)?", "", line).strip()
        if said:
            return said
    return ""


def failure(name: str, log: str, path: Path, *, broken_transfer: bool) -> OpsError:
    """Say which image failed, at which step, with the lines of the log that matter, and what to do."""
    number = next(iter(re.findall(r"^#(\d+) ERROR", log, re.MULTILINE)[-1:]), "")
    steps = dict(re.findall(r"^#(\d+) (\[.*)", log, re.MULTILINE))
    said = (
        [line.split(" ", 2)[2] for line in log.splitlines() if re.match(rf"#{number} \d+\.\d+ ", line)]
        if number
        else []
    )
    what = " ".join(steps.get(number, "").split())
    at = f" at {what[:100]}{'…' if len(what) > 100 else ''}" if what else ""  # noqa: PLR2004 - a terminal's width
    if broken_transfer:
        problem = f"image {name}: a download broke {ATTEMPTS} times{at}"
        remedy = "check that this machine reaches its package mirrors, then make images: it goes on where it stopped"
    elif "no space left on device" in log:
        problem, remedy = (
            f"image {name}: the disk is full{at}",
            "make room (docker system df shows Docker's share), then make images",
        )
    elif "unable to pick chroot mode" in log:
        problem, remedy = (
            f"image {name}: this user may not make a root file system, being neither root nor owner of subordinate ids",
            "once, as root: make images; or sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER",
        )
    else:
        problem, remedy = f"image {name} could not be built{at}", "see the whole log"
    return OpsError(problem, f"{remedy} ({path})", tail("\n".join(said) or log))
