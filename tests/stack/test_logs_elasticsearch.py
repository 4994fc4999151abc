"""What Elasticsearch is given: installed as often as wanted, users that may do their one job, old days deleted."""

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from clients import ROOT, Stack, compose

MAPPINGS, LINES = "_component_template/ecommerce-logs-mappings", "_index_template/ecommerce-logs"
OLD_DAY, NEW_DAY = "ecommerce-logs-2099.01.01", "ecommerce-logs-2099.01.02"  # nobody else's
TODAY = f"ecommerce-logs-{datetime.now(UTC):%Y.%m.%d}"
LINE = {"@timestamp": "2026-11-24T10:11:12.123Z", "level": "INFO", "message": "x", "eventId": "x"}


def ask(stack: Stack, user: str, method: str, path: str, body: Any = None) -> requests.Response:
    """Ask Elasticsearch as one of its users."""
    name = "elastic" if user == "elastic" else f"elasticsearch_{user}"
    return requests.request(
        method, f"{stack.elasticsearch.url}/{path}", json=body, auth=(user, stack.secret(name)), timeout=30
    )


def setup() -> str:
    """Run the installer once more."""
    return compose("run", "--rm", "-T", "--no-deps", "elasticsearch-setup")


def installed(stack: Stack) -> list[Any]:
    """What there is of ours."""
    paths = ("_index_template/ecommerce-*", "_component_template/ecommerce-*", f"{TODAY}/_mapping")
    return [ask(stack, "elastic", "GET", path).json() for path in paths]


def test_installing_again_changes_nothing(stack: Stack) -> None:
    before = installed(stack)
    output = setup()
    assert output.count("installed ") >= 5
    assert [line for line in output.splitlines() if "refused" in line] == []
    assert installed(stack) == before


def shipped(name: str) -> dict[str, Any]:
    """What a file of elasticsearch/ gives Elasticsearch, by its address there."""
    kind, _, template = name.removeprefix("_").partition("/")
    file = ROOT / "elasticsearch" / f"{kind.replace('_', '-')}s" / f"{template}.json"
    body: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return body


@pytest.fixture
def older_release(stack: Stack) -> Iterator[None]:
    """The templates as an older release left them, `hostname` having no type yet, and an index of that time."""
    mappings, lines = shipped(MAPPINGS), shipped(LINES)
    del mappings["template"]["mappings"]["properties"]["hostname"]
    try:
        for path, body in ((MAPPINGS, mappings | {"_meta": {"release": "0"}}), (LINES, lines | {"priority": 199})):
            assert ask(stack, "elastic", "PUT", path, body | {"version": 0}).status_code == 200
        assert ask(stack, "shipper", "PUT", f"{OLD_DAY}/_create/before", LINE).status_code == 201
        yield
    finally:
        for path in (MAPPINGS, LINES):
            assert ask(stack, "elastic", "PUT", path, shipped(path)).status_code == 200
        for day in (OLD_DAY, NEW_DAY):
            ask(stack, "elastic", "DELETE", day)


@pytest.mark.usefixtures("older_release")
def test_an_upgrade_brings_the_new_templates_and_the_day_goes_on(stack: Stack) -> None:
    """The index of the day stays as it was and takes what a new release writes; the next day's has the new types."""
    setup()
    for path in (MAPPINGS, LINES):
        ((found,),) = ask(stack, "elastic", "GET", path).json().values()
        (body,) = (found[key] for key in found if key != "name")
        assert {key: body[key] for key in shipped(path)} == shipped(path)
    line = LINE | {"hostname": "new", "meta_all": {"hostname": "new"}}
    for day in (OLD_DAY, NEW_DAY):
        assert ask(stack, "shipper", "PUT", f"{day}/_create/after?refresh=true", line).status_code == 201

    def found_by(field: str) -> list[tuple[str, str]]:
        body = {"query": {"term": {field: "new"}}}
        hits = ask(stack, "elastic", "GET", f"{OLD_DAY},{NEW_DAY}/_search", body).json()["hits"]["hits"]
        return sorted((hit["_index"], hit["_source"]["hostname"]) for hit in hits)

    assert found_by("hostname") == [(NEW_DAY, "new")]
    assert found_by("meta_all.hostname") == [(OLD_DAY, "new"), (NEW_DAY, "new")]
    assert ask(stack, "elastic", "HEAD", f"{OLD_DAY}/_doc/before").status_code == 200


def test_the_day_has_the_types_of_the_template(stack: Stack) -> None:
    template = ask(stack, "elastic", "GET", "_component_template/ecommerce-logs-mappings").json()
    (component,) = template["component_templates"]
    wanted = component["component_template"]["template"]["mappings"]["properties"]
    given = ask(stack, "elastic", "GET", f"{TODAY}/_mapping").json()[TODAY]["mappings"]["properties"]
    assert {name: field["type"] for name, field in given.items()} == {
        name: field["type"] for name, field in wanted.items()
    }


@pytest.mark.parametrize(
    ("user", "method", "path", "allowed"),
    [
        ("shipper", "PUT", f"{TODAY}/_create/{{new}}", True),
        ("shipper", "GET", f"{TODAY}/_search", False),
        ("shipper", "DELETE", TODAY, False),
        ("shipper", "PUT", f"{TODAY}/_doc/{{known}}", False),  # over a line that is there
        ("shipper", "PUT", "jaeger-span-x/_create/{new}", False),
        ("reader", "GET", f"{TODAY}/_search", True),
        ("reader", "PUT", f"{TODAY}/_create/{{new}}", False),
        ("reader", "GET", "_security/user", False),
        ("monitor", "GET", "_nodes/stats", True),
        ("monitor", "GET", f"{TODAY}/_search", False),
        ("retention", "GET", "_cat/indices/ecommerce-logs-*", True),
        ("retention", "GET", f"{TODAY}/_search", False),
        ("jaeger", "GET", f"{TODAY}/_search", False),
    ],
)
def test_a_user_may_do_its_job_and_no_more(stack: Stack, user: str, method: str, path: str, *, allowed: bool) -> None:
    new = f"proof-{secrets.token_hex(8)}"
    known = f"{new}-known"
    assert ask(stack, "elastic", "PUT", f"{TODAY}/_create/{known}", LINE).status_code == 201
    try:
        body = LINE if method == "PUT" else None
        status = ask(stack, user, method, path.format(new=new, known=known), body).status_code
        assert (status < 300) is allowed, status
        assert allowed or status == 403
    finally:
        for name in (new, known):
            ask(stack, "elastic", "DELETE", f"{TODAY}/_doc/{name}")


@pytest.fixture
def old(stack: Stack) -> Iterator[dict[str, bool]]:
    """Indices, and whether they are too old."""
    now = datetime.now(UTC)
    indices = {
        f"ecommerce-logs-{now - timedelta(days=33):%Y.%m.%d}": True,
        f"ecommerce-logs-unparsed-{now - timedelta(days=33):%Y.%m.%d}": True,
        f"jaeger-span-{now - timedelta(days=9):%Y-%m-%d}": True,
        f"ecommerce-logs-{now - timedelta(days=28):%Y.%m.%d}": False,
        f"jaeger-span-{now - timedelta(days=5):%Y-%m-%d}": False,
        "ecommerce-logs-of-somebody-2020": False,
    }
    for name in indices:
        assert ask(stack, "elastic", "PUT", name).status_code in {200, 400}
    yield indices
    for name in indices:
        ask(stack, "elastic", "DELETE", name)


def test_what_is_too_old_is_deleted_and_nothing_else(stack: Stack, old: dict[str, bool]) -> None:
    """The settings are those of docker-compose.yml: 30 days of logs, 7 of traces."""
    output = compose("exec", "-T", "elasticsearch-retention", "sh", "/setup/delete-old-indices.sh", "once")
    there = {name: ask(stack, "elastic", "HEAD", name).status_code == 200 for name in old}
    assert there == {name: not gone for name, gone in old.items()}
    assert all((f"deleted {name}" in output) is gone for name, gone in old.items())
    assert ask(stack, "elastic", "HEAD", TODAY).status_code == 200
