"""One more container of a service, beside the stack's own: to be stopped, or set otherwise, while the stack runs on."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import requests
from clients import ROOT, Http, Stack, eventually


@dataclass(frozen=True)
class Container:
    """It has a service's image, settings, networks and volumes, but a name and published ports of its own."""

    name: str
    hostname: str
    ports: Mapping[int, str]  # in the container → where it is published on this machine

    def http(self, port: int) -> Http:
        """Its HTTP address."""
        return Http(f"http://{self.ports[port]}")

    def stop(self, seconds: int = 30) -> None:
        """SIGTERM, and SIGKILL after so many seconds."""
        docker("stop", f"--time={seconds}", self.name)

    def start(self) -> None:
        """Start it again."""
        docker("start", self.name)

    def read(self, url: str) -> str:
        """GET from inside: for ports that are not published."""
        return docker("exec", self.name, "wget", "-q", "-O", "-", url)


def docker(*arguments: str) -> str:
    """Run docker and return what it printed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr.strip()}"
    return done.stdout


@contextmanager
def beside(  # noqa: PLR0913 - what one says of a container
    stack: Stack,
    service: str,
    *arguments: str,
    ports: list[int],
    ready: str,
    settings: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Container]:
    """Run it; `ready` is the path, on the first of the ports, that answers when it is. Afterwards it is removed.

    `settings` are what .env could say, `environment` is the container's own.
    """
    name = f"{stack.config['name']}-{service}-beside{os.environ.get('PYTEST_XDIST_WORKER', '')}"  # two may run at once
    subprocess.run(["docker", "rm", "--force", name], capture_output=True, timeout=60, check=False)
    own = [f"--env={key}={value}" for key, value in (environment or {}).items()]
    published = [f"--publish=127.0.0.1::{port}" for port in ports]
    run = ["docker", "compose", "run", "--detach", "--no-deps", f"--name={name}", *published, *own, service, *arguments]
    try:
        done = subprocess.run(
            run,
            cwd=ROOT,
            env={**os.environ, **(settings or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(docker("inspect", name))[0]
        bound = found["NetworkSettings"]["Ports"]
        addresses = {port: f"127.0.0.1:{bound[f'{port}/tcp'][0]['HostPort']}" for port in ports}
        container = Container(name, found["Config"]["Hostname"], addresses)
        eventually(
            lambda: requests.get(f"http://{container.ports[ports[0]]}{ready}", timeout=5).ok,
            within=60,
            what=f"{name} is ready",
        )
        yield container
    finally:
        docker("rm", "--force", name)
