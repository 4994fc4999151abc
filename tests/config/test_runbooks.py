"""docs/runbooks/, read at three in the morning: a page an alert, and whatever it tells to type or to open is there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import dashboards
import pytest
import yaml
from alerts import ALERTS, ROOT, RUNBOOKS, runbook_queries
from tools import Tool, lint

from ops import secrets

PAGES = [pytest.param(path, id=path.stem) for path in sorted(RUNBOOKS.glob("*.md"))]
COMPOSE_FILE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SERVICES = set(yaml.safe_load(COMPOSE_FILE)["services"])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
CONVENTIONS = (ROOT / "docs/conventions.md").read_text(encoding="utf-8")
BOARDS = dashboards.dashboards()

# By its published port, as in docker-compose.yml: what stands behind the address.
PUBLISHED = {port: name for name, port in re.findall(r'"127\.0\.0\.1:\$\{(\w+)_PORT:-(\d+)\}:', COMPOSE_FILE)}
OTEL_NAMES = set(re.findall(r"^\| `[\w-]+` \| .+? \| `([\w-]+)` \|", CONVENTIONS, re.MULTILINE))

# Of the products' paths those that pages name, each in the products' documentation.
PATHS = {
    "PROMETHEUS": r"/(targets|rules|-/reload|api/v1/rules)",
    "ALERTMANAGER": r"/-/reload",
    "ELASTICSEARCH": r"/(_cat/(indices|shards)|_cluster/allocation/explain|_nodes/hot_threads)"
    r"|/(_cat/indices/)?ecommerce-logs-(<.+|(unparsed-)?\*)(/_search)?",
    "JAEGER": r"/(search)?",
    "GRAFANA": rf"/d/({'|'.join(BOARDS)})",
}


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PAGES)
def test_runbook(path: Path) -> None:
    assert path.stem in ALERTS, "a runbook without an alert"
    text = text_of(path)
    assert text.startswith(f"# {path.stem}：{ALERTS[path.stem]['annotations']['summary']}\n")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["含义", "影响", "诊断", "处置"]
    assert runbook_queries(path), "the first thing to look at"
    for other in re.findall(r"\]\((\w+)\.md\)", text):
        assert other in ALERTS, f"a link to {other}"


@pytest.mark.parametrize("path", PAGES)
def test_steps_are_counted(path: Path) -> None:
    steps = re.findall(r"^(\d+)\. ", text_of(path), re.MULTILINE)
    assert steps == [str(n) for n in range(1, len(steps) + 1)]


def test_every_query_of_every_runbook_is_promql(tool: Tool, tmp_path: Path) -> None:
    groups = []
    for path in sorted(RUNBOOKS.glob("*.md")):
        records = [{"record": f"runbook:query:{n}", "expr": query} for n, query in enumerate(runbook_queries(path))]
        groups.append({"name": path.stem, "rules": records})
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": groups}, width=10_000), encoding="utf-8")
    done = tool("prometheus", "promtool", "check", "rules", "--lint=none", "queries.yml", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(groups) == len(ALERTS)


@pytest.mark.parametrize("path", PAGES)
def test_the_alerts_dashboard_and_its_panels(path: Path) -> None:
    own = ALERTS[path.stem]["annotations"]["dashboard_url"].rpartition("/")[2]
    named = re.findall(r"\]\(http://localhost:3001/d/([\w-]+)\)(?: 的((?:[与、；]?“[^”]+”)+))?", text_of(path))
    assert own in {uid for uid, _ in named}, "no link to the alert's dashboard"
    for uid, titles in named:
        panels = {panel["title"] for panel in BOARDS[uid]["panels"]}
        assert set(re.findall("“(.+?)”", titles)) <= panels, f"{uid} has no such panel"


@pytest.mark.parametrize("path", PAGES)
def test_every_address_is_one_of_ours(path: Path) -> None:
    for address in re.findall(r"http://localhost[^\s`')，；]*", text_of(path)):
        url = urlsplit(address)
        behind = PUBLISHED[str(url.port)]
        if behind in {"APP", "NOTIFIER"}:  # what is our own stands in the conventions
            assert re.search(rf"[` ]{url.path.partition('/<')[0]}[`?/…]", CONVENTIONS), address
            continue
        assert re.fullmatch(PATHS[behind], url.path), address
        if behind == "JAEGER" and url.query:
            query = parse_qs(url.query, strict_parsing=True)
            assert set(query) <= {"service", "operation", "tags", "minDuration", "maxDuration"}, address
            assert set(query["service"]) <= OTEL_NAMES, address


@pytest.mark.parametrize("path", PAGES)
def test_its_shell_is_portable(path: Path) -> None:
    for block in re.findall(r"```sh\n(.+?)\n *```", text_of(path), re.DOTALL):
        # 2016: what stands in single quotes is expanded in the container
        assert not lint(block + "\n", "sh", exclude=("SC2016",))


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each call of `docker compose`: its verb and the services that it names."""
    for verb, rest in re.findall(r"docker compose ([a-z]+)([^`|;)\n]*)", text):
        words = shlex.split(rest.partition("'")[0].partition('"')[0])
        named = []
        for before, word in zip(["", *words], words, strict=False):
            if before in {"--since", "--tail"}:
                continue
            if before == "--scale":
                named.append(word.partition("=")[0])
            elif not word.startswith("-"):
                named.append(word)
        yield verb, named[:1] if verb == "exec" else named


@pytest.mark.parametrize("path", PAGES)
def test_services_targets_and_files_are_there(path: Path) -> None:
    text = text_of(path)
    for verb, services in commands(text):
        assert verb in {"exec", "logs", "ps", "restart", "up"}
        for service in services:
            assert service in SERVICES or re.fullmatch("<.+>", service), f"docker compose {verb} {service}"
    assert set(re.findall(r"\bmake ([\w-]+)", text)) <= TARGETS
    for name in re.findall(r"`(\w[\w.-]*/[\w./-]*)`", text):
        assert (ROOT / name).exists(), name
    assert set(re.findall(r"\.secrets/(\w+)", text)) <= {*secrets.NAMES, *secrets.GIVEN}


def test_commands_are_understood() -> None:
    text = (
        "`docker compose up -d --scale app=2 redis`, `docker compose exec app ls`\ndocker compose logs --tail 5 a | b"
    )
    assert list(commands(text)) == [("up", ["app", "redis"]), ("exec", ["app"]), ("logs", ["a"])]
