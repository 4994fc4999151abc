"""What a person needs to see of a service that failed: its health check's words, telling log lines, a remedy."""

import json
import re

from ops import compose
from ops.compose import Container
from ops.console import OpsError
from ops.shell import run, tail

_MATTERS = re.compile(
    r"error|fatal|panic|exception|denied|refused|cannot|can't|failed|invalid|no such|not found", re.IGNORECASE
)
_LINES = 8

_REMEDIES = (
    (r"No space left on device", "make room on the disk (docker system prune), then: make up"),
    (
        r"password authentication failed|unable to authenticate user|WRONGPASS",
        "its data was made under another password: put the old .secrets/ back, or: make clean",
    ),
    (r"[Aa]ddress already in use|port is already allocated", "make doctor says who holds the port"),
    (
        r"[Pp]ermission denied",
        "a mounted file is not readable for the container's user: git checkout restores modes; chmod -R a+rX .",
    ),
    (r"No such image|image .* not found|pull access denied", "an image is missing: make images"),
)


def failure(failed: list[Container], compose_error: str) -> OpsError:
    """Describe what failed, by service; without one, in compose's own words."""
    if not failed:
        return OpsError(
            "docker compose up failed",
            _remedy(compose_error) or "put that right, then: make up",
            tail(compose_error, 4),
        )
    shown = []
    evidence = compose_error
    for container in failed:
        state = json.loads(run(["docker", "inspect", "--format", "{{json .State}}", container.name]).stdout or "{}")
        check = (state.get("Health") or {}).get("Log") or []
        log = run(compose.command("logs", "--no-color", "--no-log-prefix", "--tail", "300", container.service)).stdout
        said = str(check[-1]["Output"]).strip() if check and container.health == "unhealthy" else ""
        memory = " (out of memory: raise its mem_limit)" if state.get("OOMKilled") else ""
        shown.append(f"{container.service}: {_status(container)}{memory}")
        shown.extend(f"  health check: {line}" for line in tail(said, 3).splitlines())
        shown.extend(f"  log: {line[:300]}" for line in telling_lines(log))
        evidence += said + log
    names = ", ".join(container.service for container in failed)
    remedy = _remedy(evidence) or "put that right, then: make up"
    return OpsError(
        f"{names} did not start", f"{remedy}\n  → whole log: docker compose logs {failed[0].service}", "\n".join(shown)
    )


def telling_lines(log: str) -> list[str]:
    """Pick the last lines that speak of a fault; the last lines of all where none does."""
    lines = list(dict.fromkeys(line for line in log.splitlines() if line.strip()))  # a service that dies again repeats
    return [line for line in lines if _MATTERS.search(line)][-_LINES:] or lines[-_LINES:]


def _status(container: Container) -> str:
    if container.state == "exited":
        return f"ended with exit code {container.exit_code}"
    return f"{container.state}, {container.health}" if container.health else container.state


def _remedy(evidence: str) -> str:
    return next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, evidence)), "")
