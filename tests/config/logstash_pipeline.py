"""Reads Logstash's pipeline language, as far as our files use it: no Logstash is to be had here, and it is strict.

https://www.elastic.co/docs/reference/logstash/configuration-file-structure
"""

import re
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"""(?x) \s+ | \#[^\n]*
    | (?P<text> "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' )
    | (?P<pattern> /(?:\\.|[^/\\\n])+/ )
    | (?P<reference> (?:\[[@\w.-]+\])+ )
    | (?P<word> [A-Za-z_]\w* | [0-9]+(?:\.[0-9]+)? )
    | (?P<sign> => | =~ | !~ | == | != | [{}\[\](),!] )"""
)


class PipelineError(Exception):
    """Logstash would not start with it."""


@dataclass
class Plugin:
    """One plugin: in which section, under which conditions, with which settings (a repeated one is a list)."""

    section: str
    name: str
    conditions: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)


def parse(text: str) -> list[Plugin]:
    """Every plugin of a pipeline, in order. Raises PipelineError."""
    return _Parser(text).pipeline()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise PipelineError(f"at {text[position : position + 40]!r}")
            position = match.end()
            if match.lastgroup:
                self._tokens.append((match.lastgroup, match[0]))
        self._at = 0
        self._plugins: list[Plugin] = []

    def pipeline(self) -> list[Plugin]:
        while self._at < len(self._tokens):
            section = self._take("word")
            if section not in {"input", "filter", "output"}:
                raise PipelineError(f"a section {section}")
            self._block(section, ())
        return self._plugins

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self, kind: str, value: str | None = None) -> str:
        found = self._peek()
        if found[0] != kind or (value is not None and found[1] != value):
            raise PipelineError(f"{value or kind} is wanted, and {found[1]!r} is there")
        self._at += 1
        return found[1]

    def _block(self, section: str, conditions: tuple[str, ...]) -> None:
        self._take("sign", "{")
        while self._peek() != ("sign", "}"):
            if self._peek() == ("word", "if"):
                self._branches(section, conditions)
            else:
                self._plugin(section, conditions)
        self._take("sign", "}")

    def _branches(self, section: str, conditions: tuple[str, ...]) -> None:
        before: list[str] = []
        while True:
            self._take("word", "if")
            condition = self._condition()
            self._block(section, (*conditions, *before, condition))
            before.append(f"not ({condition})")
            if self._peek() != ("word", "else"):
                return
            self._take("word", "else")
            if self._peek() != ("word", "if"):
                self._block(section, (*conditions, *before))
                return

    def _condition(self) -> str:
        """An expression of comparisons; a lone reference asks whether it is there."""
        words = [self._comparison()]
        while self._peek() in {("word", "and"), ("word", "or")}:
            words += [self._take("word"), self._comparison()]
        return " ".join(words)

    def _comparison(self) -> str:
        left = self._take(self._peek()[0] if self._peek()[0] in {"text", "reference"} else "reference")
        if self._peek() in {("sign", "=~"), ("sign", "!~")}:
            return f"{left} {self._take('sign')} {self._take('pattern')}"
        if self._peek() in {("sign", "=="), ("sign", "!=")}:
            return f"{left} {self._take('sign')} {self._take('text')}"
        if self._peek() == ("word", "in"):
            return f"{left} {self._take('word')} {self._take('reference')}"
        return left

    def _plugin(self, section: str, conditions: tuple[str, ...]) -> None:
        plugin = Plugin(section, self._take("word"), conditions)
        self._plugins.append(plugin)
        self._take("sign", "{")
        while self._peek() != ("sign", "}"):
            name = self._take("word")
            self._take("sign", "=>")
            if name in plugin.settings:
                raise PipelineError(f"{plugin.name} is told {name} twice")
            plugin.settings[name] = self._value()
        self._take("sign", "}")

    def _value(self) -> Any:
        kind, value = self._peek()
        if kind == "text":
            return self._take("text")[1:-1]
        if kind == "word":
            word = self._take("word")
            return {"true": True, "false": False}.get(word, word)
        if kind == "reference":  # a list of one bare word reads as a reference
            return self._take("reference")[1:-1].split("][")
        if value == "[":
            self._take("sign", "[")
            values = [self._value()]
            while self._peek() == ("sign", ","):
                self._take("sign", ",")
                values.append(self._value())
            self._take("sign", "]")
            return values
        self._take("sign", "{")
        mapping = {}
        while self._peek() != ("sign", "}"):
            key = self._take("text")
            self._take("sign", "=>")
            mapping[key[1:-1]] = self._value()
        self._take("sign", "}")
        return mapping
