"""A thousand malformed, huge and unauthenticated webhooks: each 4xx, nothing sent, no crash."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from around import TOKEN, Notifier, Robots, group, notifier
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from notifier.alertmanager import Webhook

LIMIT = 20_000

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
_FIELDS = ("version", "groupKey", "status", "alerts", "truncatedAlerts", "groupLabels", "externalURL")
_ALERT_FIELDS = ("status", "labels", "startsAt", "endsAt", "fingerprint", "annotations", "generatorURL")


def _valid(body: bytes) -> bool:

    try:
        Webhook.model_validate_json(body)
    except ValidationError:
        return False
    return True


@st.composite
def _almost(draw: st.DrawFn) -> bytes:
    """A good webhook with one thing wrong."""
    payload: Any = group()
    inside = draw(st.booleans())
    holder = payload["alerts"][0] if inside else payload
    name = draw(st.sampled_from(_ALERT_FIELDS if inside else _FIELDS))
    if draw(st.booleans()):
        del holder[name]
    else:
        holder[name] = draw(_json)
    return json.dumps(payload).encode()


_nested = st.integers(1, 5_000).map(lambda depth: b"[" * depth + b"]" * depth)
_malformed = (
    st.binary(max_size=200) | _json.map(lambda value: json.dumps(value).encode()) | _almost() | _nested
).filter(lambda body: not _valid(body))
_huge = st.integers(LIMIT + 1, 3 * LIMIT).map(lambda size: json.dumps(group(pad="x" * size)).encode())
_chunked = st.booleans()
_token = st.one_of(
    st.none(),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40).map("Bearer {}".format),
    st.sampled_from([TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer", "Bearer \xff\xfe"]),
).filter(lambda header: header != f"Bearer {TOKEN}")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Notifier, Robots]]:
    robots = Robots()
    database = str(Path(tmp_path_factory.mktemp("outbox")) / "notifier.db")
    with notifier(database, wecom_webhook_url=robots.wecom_url, webhook_max_bytes=LIMIT) as made:
        yield made, robots
        assert made.client.get("/readyz").status_code == 200
        assert made.client.get("/").text.count("<td>0<td>0") == 3
        assert robots.requests("wecom") == 0
        # and it still works: the silence above was no crash
        made.post(group())
    robots.close()


_often = settings(max_examples=350, deadline=None, suppress_health_check=list(HealthCheck))


def _send(made: Notifier, body: bytes, authorization: str | None, *, chunked: bool) -> httpx.Response:
    headers: Mapping[bytes, bytes] = (
        {} if authorization is None else {b"Authorization": authorization.encode("latin-1")}
    )
    content: Any = iter([body[:100], body[100:]]) if chunked else body
    url = f"http://127.0.0.1:{made.server.port}/api/v1/alertmanager"
    request = httpx.Request("POST", url, content=content, headers=headers)
    return made.client.send(request)


def _is_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert len(problem["detail"]) > 10


@_often
@given(body=_malformed, chunked=_chunked)
def test_malformed(target: tuple[Notifier, Robots], body: bytes, *, chunked: bool) -> None:
    _is_problem(_send(target[0], body, f"Bearer {TOKEN}", chunked=chunked), 422)


@settings(_often, max_examples=300)
@given(body=_huge, chunked=_chunked)
def test_huge(target: tuple[Notifier, Robots], body: bytes, *, chunked: bool) -> None:
    _is_problem(_send(target[0], body, f"Bearer {TOKEN}", chunked=chunked), 413)


@_often
@given(body=_malformed | _huge | st.just(json.dumps(group()).encode()), authorization=_token, chunked=_chunked)
def test_unauthenticated(
    target: tuple[Notifier, Robots], body: bytes, authorization: str | None, *, chunked: bool
) -> None:
    answer = _send(target[0], body, authorization, chunked=chunked)
    _is_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        (group(version="3"), "version"),
        (group(alerts=[]), "alerts"),
        ({**group(), "alerts": [{"status": "firing"}]}, "alerts.0.labels"),
    ],
)
def test_the_answer_names_the_field(target: tuple[Notifier, Robots], payload: dict[str, Any], named: str) -> None:
    answer = target[0].client.post("/api/v1/alertmanager", json=payload)
    assert answer.status_code == 422
    assert named in answer.json()["detail"]


def test_other_doors_are_locked_too(target: tuple[Notifier, Robots]) -> None:
    url = f"http://127.0.0.1:{target[0].server.port}"
    for method, path in [
        ("POST", "/api/v1/watchdog"),
        ("GET", "/api/v1/dead-letters"),
        ("POST", "/api/v1/dead-letters/1/redelivery"),
    ]:
        assert httpx.request(method, url + path).status_code == 401
