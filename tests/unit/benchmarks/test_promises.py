"""What was promised of the costs, held to the rounds that were measured last, and RESULTS.md held to those rounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import runs
from benchmarks.apps import QUERY, TRIVIAL
from benchmarks.costs import Rounds, Statistic, cost_of, over_bare, times_bare
from benchmarks.intervals import estimate, quotient

RESULTS = (Path(runs.__file__).parent / "RESULTS.md").read_text(encoding="utf-8")
FEWEST = {"metrics-in-process": 10}
"""Rounds of fresh processes, 8 where nothing is said: a median of fewer has no interval worth showing."""


def measured(part: str) -> Rounds:
    kept = runs.read(part)
    assert kept is not None, f"{part} was never measured"
    assert len(kept["rounds"]) >= FEWEST.get(part, 8)
    rounds: Rounds = kept["rounds"]
    return rounds


def metrics_over(other: str) -> Statistic:
    return quotient(over_bare("ours_requests", TRIVIAL), over_bare(other, TRIVIAL))


def line_over(other: str) -> Statistic:
    return quotient(cost_of("ours", "us"), cost_of(other, "us"))


@pytest.mark.parametrize(
    ("part", "statistic", "most"),
    [
        pytest.param("logs-lines", cost_of("ours", "us"), 15, id="µs of a log line"),
        pytest.param("logs-lines", line_over("python_json_logger"), 1, id="a line, of python-json-logger's"),
        pytest.param("logs-lines", line_over("structlog_over_stdlib"), 1, id="a line, of structlog's over logging"),
        pytest.param("logs-lines", line_over("loguru"), 1, id="a line, of loguru's"),
        pytest.param("metrics-in-process", metrics_over("instrumentator"), 1 / 4, id="metrics, of instrumentator's"),
        pytest.param("metrics-in-process", metrics_over("starlette_exporter"), 1 / 10, id="metrics, of the exporter's"),
        pytest.param(
            "traces-in-process",
            quotient(over_bare("ours_sampled", TRIVIAL), over_bare("contrib_traces", TRIVIAL)),
            1 / 2,
            id="a sampled request, of contrib's",
        ),
    ],
)
def test_it_costs_no_more(part: str, statistic: Statistic, most: float) -> None:
    assert statistic(measured(part)) < most


@pytest.mark.parametrize(
    ("name", "least"),
    [pytest.param("ours", 0.97, id="metrics"), pytest.param("ours_all_signals", 0.9, id="all signals, all sampled")],
)
def test_throughput_behind_a_query_is_kept(name: str, least: float) -> None:
    assert times_bare(name, QUERY, "per_second")(measured("over-http")) >= least


def test_the_report_was_made_of_these_rounds() -> None:
    lines, http = measured("logs-lines"), measured("over-http")
    assert f"A log line of ours, redacted: {estimate(lines, cost_of('ours', 'us')).format(1)} µs" in RESULTS
    for part in ("logs-lines", "metrics-in-process", "metrics-scrapes", "traces-in-process", "over-http"):
        kept = runs.read(part)
        assert kept is not None
        for piece in kept["pieces"]:
            assert f"on {piece['date']} in {piece['seconds']} s" in RESULTS, part
    for name in http[0]:
        assert f"| {estimate(http, cost_of(name, QUERY, 'per_second')).format(0)} |" in RESULTS, name
