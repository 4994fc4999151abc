"""Lines that Elasticsearch refuses one by one: for a while, they wait; for good, they are kept as they were."""

import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from clients import Stack, compose, elasticsearch_kept, eventually
from log_proof import arrived, writing

LINES = 2_000


@pytest.fixture(scope="module", autouse=True)
def elasticsearch_stays() -> Iterator[None]:
    """It does not."""
    with elasticsearch_kept(alone=True):
        yield


def block(stack: Stack, name: str, *, on: bool) -> None:
    """Set or lift a block on the day's index."""
    elasticsearch = stack.elasticsearch
    answer = elasticsearch.session.put(
        f"{elasticsearch.url}/ecommerce-logs-{datetime.now(UTC):%Y.%m.%d}/_settings",
        json={f"index.blocks.{name}": True if on else None},
        auth=elasticsearch.auth,
        timeout=30,
    )
    assert answer.ok, answer.text


@pytest.fixture(params=["read_only_allow_delete", pytest.param("write", marks=pytest.mark.long)])
def blocked(request: pytest.FixtureRequest, stack: Stack) -> Iterator[str]:
    """What a full disk sets (answered 429), and what a person does (403)."""
    block(stack, request.param, on=True)
    yield request.param
    block(stack, request.param, on=False)


def test_lines_wait_while_their_index_is_read_only(stack: Stack, blocked: str) -> None:
    with writing("requests", LINES, 1_000) as writer:
        assert writer.report()["written"] == LINES
    time.sleep(5)
    block(stack, blocked, on=False)
    assert arrived(stack.elasticsearch, writer, LINES, silence=60) == LINES


def test_a_line_that_no_index_takes_is_kept_with_the_reason(stack: Stack) -> None:
    """A name in meta longer than a term may be, 32,766 bytes; our library would have cut it, others do not."""
    mark = f"mark{uuid.uuid4().hex}"
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}"
    line = {"timestamp": moment, "eventId": mark, "message": mark, "level": "INFO", "meta": {"k" * 40_000: "value"}}
    path = f"/var/log/ecommerce/{mark}.log"
    compose("exec", "-T", "app", "sh", "-c", f"cat >{path}", stdin=json.dumps(line) + "\n")
    try:

        def kept() -> list[dict[str, Any]]:
            body = {"query": {"match_phrase": {"message": mark}}}
            hits = stack.elasticsearch.search("ecommerce-logs-unparsed-*", body)["hits"]["hits"]
            return [hit["_source"] for hit in hits]

        (document,) = eventually(kept, within=60, what="the refused line", every=1)
    finally:
        compose("exec", "-T", "app", "rm", path)
    assert document["reason"].startswith("refused by Elasticsearch: ")
    assert json.loads(document["message"]) == line
