"""docker-compose.yml held to its promises: pinned, checked, bounded, on loopback, hardened or with a reason why not."""

import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from notifier.service import _channels
from notifier.settings import NotifierSettings
from observability.settings import read_settings
from ops import choice, secrets, urls

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
PROFILES = sorted({name for names in re.findall(r"profiles: \[(.+?)\]", TEXT) for name in names.split(", ")})
ONE_SHOTS = {"init", "elasticsearch-setup", "kibana-setup"}

# Every departure from the common block, counted: a new one has to be added here and to carry its reason in the file.
WRITABLE = {"elasticsearch", "logstash"}
EXTRA_CAPABILITIES = {
    "init": {"CHOWN", "DAC_OVERRIDE", "FOWNER"},
    "postgres": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"},
    "portal": {"NET_BIND_SERVICE"},
    "edge": {"NET_BIND_SERVICE"},
}
ROOT_USERS = {"init", "postgres"}  # the second drops to its own user by itself

# Users of images whose services name none: the last USER of their public Dockerfiles. Where images/ has a stand-in, its
# own is held to it. Whatever is not in here has to say in the file whom it runs as.
IMAGE_USERS = {
    "elasticsearch": "1000:0",
    "kibana": "1000",
    "logstash": "1000",
    "oliver006/redis_exporter": "59000:59000",
    "postgres": "root",  # none in its Dockerfile: it owns its data folder first
    "prom/alertmanager": "nobody",
    "prom/node-exporter": "nobody",
    "prom/prometheus": "nobody",
    "prometheuscommunity/elasticsearch-exporter": "nobody",
    "prometheuscommunity/postgres-exporter": "nobody",
    "ecommerce-observability/app": "10001:10001",
}


def config(*profiles: str, registry: str = "", **variables: str) -> dict[str, Any]:
    """The file as compose resolves it with these profiles on, and these variables set."""
    flags = [flag for profile in profiles for flag in ("--profile", profile)]
    done = subprocess.run(
        ["docker", "compose", "-f", "docker-compose.yml", *flags, "config", "--format", "json"],
        cwd=ROOT,
        env={**os.environ, "REGISTRY": registry, "COMPOSE_PROFILES": "", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@cache
def services() -> dict[str, Any]:
    """All services of all profiles."""
    result: dict[str, Any] = config(*PROFILES)["services"]
    return result


NAMES = re.findall(r"^  ([a-z][a-z0-9-]*):$", TEXT.split("\nservices:\n")[1].split("\nnetworks:\n")[0], re.MULTILINE)


@pytest.mark.parametrize(
    "profiles", [[], *[[name] for name in PROFILES], PROFILES], ids=lambda p: "+".join(p) or "none"
)
def test_each_profile_is_valid(profiles: list[str]) -> None:
    assert config(*profiles)["services"]


def test_the_list_of_services_is_whole() -> None:
    assert set(NAMES) == set(services())


@pytest.mark.parametrize("light", [False, True], ids=["full", "light"])
@pytest.mark.parametrize("registry", ["", "packages/"], ids=["registry", "packages"])
def test_what_make_up_chooses(registry: str, light: bool) -> None:  # noqa: FBT001 - a column of the table
    chosen, left_out = choice.select(registry, PROFILES, light=light)
    running = set(config(*chosen)["services"])
    assert len(running & {"logstash", "rsyslog"}) == 1, "one log shipper runs"
    if registry or light:
        assert not running & {"logstash", "kibana", "kibana-setup"}
        assert {"Kibana", "Logstash"} <= set(left_out)
    else:
        assert {"logstash", "kibana", "kibana-setup", "grafana"} <= running
    every_time = {name for name, service in services().items() if "profiles" not in service}
    assert every_time <= running


@pytest.mark.parametrize("name", NAMES)
def test_image_is_pinned(name: str) -> None:
    image = services()[name]["image"]
    assert re.search(r":v?\d+(\.\d+)+(-\w+)?$", image), f"{name}: {image} is not pinned to a version"
    raw = re.search(rf"^  {name}:\n(?:    .*\n)*?    image: (\S+)", TEXT, re.MULTILINE)
    if raw and not raw[1].startswith("ecommerce-observability/"):
        assert raw[1].startswith("${REGISTRY-}"), f"{name}: a mirror must be able to serve it"


def test_a_mirror_serves_every_image_and_every_base() -> None:
    mirror = "mirror.example.com/hub/"
    for name, service in config(*PROFILES, registry=mirror)["services"].items():
        if "build" in service:
            assert service["build"]["args"]["REGISTRY"] == mirror
            dockerfile = (Path(service["build"]["context"]) / "Dockerfile").read_text(encoding="utf-8")
            bases = re.findall(r"^FROM (?:--\S+ )?(\S+)", dockerfile, re.MULTILINE)
            stages = re.findall(r"^FROM .+ AS (\S+)$", dockerfile, re.MULTILINE)
            assert all(base.startswith("${REGISTRY") or base in stages for base in bases), name
        elif service.get("pull_policy") != "never":
            assert service["image"].startswith(mirror), name


@pytest.mark.parametrize("path", sorted(ROOT.glob("*/Dockerfile")), ids=lambda path: path.parent.name)
def test_a_base_is_pinned_or_says_why_it_floats(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    bases = re.findall(r"^FROM \$\{REGISTRY\}(\S+)", text, re.MULTILINE)
    assert bases
    for base in bases:
        assert re.search(r":v?\d+(\.\d+){2}", base) or f"# {base} floats" in text, (
            f"{base} is no release, without a reason"
        )


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ONE_SHOTS])
def test_health_is_checked_from_inside(name: str) -> None:
    service = services()[name]
    test = " ".join(service["healthcheck"]["test"])
    assert "localhost" not in test, f"{name}: localhost may be ::1, where it does not listen"
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(ONE_SHOTS & set(NAMES)))
def test_one_shots_are_waited_for(name: str) -> None:
    assert services()[name]["restart"] in {"no", "on-failure"}
    waiting = [
        other
        for other, service in services().items()
        if service.get("depends_on", {}).get(name, {}).get("condition") == "service_completed_successfully"
    ]
    assert waiting, f"{name}: with nothing waiting for it, `docker compose up --wait` calls its end a failure"


@pytest.mark.parametrize("name", NAMES)
def test_resources_are_bounded(name: str) -> None:
    service = services()[name]
    assert int(service["mem_limit"]) > 0
    assert 0 < service["pids_limit"] <= 4096
    assert service["logging"]["options"] == {"max-size": "5m", "max-file": "3"}


@pytest.mark.parametrize("name", NAMES)
def test_ports_are_on_loopback_and_changeable(name: str) -> None:
    for port in services()[name].get("ports", []):
        assert port["host_ip"] == "127.0.0.1", f"{name}: {port} is open to the network"
    for line in re.findall(r'"(127\.0\.0\.1:[^"]+)"', TEXT):
        assert re.fullmatch(r"127\.0\.0\.1:(\$\{[A-Z_]+_PORT:-\d+\}):(\d+|\1)", line), f"{line}: no variable changes it"


@pytest.mark.parametrize("name", NAMES)
def test_hardening(name: str) -> None:
    service = services()[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service.get("cap_add", [])) == EXTRA_CAPABILITIES.get(name, set())
    assert bool(service.get("read_only")) == (name not in WRITABLE)
    assert not service.get("privileged")
    user = service.get("user") or IMAGE_USERS.get(repository(service["image"]), "root")
    assert (user.split(":")[0] in {"0", "root"}) == (name in ROOT_USERS), f"{name} runs as {user}"


def repository(image: str) -> str:
    """Its name without the tag."""
    return image.rpartition(":")[0]


@pytest.mark.parametrize("image", IMAGE_USERS)
def test_an_image_has_the_user_that_is_counted_on(image: str) -> None:
    mine = [service for service in services().values() if repository(service["image"]) == image]
    assert [service for service in mine if "user" not in service], "no service counts on it any more"
    built = [Path(service["build"]["context"]) for service in mine if "build" in service]
    (folder,) = built or [ROOT / "images" / image.rpartition("/")[2]]
    if folder.name in {"kibana", "logstash"}:
        assert not folder.exists(), "it has a stand-in now"
        return
    *_, stage = re.split(r"^FROM ", (folder / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert (re.findall(r"^USER (\S+)$", stage, re.MULTILINE) or ["root"])[-1] == IMAGE_USERS[image]


@pytest.mark.parametrize("setting", ["    cap_add: [", "    read_only: false", "    pids_limit: "])
def test_each_exception_says_why(setting: str) -> None:
    bare = [line for line in TEXT.splitlines() if setting in line and "#" not in line]
    assert not bare, f"without a reason: {bare}"


def test_the_memory_guide_has_every_service_and_its_limit() -> None:
    guide, machines = ((ROOT / f"docs/guides/{name}.md").read_text(encoding="utf-8") for name in ("memory", "machines"))
    lines = re.findall(r"^\| `([\w-]+)`[^|]*\|(.+)\|$", guide, re.MULTILINE)
    rows = {name: [cell.strip() for cell in cells.split("|")] for name, cells in lines}
    limits = {name: int(service["mem_limit"]) for name, service in services().items() if name not in ONE_SHOTS}
    assert {name: int(cells[3]) * 2**20 for name, cells in rows.items()} == limits
    measured = re.search(r"^\| \*\*all\*\* \| \*\*\d+\*\* \| \*\*(\d+)\*\*", guide, re.MULTILINE)
    assert measured
    estimated = [int(found[1]) for cells in rows.values() if (found := re.match(r"about (\d+): an estimate", cells[1]))]
    everything = (int(measured[1]) + sum(estimated) - int(rows["rsyslog"][1])) / 2**10
    assert f"all of it at about {everything:.1f} GiB" in guide.replace("\n", " ")
    assert f"the stack takes about {everything:.1f} (an estimate)" in machines


def test_make_urls_knows_every_published_port() -> None:
    published = {(name, port["target"]) for name, service in services().items() for port in service.get("ports", [])}
    assert set(urls._ROWS) == published


def test_no_recipe_is_for_one_kind_of_processor_alone() -> None:
    recipes = [*ROOT.glob("*/Dockerfile"), *(path for path in (ROOT / "images").rglob("*") if path.is_file())]
    assert len(recipes) > 20
    for path in [*recipes, ROOT / "docker-compose.yml"]:
        named = re.findall(r"\b(amd64|x86_64|x86-64|arm64|aarch64)\b", path.read_text(encoding="utf-8"))
        assert not named, f"{path.relative_to(ROOT)} names {named}"


def test_nothing_is_reached_through_the_host() -> None:
    for name, service in services().items():
        assert service.get("network_mode") in {None, "none"}, name
        # compose puts into the one common network, `default`, whatever names none
        assert service.get("network_mode") or "default" not in service["networks"], name
        sources = [volume["source"] for volume in service.get("volumes", []) if volume["type"] == "bind"]
        assert not [source for source in sources if source.endswith("docker.sock")], name


SCRAPED = [
    (job["job_name"], name)
    for job in yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    for name in [
        *(name for found in job.get("dns_sd_configs", []) for name in found["names"]),
        *(target.split(":")[0] for static in job.get("static_configs", []) for target in static["targets"]),
    ]
    if name != "localhost"
]


@pytest.mark.parametrize(("job", "target"), SCRAPED, ids=lambda value: value)
def test_whom_prometheus_watches_it_can_reach(job: str, target: str) -> None:
    """It finds a name only in a network of its own; without one there is no target, and so no alert either."""
    asking = {"prometheus", "blackbox-exporter"} if job == "probe" else {"prometheus"}
    for name in asking - {target}:
        assert set(services()[name]["networks"]) & set(services()[target]["networks"]), f"{name} cannot reach {target}"


def test_elasticsearch_is_reached_by_those_alone_who_may_ask_it() -> None:
    assert not {"app", "shoppers", "payments-gateway", "portal", "edge"} & {
        name for name, service in services().items() if "storage" in (service.get("networks") or {})
    }


def test_every_page_that_is_probed_is_behind_the_edge() -> None:
    edge = (ROOT / "edge/Caddyfile").read_text(encoding="utf-8")
    pages = {target for job, target in SCRAPED if job == "probe"}
    assert pages <= set(re.findall(r"import guarded ([\w-]+):\d+", edge))
    assert set(re.findall(r"reverse_proxy ([\w-]+):", edge)) == set(), "a page without the login"


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_password_makes_its_readers_anew(name: str) -> None:
    assert "ecommerce.secrets" in services()[name]["labels"], f"{name} has labels of its own: repeat the common one"


@pytest.mark.parametrize("name", ["kibana", "logstash"])
def test_variables_that_a_products_own_files_name_are_set(name: str) -> None:
    files = [path for path in (ROOT / name).rglob("*") if path.suffix in {".yml", ".conf"}]
    named = {found for path in files for found in re.findall(r"\$\{(\w+)", path.read_text(encoding="utf-8"))}
    service = services()[name]
    set_by_shell = set(re.findall(r"^\s*(\w+)=\$\$\(", service["entrypoint"][2], re.MULTILINE))
    assert named
    assert named == set_by_shell, "in the entrypoint, from a file: none in the environment that `docker inspect` shows"
    assert "PASSWORD" not in " ".join(service["environment"])


# What nobody has to choose: the pace of deliveries and the sizes, and what belongs to the container.
THE_NOTIFIERS_OWN = re.compile("host|port|webhook_max_bytes|robots_per_minute|email_fallback_.+|delivery_.+|dedup.+")


@pytest.mark.parametrize(
    "name", [name for name in NotifierSettings.model_fields if not THE_NOTIFIERS_OWN.fullmatch(name)]
)
def test_what_is_to_be_chosen_of_the_notifier_is_passed_on(name: str) -> None:
    assert {name.upper(), f"{name.upper()}_FILE"} & set(services()["notifier"]["environment"])


def notifier_settings(
    password: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **variables: str
) -> NotifierSettings:
    """What the notifier makes of the environment that compose gives it, its secrets standing in `folder`."""
    for name, value in {"webhook": "0123456789abcdef\n", "smtp_password": password}.items():
        (folder / name).write_text(value)
    none = dict.fromkeys(("SMTP_HOST", "SMTP_PORT", "SMTP_SECURITY", "SMTP_USERNAME", "SMTP_FROM", "SMTP_TO"), "")
    set_to = {**none, "EMAIL_MODE": "", "WECOM_FORMAT": "", "DINGTALK_FORMAT": "", **variables}
    given: dict[str, str] = config(**set_to)["services"]["notifier"]["environment"]
    for name, value in given.items():
        monkeypatch.setenv(name, value.replace("/run/secrets", str(folder)))
    return read_settings(NotifierSettings)


def test_the_demos_mail_catcher_asks_for_no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = notifier_settings("", tmp_path, monkeypatch)
    assert (read.smtp_host, read.smtp_security, read.smtp_username, read.smtp_password) == (
        "mailpit",
        "off",
        None,
        None,
    )
    assert read.email_mode == "fallback", "Alertmanager's own mails are there already"
    assert (read.wecom_format, read.dingtalk_format) == ("markdown", "markdown")


def test_a_mail_server_with_a_login_takes_variables_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = {"SMTP_HOST": "smtp.example.com", "SMTP_PORT": "587", "SMTP_SECURITY": "starttls", "SMTP_USERNAME": "me"}
    read = notifier_settings(
        "very-secret\n", tmp_path, monkeypatch, **server, WECOM_FORMAT="text", DINGTALK_FORMAT="text"
    )
    [mail] = [channel for channel in _channels(read) if channel.name == "email"]
    box = vars(mail)["_mailbox"]
    assert (box.host, box.port, box.security) == ("smtp.example.com", 587, "starttls")
    assert (box.username, box.password) == ("me", "very-secret")
    assert read.standby({"wecom", "dingtalk", "email"}) == set(), "every alert is mailed, not what chats leave over"
    assert (read.wecom_format, read.dingtalk_format) == ("text", "text")
    fallback = notifier_settings("very-secret\n", tmp_path, monkeypatch, **server, EMAIL_MODE="fallback")
    assert fallback.standby({"wecom", "dingtalk", "email"}) == {"email"}


def test_each_secret_that_is_handed_out_is_one_that_make_up_makes() -> None:
    handed_out = [name for line in services()["init"]["command"] for name in line.split()[2:]]
    assert {name.removesuffix("?") for name in handed_out} == {
        *(*secrets.NAMES, *secrets.GIVEN),
        *("elasticsearch_users", "elasticsearch_users_roles"),
    }
    assert {name.removesuffix("?") for name in handed_out if name.endswith("?")} == set(secrets.GIVEN)


def test_before_make_up_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(TEXT, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "REGISTRY"}
    done = subprocess.run(
        ["docker", "compose", "up", "--detach"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert 'run "make up" once' in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
