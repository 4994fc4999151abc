"""`make logs`: what it understands, how it shows a line, what it says when it cannot."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from ops import compose, logs, secrets, urls
from ops.console import OpsError

LINE = {
    "timestamp": "2026-11-24T10:11:12.123Z",
    "level": "ERROR",
    "message": "POST /api/v1/orders 500",
    "service": "ecommerce-api",
    "requestId": "r1",
    "trace_id": "t1",
    "meta": {"error": {"type": "ValueError", "message": "no", "stack": "Traceback:\n  File x\nValueError: no\n"}},
}


def asked(query: str, **variables: str) -> list[dict[str, Any]]:
    return logs.ask({"Q": query, **variables}).clauses


def test_a_field_is_asked_for_by_its_type() -> None:
    assert asked("level:error") == [{"term": {"level": "ERROR"}}]
    assert asked("status:500") == [{"term": {"meta.status": "500"}}]
    assert asked("meta.couponCode:X1") == [{"term": {"meta_all.couponCode": "X1"}}]
    assert asked('message:"card declined"') == [{"match_phrase": {"message": "card declined"}}]
    assert asked("trace_id:abc requestId:d") == [{"term": {"trace_id": "abc"}}, {"term": {"requestId": "d"}}]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("019ac1f0-1f7e-7abc-8def-0123456789ab", "019ac1f0-1f7e-7abc-8def-0123456789ab"),
        ('"GET /api/v1/orders"', "GET /api/v1/orders"),
        ("12:30", "12:30"),
        ('"level:ERROR"', "level:ERROR"),
        ("付款", "付款"),
    ],
)
def test_a_bare_word_is_looked_for_in_texts_and_ids(query: str, text: str) -> None:
    (clause,) = asked(query)
    assert json.dumps(clause).count(json.dumps(text)) == 1 + len(logs._IDS)


def test_words_are_all_wanted_and_a_minus_is_none_of_them() -> None:
    question = logs.ask({"Q": 'level:WARN "card declined" -service:shoppers', "SINCE": "90s", "LIMIT": "7"})
    assert len(question.clauses) == 2
    assert question.excluded == [{"term": {"service": "shoppers"}}]
    assert (question.since, question.limit) == ("90s", 7)


def test_without_anything_it_is_the_newest_hundred_of_a_day() -> None:
    assert logs.ask({}) == logs.Question([], [], "1d", 100)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"SINCE": "yesterday"}, "SINCE=yesterday is no length of time"),
        ({"LIMIT": "0"}, "LIMIT=0 is no number of lines"),
        ({"LIMIT": "10000"}, "LIMIT=10000 is no number of lines"),
        ({"Q": "requestID:x"}, "a line has no field requestID"),
        ({"Q": 'level:ERROR "half'}, "a quotation mark has no second one"),
    ],
)
def test_a_wrong_variable_is_said_with_how_it_is_right(variables: dict[str, str], says: str) -> None:
    with pytest.raises(OpsError, match=says) as raised:
        logs.ask(variables)
    assert raised.value.remedy


def test_a_line_as_people_read_it() -> None:
    assert logs.render(LINE, colours=False).splitlines() == [
        "2026-11-24T10:11:12.123Z ERROR ecommerce-api: POST /api/v1/orders 500 requestId=r1 trace_id=t1",
        "    Traceback:",
        "      File x",
        "    ValueError: no",
    ]
    assert "\x1b[31mERROR\x1b[0m" in logs.render(LINE, colours=True)


def test_a_line_of_a_foreign_program_moves_no_cursor_and_forges_no_line() -> None:
    shown = logs.render({"message": "a\x1b[2Jb\n2026 INFO forged", "meta": "no object"}, colours=False)
    assert shown == "? ?     ?: a\\x1b[2Jb\\n2026 INFO forged"


class Refusing(BaseHTTPRequestHandler):
    """Answers what Elasticsearch would when all is not well: no cluster can be made to do so quickly."""

    status: ClassVar[int] = 200

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b'{"hits": {"hits": []}}' if self.status == 200 else b'{"error": "no"}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def elasticsearch(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(compose, "config", lambda *_: {})
    monkeypatch.setattr(urls, "address", lambda *_: url)
    monkeypatch.setattr(secrets, "read", lambda _: "a password")
    for name in ("Q", "SINCE", "LIMIT", "FOLLOW"):
        monkeypatch.delenv(name, raising=False)
    yield url
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "refuses its user reader"),
        (400, "a value is not of its field's type"),
        (503, "Elasticsearch cannot answer now"),
    ],
)
@pytest.mark.usefixtures("elasticsearch")
def test_a_refusal_says_what_to_do(status: int, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Refusing, "status", status)
    with pytest.raises(OpsError, match=says):
        logs.logs()


def test_no_elasticsearch_is_a_clear_error(elasticsearch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "address", lambda *_: elasticsearch.rpartition(":")[0] + ":9")
    with pytest.raises(OpsError, match="does not answer at") as raised:
        logs.logs()
    assert "make up" in raised.value.remedy


@pytest.mark.usefixtures("elasticsearch")
def test_a_missing_password_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(secrets, "read", missing)
    with pytest.raises(OpsError, match="elasticsearch_reader is missing"):
        logs.logs()


@pytest.mark.usefixtures("elasticsearch")
def test_nothing_found_says_how_to_find_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert logs.logs() == 0
    assert capsys.readouterr().err == "no line of the last 1d matches; SINCE=7d looks further back\n"
