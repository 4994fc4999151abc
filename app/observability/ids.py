"""Identifiers that sort by time: UUID version 7 (RFC 9562)."""

import itertools
import os
import random
import time

_LOW = 2**48 - 1


class _Source:
    """What the ids of one process are made of."""

    def __init__(self) -> None:
        drawn = random.SystemRandom()
        self.process = f"7{drawn.getrandbits(12):03x}-{0x8000 | drawn.getrandbits(14):04x}"
        self.next = itertools.count(drawn.getrandbits(48)).__next__
        self.factor = drawn.getrandbits(48) | 1  # odd: the products below differ for 2^48 numbers in a row


_source = _Source()
os.register_at_fork(after_in_child=_source.__init__)  # type: ignore[misc]  # or two children would make the same ids


def uuid7() -> str:
    """Return a new UUIDv7 as text: 48 bits of milliseconds since 1970, then 74 bits that look random.

    Each request and each log line waits for one, so 26 of the bits are drawn once for the process, and the other 48
    are a counter, scrambled: no two ids of a process are equal, and nobody can count requests by them.
    """
    source = _source
    now = time.time_ns() // 1_000_000
    tail = source.next() * source.factor & _LOW
    # the old way of formatting: the newer ones go a longer way for each number
    return "%08x-%04x-%s-%012x" % (now >> 16, now & 0xFFFF, source.process, tail)  # noqa: UP031 - see above
