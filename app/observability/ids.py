"""Identifiers that sort by time: UUID version 7 (RFC 9562)."""

import os
import random
import time

_random = random.Random(os.urandom(16))  # noqa: S311 - ids name things, they guard nothing; this is 5 times faster
os.register_at_fork(after_in_child=lambda: _random.seed(os.urandom(16)))  # or two children would make the same ids


def uuid7() -> str:
    """Return a new UUIDv7 as text: 48 bits of milliseconds since 1970, then 74 random bits."""
    bits = _random.getrandbits(74)
    value = (time.time_ns() // 1_000_000 << 80) | 0x7000 << 64 | (bits >> 62) << 64 | 0b10 << 62 | bits & (2**62 - 1)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
