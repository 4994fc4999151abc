"""What a drill works on: the containers, the fault switches, and the files that the watchers read."""

import http.client
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops import compose, faults, order
from ops.console import OpsError
from ops.faults import Switches
from ops.shell import ROOT, run, tail
from ops.urls import address

_COMMAND_SECONDS = 120.0
_HEALTH_SECONDS = 180.0
_POLL_SECONDS = 0.5
_RELOAD_SECONDS = 20.0


@dataclass(frozen=True)
class Stage:
    """A running stack; `prometheus` and `alertmanager` are the pair that is watched, with the folders they read."""

    resolved: dict[str, Any]
    switches: Switches
    prometheus: str
    alertmanager: str
    robots: str
    prometheus_folder: Path = ROOT / "prometheus"
    alertmanager_folder: Path = ROOT / "alertmanager"
    pace: float = 1.0
    """What the windows of this pair's rules are, of the shipped ones: see ops/scale_rules.py."""

    # ── containers ───────────────────────────────────────────────────────────────────────────────────────────────
    def compose(self, *arguments: str) -> str:
        """Run `docker compose` and give what it printed; raise OpsError with its own words when it fails."""
        done = run(compose.command(*arguments), timeout=_COMMAND_SECONDS)
        if done.returncode != 0:
            raise OpsError(f"docker compose {arguments[0]} failed", "make doctor", tail(done.stderr, 4))
        return done.stdout

    def shell(self, service: str, script: str, *arguments: str) -> str:
        """Run a script of the shell within a service's container."""
        return self.compose("exec", "-T", service, "sh", "-ec", script, "sh", *arguments)

    def python(self, service: str, program: str, *arguments: str) -> None:
        """Start a Python program within a service's container; it runs on by itself."""
        self.compose("exec", "--detach", service, "python", "-c", program, *arguments)

    def redis(self, *command: str) -> str:
        """Ask Redis one thing."""
        return self.shell("redis", 'REDISCLI_AUTH=$(cat /run/secrets/redis) exec redis-cli -e "$@"', *command)

    def postgres(self, sql: str) -> str:
        """Run SQL as the shop's own user."""
        return self.compose("exec", "-T", "postgres", "psql", "-qAt", "-U", "shop", "-d", "shop", "-c", sql)

    def stop(self, service: str) -> None:
        """Stop a service's containers, as an operator or a crash would."""
        self.compose("stop", "--timeout", "5", service)

    def start(self, service: str) -> None:
        """Start them again. `docker compose start` would wait for what they need, which another drill may have."""
        names = [c.name for c in compose.containers() if c.service == service]
        done = run(["docker", "start", *names], timeout=_COMMAND_SECONDS)
        if done.returncode != 0:
            raise OpsError(f"{service} does not start", f"docker compose logs {service}", tail(done.stderr, 4))

    def pause(self, service: str) -> None:
        """Freeze a service: its address is there and nobody answers."""
        self.compose("pause", service)

    def unpause(self, service: str) -> None:
        """Let it go on; nothing when it is not frozen."""
        if any(c.service == service and c.state == "paused" for c in compose.containers()):
            self.compose("unpause", service)

    def shipper(self) -> str:
        """Name the log shipper that runs here."""
        return next(name for name in ("logstash", "rsyslog") if name in self.resolved["services"])

    def until_well(self) -> None:
        """Wait until every service is ready again; raise OpsError with the names of those that are not."""
        deadline = time.monotonic() + _HEALTH_SECONDS
        while unready := compose.unready(self.resolved, compose.containers()):
            if time.monotonic() > deadline:
                raise OpsError(f"not well again: {', '.join(unready)}", "make up; docker compose logs says why")
            time.sleep(_POLL_SECONDS)

    # ── watchers ─────────────────────────────────────────────────────────────────────────────────────────────────
    def write(self, path: Path, text: str, watcher: str) -> None:
        """Add a file to a watcher's configuration and let it read it; that the watcher refuses it may be the point."""
        path.write_text(text, encoding="utf-8")
        _reload(watcher)

    def remove(self, path: Path, watcher: str) -> None:
        """Take it away again; the watcher must then be content."""
        path.unlink(missing_ok=True)
        if not _reload(watcher):
            raise OpsError(f"{watcher} refuses its configuration", f"curl -X POST {watcher}/-/reload says why")

    def behave(self, robot: str, mode: str) -> None:
        """Tell a stand-in of a vendor how to behave: `ok`, `errcode` and so on."""
        order.ask(f"{self.robots}/robots/{robot}", {"mode": mode}, method="PUT")

    def post_alert(self, labels: dict[str, str], annotations: dict[str, str], *, seconds: float) -> None:
        """Hand Alertmanager an alert of our own, which ends by itself."""
        now = time.time()
        starts, ends = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (now, now + seconds))
        alert = {"labels": labels, "annotations": annotations, "startsAt": starts, "endsAt": ends}
        post(f"{self.alertmanager}/api/v2/alerts", [alert])


def post(url: str, body: Any) -> None:
    """POST JSON to what answers with nothing."""
    try:
        order.ask(url, body)
    except ValueError:  # an empty answer is no JSON
        return


def here() -> Stage:
    """Give the stage of this checkout; raise OpsError where something does not run or publishes no port."""
    resolved = compose.config()

    def url(service: str, port: int) -> str:
        found = address(resolved, service, port)
        if found is None:
            raise OpsError(f"docker-compose.yml publishes no port {port} of {service}", "restore its ports")
        return found

    running = {c.service for c in compose.containers() if c.state == "running"}
    if lacking := {"app", "prometheus", "alertmanager"} - running:
        raise OpsError(f"not running: {', '.join(sorted(lacking))}", "make up")
    return Stage(
        resolved,
        faults.switches(resolved),
        url("prometheus", 9090),
        url("alertmanager", 9093),
        url("chat-robots", 9096),
    )


def _reload(watcher: str) -> bool:
    """Let Prometheus or Alertmanager read its files; tell whether it took them."""
    request = urllib.request.Request(f"{watcher}/-/reload", b"", method="POST")  # noqa: S310 - our own address
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_RELOAD_SECONDS):
            return True
    except urllib.error.HTTPError as error:
        with error:
            return False
    except http.client.HTTPException as error:
        raise OSError(f"POST {watcher}/-/reload: {error!r}") from error
