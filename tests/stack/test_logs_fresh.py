"""How soon a line can be found."""

import time

from clients import Stack
from log_proof import assert_rate, writing

RATE = 500.0
SECONDS = 30
WITHIN = 3.0  # seconds, for 95 of 100 lines


def test_a_line_is_searchable_within_three_seconds(stack: Stack) -> None:
    """Every 25th line is looked for all the time; how late it was first seen, by the clock that also dated it."""
    lines = int(RATE * SECONDS)
    delays: dict[int, float] = {}
    with writing("probed", lines, RATE) as writer:
        body = {
            "size": 200,
            "_source": False,
            "fields": ["message", {"field": "@timestamp", "format": "epoch_millis"}],
            "query": {"term": {"logger": f"{writer.logger}.probe"}},
            "sort": [{"@timestamp": "desc"}],
            "track_total_hits": False,
        }
        deadline = time.monotonic() + SECONDS + 60
        while len(delays) < lines / 25 and time.monotonic() < deadline:
            hits = stack.elasticsearch.search("ecommerce-logs-*", body)["hits"]["hits"]
            now = time.time()
            for hit in hits:
                number = int(hit["fields"]["message"][0].split("/")[-1].split()[0])
                delays.setdefault(number, now - int(hit["fields"]["@timestamp"][0]) / 1000)
            time.sleep(0.1)
        report = writer.report()
        assert report["dropped"] == 0
        assert_rate(report, RATE)
    assert len(delays) == lines / 25, "not every line came"
    ordered = sorted(delays.values())
    median, p95 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    shown = f"{median:.2f} s (median), {p95:.2f} s (p95), {ordered[-1]:.2f} s (the last)"
    assert p95 < WITHIN, shown
    print(shown)  # noqa: T201 - pytest -rP shows it
