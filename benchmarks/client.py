"""What a client sends: the headers of a browser behind a gateway that traces, or of one that does not."""

import os

TRACED = "BENCHMARK_TRACED"
_PLAIN = [
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
    (b"accept", b"application/json"),
    (b"accept-encoding", b"gzip, deflate, br"),
]
_TRACES = 256


def _variants() -> list[list[tuple[bytes, bytes]]]:
    """With BENCHMARK_TRACED each carries the context of a sampled trace: what exemplars are made of."""
    if not os.environ.get(TRACED):
        return [_PLAIN]
    return [[*_PLAIN, (b"traceparent", b"00-%032x-%016x-01" % (n + 1, n + 1))] for n in range(_TRACES)]


_prepared = _variants()


def headers(number: int) -> list[tuple[bytes, bytes]]:
    """Return the headers of the request of this number."""
    return list(_prepared[number % len(_prepared)])
