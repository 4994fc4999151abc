"""Identifiers that sort by time: UUID version 7 (RFC 9562)."""

import itertools
import os
import random
import time

_LOW = 2**48 - 1
_GUARD = 1  # before the digits, so that none of them is left out for being 0


class _Source:
    """What the ids of one process are made of."""

    def __init__(self) -> None:
        drawn = random.SystemRandom()
        # guard, 48 bits to come; version 7 and 12 bits of its own, variant and 14 more
        self.head = _GUARD << 80 | 0x7000_8000 | drawn.getrandbits(12) << 16 | drawn.getrandbits(14)
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
    # not format(): its way through the interpreter is longer, and seldom in the processor's caches
    head = hex(source.head | time.time_ns() // 1_000_000 << 32)
    tail = hex(_GUARD << 48 | source.next() * source.factor & _LOW)
    return f"{head[3:11]}-{head[11:15]}-{head[15:19]}-{head[19:]}-{tail[3:]}"
