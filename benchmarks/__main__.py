"""`python -m benchmarks [metrics|logs|traces] [--part NAME] [--rounds N] [--more]`: measure, write RESULTS.md anew."""

import argparse
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from benchmarks import apps, client, in_process, log_lines, otlp_sink, over_http, postgres, report, runs

METRICS = (
    *("bare", "bare_spared", "ours", "ours_requests"),
    *("instrumentator", "starlette_exporter", "contrib_metrics", "native_metrics"),
)
_NOT_SERVED = {"ours_requests", "native_metrics"}  # each server more is time that the others wait
SCRAPED = ("ours", "instrumentator", "starlette_exporter")
SCRAPED_ROUTES = (10, 30, 100, 300)
TRACES = {
    "bare": ("bare", {}),
    "ours_unsampled": ("ours", {"OTEL_TRACES_SAMPLER": "always_off"}),
    "ours_sampled": ("ours", {"OTEL_TRACES_SAMPLER": "always_on"}),
    "contrib_traces": ("contrib_traces", {}),
    "native_traces": ("native_traces", {}),
}
ALL_SIGNALS = {
    "ours_all_signals": ("ours", {"OTEL_TRACES_SAMPLER": "always_on", "LOG_LEVEL": "INFO"}),
    "ours_all_signals_tenth": (
        "ours",
        {
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0.1",
            "LOG_LEVEL": "INFO",
        },
    ),
    "contrib_traces": ("contrib_traces", {}),
}
_ROUTES = (apps.TRIVIAL, apps.QUERY)


@contextmanager
def surroundings() -> Iterator[tuple[dict[str, str], otlp_sink.Receiver]]:
    """Run what the applications need, and give the environment that says where it is."""
    with postgres.database() as url, otlp_sink.receiver() as receiver, tempfile.TemporaryDirectory() as logs:
        yield {apps.DATABASE: url, "LOG_PATH": logs, "LOG_LEVEL": "ERROR", "LOG_CONSOLE": "json"}, receiver


def exporting(receiver: otlp_sink.Receiver) -> dict[str, str]:
    """Return where OTLP goes; the queue is long enough for the fastest requests, so that every span is paid for."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_MAX_QUEUE_SIZE": "100000"}


def metrics_in_process(count: int, *, more: bool) -> None:
    """CPU of a request, each way of counting requests."""
    with surroundings() as (env, receiver):

        def one_round() -> runs.Round:
            return {
                way: runs.fresh(
                    "in_process",
                    way,
                    *(apps.TRIVIAL, apps.COLD, apps.QUERY),
                    env=env | {client.TRACED: "1"} | (exporting(receiver) if way.endswith("_metrics") else {}),
                )
                for way in runs.shuffled(METRICS)
            }

        runs.record("metrics-in-process", count, one_round, more=more)


def throughput(count: int, *, more: bool) -> None:
    """Throughput, each way of counting requests, and all three signals together."""
    with surroundings() as (env, receiver):
        traced, sent = env | {client.TRACED: "1"}, exporting(receiver)
        servers = {
            **{
                way: (way, traced | (sent if way.endswith("_metrics") else {}))
                for way in METRICS
                if way not in _NOT_SERVED
            },
            **{name: (way, env | sent | more_env) for name, (way, more_env) in ALL_SIGNALS.items()},
        }
        runs.record("over-http", count, lambda: over_http.measure(servers, _ROUTES), more=more)


def metrics_scrapes(count: int, *, more: bool) -> None:
    """CPU of a scrape, by the number of series."""
    env = {apps.DATABASE: "postgresql+asyncpg://nobody@127.0.0.1:1/none", client.TRACED: "1", "LOG_CONSOLE": "off"}
    with tempfile.TemporaryDirectory() as logs:
        cases = [f"{way} {routes}" for way in SCRAPED for routes in SCRAPED_ROUTES]
        runs.record(
            "metrics-scrapes",
            count,
            lambda: {
                case: runs.fresh("scrapes", *case.split(), env=env | {"LOG_PATH": logs})
                for case in runs.shuffled(cases)
            },
            more=more,
        )


def logs_lines(count: int, *, more: bool) -> None:
    """CPU of a log line, each library."""

    def one_round() -> runs.Round:
        result = {}
        for library in runs.shuffled(list(log_lines.LIBRARIES)):
            with tempfile.TemporaryDirectory() as folder:
                result[library] = runs.fresh("log_lines", library, folder, env={})
        return result

    runs.record("logs-lines", count, one_round, more=more)


def traces_in_process(count: int, *, more: bool) -> None:
    """CPU of a request, each way of tracing it; every span has to arrive."""
    requests = in_process.WARM_UP[apps.TRIVIAL] + in_process.REQUESTS[apps.TRIVIAL]
    with surroundings() as (env, receiver):

        def one_round() -> runs.Round:
            result = {}
            for name in runs.shuffled(list(TRACES)):
                way, more = TRACES[name]
                result[name] = runs.fresh("in_process", way, apps.TRIVIAL, env=env | exporting(receiver) | more)
                spans = receiver.spans()
                if spans % requests or bool(spans) is (name in {"bare", "ours_unsampled"}):
                    raise RuntimeError(f"{name}: {spans} spans of {requests} requests arrived")
                result[name]["spans"] = spans // requests
            return result

        runs.record("traces-in-process", count, one_round, more=more)


class Measure(Protocol):
    """Measures one part."""

    def __call__(self, count: int, *, more: bool) -> None:
        """Run so many rounds; `more` keeps those of before."""


PARTS: dict[str, dict[str, tuple[Measure, int]]] = {
    "metrics": {
        "in-process": (metrics_in_process, 12),
        "over-http": (throughput, 12),
        "scrapes": (metrics_scrapes, 5),
    },
    "logs": {"lines": (logs_lines, 12)},
    "traces": {"in-process": (traces_in_process, 12), "over-http": (throughput, 12)},
}


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subject", nargs="?", choices=PARTS, help="all of them unless one is named")
    parser.add_argument("--part", help="one part of the subject alone")
    parser.add_argument("--rounds", type=int, help="rounds of fresh processes")
    parser.add_argument("--more", action="store_true", help="keep the rounds measured before on the same versions")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the database's container ends, too
    wanted = {
        measure: (f"{subject}: {name}", usual)  # once, though it stands under two subjects
        for subject in ([asked.subject] if asked.subject else PARTS)
        for name, (measure, usual) in PARTS[subject].items()
        if asked.part in {None, name}
    }
    for measure, (title, usual) in wanted.items():
        print(f"▸ {title}", flush=True)
        measure(asked.rounds or usual, more=asked.more)
    report.write(Path(__file__).parent)


if __name__ == "__main__":
    main()
