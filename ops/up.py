"""`make up` and its inverse."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ops import checkout, choice, compose, dotenv, engine, fetch, finding, order, preflight, secrets, start, urls
from ops.choice import Choice
from ops.console import OpsError, ask, is_interactive, item, say, step
from ops.shell import BUILD, run, tail


@contextlib.contextmanager
def lock(folder: Path = BUILD) -> Iterator[IO[str]]:
    """Let one command at a time change the stack. The kernel frees the lock when its holders end, however they end."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            item(f"waiting for another make here, or what it started (process {file.read().strip() or 'unknown'})")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield file


def up() -> None:
    """Bring everything up, follow one order through it, say where to look."""
    began = time.monotonic()
    with lock() as held:
        chosen, resolved = prepare()
        fetch.obtain(chosen, resolved)
        step(f"Services: {len(resolved['services'])}, in the order of their health")
        took = start.start(resolved, held)
        item(f"all ready in {took:.0f} s")
    step("One order, followed")
    order.follow(resolved)
    step("Where to look")
    urls.show(resolved)
    for name, reason in chosen.left_out.items():
        item(f"left out: {name}: {reason}")
    say(f"▸ Ready after {time.monotonic() - began:.0f} s. Stop: make down. Look again: make urls")


def images() -> None:
    """Get every image and start nothing."""
    with lock():
        chosen, resolved = prepare(to_start=False)
        fetch.obtain(chosen, resolved)


def prepare(*, to_start: bool = True) -> tuple[Choice, dict[str, Any]]:
    """Do all that comes before images: engine, choice of images, this machine, passwords."""
    step("Docker engine")
    found = engine.ensure()
    item(f"Docker Engine {found.version}, compose {found.compose}, buildx {found.buildx}")
    light = dotenv.setting("LIGHT") not in {None, "", "0"}
    chosen = choice.decide(compose.profiles(), light=light)
    step(f"Images from {'packages' if chosen.is_packages else chosen.registry or 'Docker Hub'}: {chosen.why}")
    for name, reason in chosen.left_out.items():
        item(f"left out: {name}: {reason}")
    resolved = compose.config()
    step("This machine")
    lacking = bool(fetch.missing(resolved))
    needed = preflight.DISK_RUN
    if lacking:
        needed = preflight.DISK_BUILD if chosen.is_packages else preflight.DISK_PULL
    running = [container.service for container in compose.containers() if container.state == "running"]
    found_here = preflight.findings(resolved, disk_needed=needed, running=running, to_start=to_start)
    finding.report(found_here)
    if not found_here:
        item("memory, disk, ports and clock are fine")
    if unreadable := checkout.make_readable():
        item(f"{unreadable} files and folders of this checkout made readable for the containers' users")
    step("Passwords")
    made = secrets.ensure(compose.volumes(resolved["name"]))
    dotenv.write_ours({**dotenv.read_ours(), "SECRETS_CHANGED": secrets.changed()})
    item(f"{len(made)} made in .secrets/" if made else "all in .secrets/")
    return chosen, resolved


def down() -> None:
    """Stop everything; data and passwords stay."""
    _stop()
    item("stopped; the data is kept: make up goes on with it")


def clean() -> None:
    """Stop everything and remove its data."""
    if os.environ.get("YES") in {None, "", "0"}:
        if not is_interactive():
            raise OpsError(
                "make clean removes every order, metric, log line and trace, and nobody is here to be asked",
                "make clean YES=1",
            )
        if not ask("Remove every order, metric, log line and trace of this stack?", default=False):
            item("nothing removed")
            return
    _stop("--volumes")
    item("stopped, and its data removed; passwords and images stay")


def _stop(*options: str) -> None:
    engine.require()
    compose.allow_unset_registry()
    with lock():
        done = run(compose.command(*compose.EVERY_PROFILE, "down", "--remove-orphans", *options), timeout=300)
    if done.returncode != 0:
        raise OpsError("docker compose down failed", "make doctor", tail(done.stderr, 4))


def show_urls() -> None:
    """Say what is where."""
    engine.require()
    compose.allow_unset_registry()
    resolved = compose.config()
    if not any(container.state == "running" for container in compose.containers()):
        item("nothing runs now: make up starts it")
    urls.show(resolved)
