"""What nobody should have to log, and somebody will: secrets in plain text, and text made to forge, hide or break."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.c2lnbmF0dXJlLXBhcnQ"
PLANTED = [
    ("hunter2-a", "password=hunter2-a"),
    ("hunter2-b", '{"user": "x", "password": "hunter2-b"}'),
    ("hunter2-c", r'{"body": "{\"password\": \"hunter2-c\"}"}'),
    ("hunter2-d", "login failed: passwd: hunter2-d"),
    ("hunter2-e", "https://shop.test/reset?token=hunter2-e&x=1"),
    ("hunter2-f", "postgresql://shop:hunter2-f@postgres:5432/shop"),
    ("hunter2/g", "redis://:hunter2/g@redis"[:9] + "hunter2%2Fg@redis:6379/0"),
    ("hunter2@h", "amqp://u:hunter2@h@host/v"),
    ("abcdef123456", "Authorization: Bearer abcdef123456"),
    ("dXNlcjpwYXNz", "authorization=Basic dXNlcjpwYXNz"),
    ("qwertyuiop99", "sent header bearer qwertyuiop99 to gateway"),
    (JWT, f"token was {JWT}, rejected"),
    ("s3ss10n", "Cookie: visit=1; session=s3ss10n; theme=dark"),
    ("s3cr3t-i", "client_secret=s3cr3t-i"),
    ("s3cr3t-j", "DB_PASSWORD='s3cr3t-j with space'"),
    ("s3cr3t-k", "apiKey: s3cr3t-k"),
    ("s3cr3t-l", "x-api-key: s3cr3t-l"),
    ("s3cr3t-m", 'accessToken = "s3cr3t-m"'),
    ("4242424242424242", "card 4242424242424242 declined"),
    ("4242 4242 4242 4242", "card 4242 4242 4242 4242 12 30 123"),
    ("4000-0000-0000-0002", "card 4000-0000-0000-0002"),
    ("378282246310005", "amex378282246310005"),
    ("5555555555554444", "numbers: 2026 5555555555554444 17"),
    ("MIIEvQIBADANBg", "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----"),
    ("ghp_16C7e42F292c6912E7", "cloning https://ghp_16C7e42F292c6912E7@github.test/x.git"),
    ("999909", '{"card_number": "x", "cvc": 999909}'),
]
NASTY = st.one_of(
    st.text(alphabet=st.characters(), max_size=200),  # surrogates included
    st.sampled_from(
        [
            "${jndi:ldap://x/a}",
            "{{7*7}}",
            "%s%n%x",
            '{"level":"ERROR"}\n{"x":1}',
            "\u202egpj.exe",
            "\ud83d",
            "a" * 20_000,
            '"}\r\n{"timestamp":"x"}',
            "'; DROP TABLE logs; --",
            "<script>",
            "\x1b]0;title\x07",
            "\\u0000",
            "password=\n\n",
            "\\" * 3000,
            "=" * 3000,
            "token" * 2000,
            "1 " * 5000,
            "1" * 9000,
            "://" * 3000,
            "-----BEGIN PRIVATE KEY-----" * 300,
        ]
    ),
)
VALUES = st.recursive(
    st.one_of(NASTY, st.integers(), st.floats(), st.binary(max_size=50), st.none(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NASTY, inner, max_size=4)),
    max_leaves=8,
)


class Kept:
    """Where emitted lines go in a test: nowhere but here."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def put(self, level: str, line: bytes | Callable[..., bytes], *parts: Any) -> None:
        del level
        self.lines.append(line if isinstance(line, bytes) else line(*parts))
