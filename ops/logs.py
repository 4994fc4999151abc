"""`make logs`: search the log lines from a terminal, as the user `reader`, who may do nothing else."""

import base64
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ops import compose, order, secrets, urls
from ops.console import OpsError, say
from ops.order import RefusedError
from ops.shell import ROOT

_MAPPINGS = ROOT / "elasticsearch/component-templates/ecommerce-logs-mappings.json"
_TEXT = ("message", "meta.error.message", "meta.error.stack")
_IDS = ("requestId", "trace_id", "span_id", "eventId", "userId", "meta.orderId")
"""A bare word is looked for in the texts, and as the whole of an id."""
_SINCE = re.compile(r"[1-9][0-9]{0,4}[smhd]")
_WORDS = re.compile(r'(?P<not>-?)(?:(?P<field>[A-Za-z_@][\w.@-]*):)?(?:"(?P<quoted>[^"]*)"|(?P<word>[^\s"]+))')
_LATE = "30s"
"""While following: how late a line may be searchable and still be shown. Services' lines come out of order."""
_FORGET_SECONDS = 90.0
_POLL_SECONDS = 1.0
_MOST = 9_999  # Elasticsearch gives up to 10,000 at a time
_COLOURS = {"ERROR": "31", "WARN": "33", "DEBUG": "2"}
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Question:
    """What the variables Q, SINCE and LIMIT ask for."""

    clauses: list[dict[str, Any]]
    excluded: list[dict[str, Any]]
    since: str
    limit: int


def logs() -> int:
    """Print the newest lines that match, the oldest first; with FOLLOW=1 go on until Ctrl-C."""
    question = ask(dict(os.environ))
    compose.allow_unset_registry()
    elasticsearch = urls.address(compose.config(), "elasticsearch", 9200)
    if elasticsearch is None:
        raise OpsError("docker-compose.yml publishes no port of elasticsearch", "restore its ports")
    view = _View(elasticsearch, question)
    try:
        if _is_set("FOLLOW"):
            view.follow()
        else:
            view.show()
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:  # `make logs | head`: there is nobody to say more to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def ask(variables: dict[str, str]) -> Question:
    """Understand the variables. Raises OpsError with what is wrong and how it is right."""
    since = variables.get("SINCE") or "1d"
    if not _SINCE.fullmatch(since):
        raise OpsError(f"SINCE={since} is no length of time", "a number and a unit: SINCE=90s, 15m, 6h or 7d")
    limit = variables.get("LIMIT") or "100"
    if not re.fullmatch(r"[1-9][0-9]{0,3}", limit):
        raise OpsError(f"LIMIT={limit} is no number of lines", "LIMIT=1 to LIMIT=9999")
    clauses: list[dict[str, Any]] = []
    excluded: list[dict[str, Any]] = []
    for match in _words(variables.get("Q") or ""):
        text = match["quoted"] if match["quoted"] is not None else match["word"]
        clause = _field(match["field"], text) if match["field"] else _anywhere(text)
        (excluded if match["not"] else clauses).append(clause)
    return Question(clauses, excluded, since, int(limit))


def _words(query: str) -> Iterator["re.Match[str]"]:
    position = 0
    while rest := query[position:].lstrip():
        position = len(query) - len(rest)
        match = _WORDS.match(query, position)
        if match is None:
            raise OpsError(f"Q={query}: a quotation mark has no second one", "Q='level:ERROR \"card declined\"'")
        yield match
        position = match.end()


def _anywhere(text: str) -> dict[str, Any]:
    texts = {"multi_match": {"query": text, "type": "phrase", "fields": list(_TEXT)}}
    return {"bool": {"should": [texts, *({"term": {name: text}} for name in _IDS)]}}


def _field(name: str, text: str) -> dict[str, Any]:
    fields: dict[str, dict[str, Any]] = json.loads(_MAPPINGS.read_text(encoding="utf-8"))["template"]["mappings"][
        "properties"
    ]
    known = next((candidate for candidate in (name, f"meta.{name}") if candidate in fields), None)
    if known is None and name.startswith("meta."):
        # no type of its own: meta_all has it as a keyword
        return {"term": {f"meta_all.{name.removeprefix('meta.')}": text}}
    if known is None:
        raise OpsError(
            f"Q: a line has no field {name}",
            f'meta.{name}:… looks into meta, "{name}:{text}" for the text; fields: '
            + ", ".join(sorted({field.removeprefix("meta.") for field in fields if field != "meta_all"})),
        )
    if fields[known]["type"] == "text":
        return {"match_phrase": {known: text}}
    return {"term": {known: text.upper() if known == "level" else text}}


class _View:
    """What is on the terminal."""

    def __init__(self, elasticsearch: str, question: Question) -> None:
        self._elasticsearch = elasticsearch
        self._question = question
        self._colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def show(self) -> None:
        """Print what is there."""
        since, limit = self._question.since, self._question.limit
        found = self._search(since, limit)
        self._print(found)
        if not found:
            print(f"no line of the last {since} matches; SINCE=7d looks further back", file=sys.stderr)
        elif len(found) == limit:
            print(f"the newest {limit} lines; LIMIT=1000 shows more", file=sys.stderr)

    def follow(self) -> None:
        """Print what is there, then what comes."""
        seen = {hit["_id"]: time.monotonic() for hit in self._search(_LATE, _MOST)}
        found = self._search(self._question.since, self._question.limit)
        self._print(found)
        seen |= {hit["_id"]: time.monotonic() for hit in found}
        silent = False
        while True:
            time.sleep(_POLL_SECONDS)
            try:
                found = self._search(_LATE, _MOST)
                silent = False
            except OpsError as error:  # it may be restarting
                if not silent:
                    print(f"{error.problem}; still trying", file=sys.stderr)
                silent = True
                continue
            self._print([hit for hit in found if hit["_id"] not in seen])
            now = time.monotonic()
            seen |= {hit["_id"]: now for hit in found}
            seen = {name: at for name, at in seen.items() if now - at < _FORGET_SECONDS}

    def _print(self, hits: list[dict[str, Any]]) -> None:
        for hit in hits:
            say(render(hit["_source"], colours=self._colours))

    def _search(self, since: str, limit: int) -> list[dict[str, Any]]:
        query = {
            "filter": [*self._question.clauses, {"range": {"@timestamp": {"gte": f"now-{since}"}}}],
            "must_not": self._question.excluded,
        }
        newest = [{"@timestamp": "desc"}, {"eventId": "desc"}]
        try:
            user = base64.b64encode(f"reader:{secrets.read('elasticsearch_reader')}".encode()).decode()
            answer = order.ask(
                f"{self._elasticsearch}/ecommerce-logs-*,-ecommerce-logs-unparsed-*/_search",
                {"size": limit, "sort": newest, "query": {"bool": query}},
                {"Authorization": f"Basic {user}"},
            )
        except FileNotFoundError as error:
            raise OpsError(".secrets/elasticsearch_reader is missing", "make up makes it") from error
        except RefusedError as error:
            raise _refusal(error) from error
        except (OSError, ValueError) as error:
            raise OpsError(
                f"Elasticsearch does not answer at {self._elasticsearch}",
                "make up starts it; docker compose logs elasticsearch says why it does not",
                str(error),
            ) from error
        hits: list[dict[str, Any]] = answer["hits"]["hits"]
        return hits[::-1]


def _refusal(error: RefusedError) -> OpsError:
    if error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return OpsError(
            "Elasticsearch refuses its user reader", "make up gives it the password in .secrets/elasticsearch_reader"
        )
    if error.status == HTTPStatus.BAD_REQUEST:
        return OpsError("Q: a value is not of its field's type", "Q=status:500, Q=ip:10.0.0.7", str(error)[:500])
    return OpsError("Elasticsearch cannot answer now", "make doctor", str(error)[:500])


def render(line: dict[str, Any], *, colours: bool) -> str:
    """Give a line as people read it: time, level, service, message, the ids to search on by, and an error's stack."""
    level = str(line.get("level", "?"))
    shown = f"{level:<5}"
    if colours and level in _COLOURS:
        shown = f"\033[{_COLOURS[level]}m{shown}\033[0m"
    ids = [f"{name}={line[name]}" for name in ("requestId", "trace_id") if name in line]
    words = [
        line.get("timestamp", "?"),
        shown,
        f"{line.get('service', '?')}:",
        _plain(line.get("message", "?")).replace("\n", "\\n"),
        *ids,
    ]
    meta = line.get("meta")
    error = meta.get("error") if isinstance(meta, dict) else None
    stack = (error.get("stack") or error.get("message") or "") if isinstance(error, dict) else ""
    return " ".join(map(str, words)) + "".join(f"\n    {row}" for row in _plain(stack).split("\n") if row)


def _plain(text: Any) -> str:
    """Show what would move the cursor or colour the rest: a foreign program's line is as it wrote it."""
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", str(text))


def _is_set(name: str) -> bool:
    return os.environ.get(name, "") not in {"", "0", "no", "false"}
