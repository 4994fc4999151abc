"""Chooses where images come from, a registry or packages (folder images/), and with that which products run."""

import os
from collections.abc import Collection
from dataclasses import dataclass, field

from ops import compose, dotenv, registry
from ops.images import PREFIX as PACKAGES
from ops.shell import run

_NOT_PACKAGED = {
    "grafana": "Grafana",
    "kibana": "Kibana",
    "logstash": "Logstash",
}
"""Profiles whose product no package archive has; each is the name of its service too."""
HEAVY = {"kibana": "Kibana", "logstash": "Logstash"}
"""Profiles that LIGHT=1 leaves out, each half of what all the others take."""


@dataclass(frozen=True)
class Choice:
    """Where images come from, and what runs."""

    registry: str  # the value of REGISTRY
    profiles: tuple[str, ...]
    why: str
    left_out: dict[str, str] = field(default_factory=dict)  # product → reason

    @property
    def is_packages(self) -> bool:
        """Whether images are built from packages."""
        return self.registry == PACKAGES


def decide(known_profiles: Collection[str], *, light: bool) -> Choice:
    """Choose, and put the choice in `.env` and in this process's environment, for compose.

    What the person set is respected. A choice of before whose images are all here still stands, so that a machine
    that lost its network goes on with what it has. Raises OpsError when there is no network at all.
    """
    chosen = dotenv.setting("REGISTRY")
    before = dotenv.read_ours().get("REGISTRY")
    if chosen is not None:
        source, why = chosen, f"REGISTRY={chosen} is set"
    elif before is not None and _all_here(before):
        source, why = before, "its images are here; REGISTRY= make up takes Docker Hub"
    elif (problem := registry.problem("prom/node-exporter")) is None:
        source, why = "", "an image registry answers"
    else:
        registry.check_network(problem)
        source, why = PACKAGES, f"no image registry answers ({problem})"
    profiles, left_out = select(source, known_profiles, light=light)
    choice = Choice(source, profiles, why, left_out)
    _write(choice)
    return choice


def select(source: str, known: Collection[str], *, light: bool) -> tuple[tuple[str, ...], dict[str, str]]:
    """Give the profiles that run, and each product left out with its reason. One log shipper runs, always."""
    left_out = {}
    if source == PACKAGES:
        left_out = dict.fromkeys(_NOT_PACKAGED, "no image registry answers, and no package archive has it")
    elif light:
        left_out = dict.fromkeys(HEAVY, "LIGHT=1")
    profiles = {name for name in _NOT_PACKAGED if name in known and name not in left_out}
    if "logstash" not in profiles:
        profiles.add("rsyslog")
    own = dotenv.setting("COMPOSE_PROFILES") or ""
    extra = {name.strip() for name in own.split(",")} - {""} - set(_NOT_PACKAGED) - {"rsyslog"}
    shown = {_NOT_PACKAGED[name]: reason for name, reason in left_out.items() if name in known}
    if "Logstash" in shown:
        shown["Logstash"] += " (rsyslog ships the logs)"
    return tuple(sorted(profiles | extra)), shown


def _write(choice: Choice) -> None:
    ours = {**dotenv.read_ours(), "REGISTRY": choice.registry, "COMPOSE_PROFILES": ",".join(choice.profiles)}
    if "REGISTRY" in dotenv.read_own():
        del ours["REGISTRY"]
    dotenv.write_ours(ours)
    os.environ["REGISTRY"] = choice.registry
    os.environ["COMPOSE_PROFILES"] = ours["COMPOSE_PROFILES"]


def _all_here(registry: str) -> bool:
    """Tell whether every image of the choice of before is on this machine."""
    os.environ["REGISTRY"] = registry
    wanted = set(compose.images(compose.config()).values())
    del os.environ["REGISTRY"]
    return run(["docker", "image", "inspect", *sorted(wanted)]).returncode == 0
