"""Make a value fit for a log: no secret, no character that forges or hides text, no huge size, only JSON types."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

REDACTED = "[REDACTED]"
MAX_TEXT = 8_192
"""Characters kept of one text; a stack trace of 100 frames fits."""
MAX_NAME = 256
"""Characters kept of a key: a search index holds a key and its value in one term, of 32 KB at most in Elasticsearch."""
MAX_ITEMS = 100
"""Entries kept of one list or object."""
MAX_DEPTH = 6
"""Nesting kept; what is deeper is written as text."""

# A key is split into words first, so that `passenger`, `tokenizer` or `company` are no secrets.
_words = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_secret_key = re.compile(
    r"(?:^|_)(?:passw(?:or)?d|passwd|passphrase|pwd|secret|token|api_?key|access_?key|private_?key|credential"
    r"|(?:proxy_)?authorization|(?:set_)?cookie|session_?id|card_?(?:number|no)|pan|cv[cvn]2?|csrf|jwt|otp)s?(?:$|_)"
).search

_private_key = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_header = re.compile(r"(?i)\b((?:set-)?cookie|(?:proxy-)?authorization)(\\*[\"']?\s*[:=]\s*)(?!\[REDACTED)[^\r\n]+")
_url_password = re.compile(r"(://[^/\s:@]*):[^/\s]*@|://[^/\s:@]{16,}@")  # or a token in the user's place
_authorization = re.compile(r"(?i)\b(bearer|basic|digest)(\s+)[\w.~+/=:-]{6,}")
_jwt = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?")
_CACHED_LENGTH = 256
_URL_SECRETS = {"key", "code", "auth", "sig", "sign", "signature"}
_SCHEMES = ("bearer", "basic", "digest")
_ASSIGNED = (
    *("pwd", "pan", "otp", "jwt", "cvc", "cvv", "cvn", "passw", "passphrase", "secret", "token", "credential"),
    *("api", "access", "private", "session", "card"),
)
# `password=x`, `"password": "x"`, `\"password\": \"x\"` (JSON in JSON). Short words need a border before them.
_assignment = re.compile(
    r"""(?ix) (  (?: (?<![a-z]) (?:pwd|pan|otp|jwt|cv[cvn]2?) | passw(?:or)?d | passphrase | secret | token | credential
                | api[_-]?key | access[_-]?key | private[_-]?key | session[_-]?id | card[_-]?(?:number|no) )
                [\w-]{0,20} \\*["']? \s{0,3} [=:] \s{0,3} )
              (?! \[REDACTED )
              (?: (\\*["']) (?: (?!\2) (?: \\. | . ) )* (?: \2 | $ ) | [^\s&"'}]+ )"""
)
_may_hold_numbers = re.compile(r"[0-9 -]{13}").search  # what `_numbers` finds has this, at a sixth of the price
_numbers = re.compile(r"(?<!\d)(?<!\d\.)\d(?:[ -]?\d){12,40}(?!\d)")
# A UUID, or its 32 digits as a trace id has them: by chance one in some hundred holds what would be a card.
_ids = r"(?<![0-9A-Za-z])(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32})(?![0-9A-Za-z])"
_ids_or_numbers = re.compile(rf"(?i)(?P<id>{_ids})|{_numbers.pattern}")
_CARD_STARTS = "23456"  # ISO/IEC 7812; a time in milliseconds starts with 1
_CARD_DIGITS = range(13, 20)
# C0 and C1 controls, DEL, separators that some readers take for a line break, bidi controls, invisible
# characters, lone surrogates (broken UTF-8): shown as escapes, they can neither forge nor hide.
_hidden = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_hidden_but_lines = re.compile(_hidden.pattern.replace(r"\x00-\x1f", r"\x00-\x08\x0b-\x1f"))
_names = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


@lru_cache(maxsize=4_096)
def is_secret(key: str) -> bool:
    """Return whether a value under this key must not be logged."""
    return bool(_secret_key(_words.sub("_", key[:200]).lower()))


def text(value: str, *, lines: bool = False) -> str:
    """Return `value` redacted, escaped and cut.

    `lines` is for stack traces: it keeps line breaks, and of a long one the end.
    """
    if len(value) <= _CACHED_LENGTH:
        return value if _is_plain(value) else _short(value, lines)
    if len(value) > MAX_TEXT:
        # Redact a little beyond the cut first, or half a secret could be left at it.
        note = f"… ({len(value)} characters) "
        if lines:
            value = note + _redact(value[-MAX_TEXT - 512 :])[-MAX_TEXT:]
        else:
            value = _redact(value[: MAX_TEXT + 512])[:MAX_TEXT] + note
    else:
        value = _redact(value)
    return (_hidden_but_lines if lines else _hidden).sub(_escape, value)


def query(value: str) -> str:
    """Return a URL's query as `text` would; decoded, where its encoding hides a secret."""
    if "%" in value or "+" in value:
        short = len(value) <= _CACHED_LENGTH
        value = _revealing(value) if short else _revealing.__wrapped__(value)
    return text(value)


@lru_cache(maxsize=4_096)  # each line of a request has it again
def _revealing(value: str) -> str:
    known = _redact(value[: MAX_TEXT + 512])  # first: decoded, a space may end what is redacted
    decoded = unquote_plus(known)
    redacted = _redact(decoded)
    return value if redacted == decoded else redacted


def _is_plain(value: str) -> bool:
    """Return whether the text can hold none of what is looked for. Nearly every text is: this must be fast."""
    return (
        value.isascii()
        and value.isprintable()
        and ":" not in value
        and "=" not in value
        and "eyJ" not in value
        and not (" " in value and any(word in value.lower() for word in _SCHEMES))
        and not (len(value) >= _CARD_DIGITS.start and _may_hold_numbers(value) and _numbers.search(value))
    )


@lru_cache(maxsize=4_096)  # user agents, URLs and messages repeat
def _short(value: str, lines: bool) -> str:  # noqa: FBT001 - a cache's key is positional
    return (_hidden_but_lines if lines else _hidden).sub(_escape, _redact(value))


def url(value: str) -> str:
    """Return an absolute URL redacted: also of what is a secret only there, as a chat robot's `key`."""
    before, mark, after = value.partition("?")
    pairs = [pair.partition("=") for pair in after.split("&")] if mark else []
    shown = "&".join(
        f"{name}{equals}{REDACTED if equals and _is_secret_in_url(unquote_plus(name)) else rest}"
        for name, equals, rest in pairs
    )
    return f"{text(before)}{mark}{query(shown)}"


def _is_secret_in_url(name: str) -> bool:
    return name.lower() in _URL_SECRETS or is_secret(name)


def clean(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one line a kind of value reads best
    """Return `value` as JSON types, redacted by key and by pattern, bounded in size and depth."""
    if isinstance(value, str):
        return text(str(value))
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):  # a bare card number is one, too; beyond 64 bits JSON readers lose digits
        return value if -(10**11) < value < 10**11 else _integer(int(value))
    if isinstance(value, float):
        return float(value)
    if depth >= MAX_DEPTH:
        return text(_describe(value))
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, list | tuple | set | frozenset):
        return _sequence(value, depth)
    if isinstance(value, BaseException):
        return {"type": text(type(value).__qualname__), "message": text(_describe(value))}
    return text(_describe(value))


def meta(values: dict[str, Any]) -> dict[str, Any]:
    """Return a line's `meta` cleaned."""
    cleaned: dict[str, Any] = {}
    for key, value in values.items():
        name, secret = _key(key) if len(key) <= _CACHED_LENGTH else (_name(key), is_secret(key))
        if secret and value is not None:
            cleaned[name] = REDACTED
        elif type(value) is str:  # what nearly every value is, asked first
            cleaned[name] = text(value)
        else:
            cleaned[name] = clean(value, 1)
    return cleaned


@lru_cache(maxsize=4_096)  # keys stand in the program, so they repeat
def _key(key: str) -> tuple[str, bool]:
    return _name(key), is_secret(key)


def _name(key: str) -> str:
    shown = text(key)
    return shown if len(shown) <= MAX_NAME else f"{shown[:MAX_NAME]}… ({len(key)} characters)"


def _mapping(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for number, (key, item) in enumerate(value.items()):
        if number >= MAX_ITEMS:
            result["…"] = f"{len(value) - MAX_ITEMS} more"
            break
        name = key if isinstance(key, str) else _describe(key)
        result[_name(name)] = REDACTED if is_secret(name) and item is not None else clean(item, depth + 1)
    return result


def _sequence(value: Iterable[Any], depth: int) -> list[Any]:
    result = []
    for number, item in enumerate(value):
        if number >= MAX_ITEMS:
            result.append("…")
            break
        result.append(clean(item, depth + 1))
    return result


def _integer(value: int) -> int | str:
    digits = text(str(value)) if value.bit_length() < 200 else "(a number of " + str(value.bit_length()) + " bits)"  # noqa: PLR2004
    return value if digits == str(value) and -(2**63) <= value < 2**63 else digits


def _describe(value: Any) -> str:
    """Return any object as text; an object whose own description fails must not lose the line."""
    try:
        return bytes(value).decode(errors="backslashreplace") if isinstance(value, bytes | bytearray) else str(value)
    except Exception:  # noqa: BLE001 - str() of a foreign object may raise anything
        return f"<{type(value).__qualname__}: cannot be shown>"


def _redact(value: str) -> str:
    # A search for a plain word costs a fiftieth of a pattern with alternatives, and mostly finds nothing.
    lowered = value.lower()
    if "private key" in lowered:
        value = _private_key.sub(REDACTED, value)
    if "cookie" in lowered or "authorization" in lowered:
        value = _header.sub(rf"\1\2{REDACTED}", value)
    if "://" in lowered and "@" in lowered:
        value = _url_password.sub(lambda found: f"{found[1] or '://'}:{REDACTED}@", value)
    if any(word in lowered for word in _SCHEMES):
        value = _authorization.sub(rf"\1\2{REDACTED}", value)
    if any(word in lowered for word in _ASSIGNED):
        value = _assignment.sub(rf"\1{REDACTED}", value)
    if "eyJ" in value:
        value = _jwt.sub(REDACTED, value)
    return _ids_or_numbers.sub(_cards, value)


def _cards(match: re.Match[str]) -> str:
    """Replace a run of numbers when any neighbours in it make a card number: `4242 4242 4242 4242 12 30` does."""
    if match["id"]:
        return match[0]
    groups = re.split("[ -]", match[0])
    for first in range(len(groups)):
        if groups[first][0] not in _CARD_STARTS:
            continue
        digits = ""
        for group in groups[first:]:
            digits += group
            if len(digits) >= _CARD_DIGITS.stop:
                break
            if len(digits) in _CARD_DIGITS and _is_card(digits):
                return REDACTED
    return match[0]


def _is_card(digits: str) -> bool:
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + doubled) % 10 == 0


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    return _names.get(character) or f"\\u{ord(character):04x}"
