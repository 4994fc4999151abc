"""Packages of Debian and Ubuntu: installed by apt, or taken from another suite without installing them.

No archive is named here: each machine's own sources say where it fetches packages from, be it a mirror or a cache.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from ops.console import OpsError
from ops.shell import BUILD, run, run_long

_ONLINE = "check that this machine reaches its package archive: apt-get update"


@dataclass(frozen=True)
class Archive:
    """Where this machine fetches its distribution's packages from."""

    uri: str
    keyring: str


def os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """Read what this system calls itself; empty where it says nothing."""
    if not path.exists():
        return {}
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {name: value.strip("\"'") for name, value in pairs}


def is_debian_like() -> bool:
    """Tell whether apt and Debian's package names can be counted on."""
    release = os_release()
    return bool({"debian", "ubuntu"} & {release.get("ID", ""), *release.get("ID_LIKE", "").split()}) and bool(
        shutil.which("apt-get")
    )


def archive() -> Archive:
    """Find the archive of this machine's own release in its apt sources, whichever format they have."""
    codename = os_release().get("VERSION_CODENAME", "")
    fields = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)"
    listed = run(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"])
    for line in listed.stdout.splitlines():
        uri, suite, component, keyring = line.split("|")
        if suite == codename and component == "main":
            known = Path(keyring) if keyring.startswith("/") else Path("/usr/share/keyrings/debian-archive-keyring.gpg")
            return Archive(uri, str(known))
    raise OpsError(
        f"this machine's apt sources name no archive for {codename or 'its release'}",
        "put the distribution's own line back into /etc/apt/sources.list",
        listed.stderr,
    )


def install(*packages: str) -> None:
    """Install packages of this machine's release, as root."""
    apt_get = [
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-o",
        "Acquire::Retries=3",
        "-o",
        "DPkg::Lock::Timeout=120",
    ]
    run_long([*apt_get, "update"], log=BUILD / "apt-update.log", what="apt-get update", attempts=3, remedy=_ONLINE)
    run_long(
        [*apt_get, "install", "-y", "--no-install-recommends", *packages],
        log=BUILD / "apt-install.log",
        what=f"installing {', '.join(packages)}",
        attempts=3,
        remedy=f"{_ONLINE}; the whole log is {BUILD / 'apt-install.log'}",
    )


def candidate(package: str) -> str:
    """Give the version that apt would install; empty when there is none."""
    for line in run(["apt-cache", "policy", package]).stdout.splitlines():
        name, _, value = line.strip().partition(": ")
        if name == "Candidate" and value != "(none)":
            return value
    return ""


def unpack(suite: str, *packages: str) -> Path:
    """Fetch packages of another suite of the same archive and unpack them in a folder, installing nothing.

    Needs no root: apt gets a configuration of its own, beside the machine's.
    """
    home = BUILD / "apt" / suite
    files = home / "files"
    shutil.rmtree(files, ignore_errors=True)
    for folder in ("lists/partial", "cache/archives/partial", "debs", "files"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    source = archive()
    (home / "sources.list").write_text(f"deb [signed-by={source.keyring}] {source.uri} {suite} main\n")
    settings = {
        "Dir::Etc::sourcelist": home / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": home / "lists",
        "Dir::Cache": home / "cache",
        "Acquire::Check-Valid-Until": "false",  # suites in the making outlive their Release files
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "APT::Sandbox::User": "root",  # the folders are ours, not the user _apt's
    }
    (home / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
    settled = f"APT_CONFIG={home / 'apt.conf'}"
    log = home / "apt.log"
    run_long(
        ["env", settled, "apt-get", "update"],
        log=log,
        what=f"reading the packages of {suite}",
        attempts=3,
        remedy=_ONLINE,
    )
    for package in packages:
        shutil.rmtree(home / "debs")
        (home / "debs").mkdir()
        run_long(
            ["env", "-C", str(home / "debs"), settled, "apt-get", "download", package],
            log=log,
            what=f"fetching {package} of {suite}",
            attempts=3,
            remedy=_ONLINE,
        )
        (deb,) = (home / "debs").glob("*.deb")
        run_long(["dpkg", "-x", str(deb), str(files)], log=log, what=f"unpacking {deb.name}")
    return files
