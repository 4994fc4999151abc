"""Identifiers that sort by time: UUID version 7 (RFC 9562)."""

import itertools
import os
import random
import time

_LOW = 2**48 - 1


class _Source:
    """What the ids of one process are made of."""

    def __init__(self) -> None:
        self.random = random.Random(os.urandom(16))  # noqa: S311 - ids name things, they guard nothing
        self.count = itertools.count(self.random.getrandbits(48))
        self.factor = self.random.getrandbits(48) | 1  # odd: the products below differ for 2^48 numbers in a row
        self.last = (0, "")


_source = _Source()
os.register_at_fork(after_in_child=_source.__init__)  # type: ignore[misc]  # or two children would make the same ids


def uuid7() -> str:
    """Return a new UUIDv7 as text: 48 bits of milliseconds since 1970, then 74 bits that look random.

    Each request and each log line waits for one, so 26 of the bits are drawn once a millisecond, and the other 48 are
    a counter, scrambled: no two ids of a process are equal, and nobody can count requests by them.
    """
    source = _source
    now = time.time_ns() // 1_000_000
    last = source.last  # a tuple, replaced whole: another thread sees the old one or the new one
    if last[0] != now:
        drawn = source.random.getrandbits(26)
        beginning = f"{now >> 16:08x}-{now & 0xFFFF:04x}-7{drawn >> 14:03x}-{0x8000 | drawn & 0x3FFF:04x}-"
        source.last = last = (now, beginning)
    return f"{last[1]}{next(source.count) * source.factor & _LOW:012x}"
