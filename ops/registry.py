"""Asks whether an image registry, and failing that the package archive, can be reached."""

import os
import re
import selectors
import socket
import subprocess
import time
import urllib.parse

from ops import apt
from ops.console import OpsError
from ops.shell import ROOT

_ANSWER_SECONDS = 15


def problem(repository: str, prefix: str = "") -> str | None:
    """Ask the engine for one small image; None as soon as the registry has answered for it, else why it did not.

    `prefix` is a mirror, in the form of REGISTRY; empty is Docker Hub.

    The engine asks, not this process: it may have a proxy or a mirror of its own.
    """
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    found = re.search(rf"\$\{{REGISTRY-\}}({re.escape(repository)}:\S+)", text)
    if not found:
        raise OpsError(
            f"docker-compose.yml has no image {repository}", "restore the file: git checkout docker-compose.yml"
        )
    pull = subprocess.Popen(
        ["docker", "pull", prefix + found[1]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        return _watch(pull)
    finally:
        pull.kill()
        pull.wait()
        assert pull.stdout  # noqa: S101 - it was asked for
        pull.stdout.close()


def _watch(pull: "subprocess.Popen[str]") -> str | None:
    assert pull.stdout  # noqa: S101 - it was asked for
    deadline = time.monotonic() + _ANSWER_SECONDS
    last = ""
    with selectors.DefaultSelector() as selector:
        selector.register(pull.stdout, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            line = pull.stdout.readline()
            if not line:
                return None if pull.wait() == 0 else reason_of(last)
            if ": Pulling from " in line:
                return None
            last = line.strip()
    return f"no answer within {_ANSWER_SECONDS} s"


def reason_of(error: str) -> str:
    """Shorten the engine's message to its cause, the part after the last address it names."""
    cause = error.rsplit(": ", 1)[-1].strip().rstrip(".")
    return cause or "no reason given"


def check_network(problem: str) -> None:
    """Raise OpsError when the package archive cannot be reached either: no network, or none that is of use."""
    if (
        any(os.environ.get(name) for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"))
        or not apt.is_debian_like()
    ):
        return  # what is behind a proxy shows when it is used
    address = urllib.parse.urlsplit(apt.archive().uri)
    try:
        socket.create_connection(
            (address.hostname or "", address.port or (443 if address.scheme == "https" else 80)), 10
        ).close()
    except OSError as error:
        raise OpsError(
            f"no network: no image registry answers ({problem}), nor does this machine's package archive ({error})",
            "connect this machine, or name a mirror that it reaches: echo REGISTRY=mirror.example.com/ >> .env",
        ) from error
