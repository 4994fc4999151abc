"""RESULTS.md and its plots, from the rounds in results/."""

from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import plots, runs
from benchmarks.apps import COLD, QUERY, TRIVIAL
from benchmarks.costs import Rounds, Statistic, cost_of, over_bare, times_bare
from benchmarks.intervals import Estimate, estimate, quotient

NAMES = {
    "bare": "bare FastAPI",
    "bare_spared": "bare FastAPI, its collector spared",
    "ours": "**ours**: requests with exemplars, and statements",
    "ours_requests": "**ours**, requests with exemplars alone",
    "ours_unsampled": "**ours**, unsampled",
    "ours_sampled": "**ours**, every request sampled",
    "ours_all_signals": "**ours**: metrics, log lines, every request sampled",
    "ours_all_signals_tenth": "**ours**: metrics, log lines, a tenth of the requests sampled",
    "instrumentator": "prometheus-fastapi-instrumentator",
    "starlette_exporter": "starlette_exporter",
    "contrib_metrics": "OpenTelemetry contrib, metrics",
    "native_metrics": "FastAPI's own OpenTelemetry metrics",
    "contrib_traces": "OpenTelemetry contrib, traces",
    "native_traces": "FastAPI's own OpenTelemetry spans",
    "python_json_logger": "python-json-logger over logging",
    "structlog_over_stdlib": "structlog over logging",
    "loguru": "loguru",
}
_LABELS = {
    **{name: text.replace("**", "") for name, text in NAMES.items()},
    "ours": "ours",
    "ours_requests": "ours, requests alone",
    "ours_all_signals": "ours, all three signals",
    "ours_all_signals_tenth": "ours, all three, 10 % sampled",
}

_ROUTES = {TRIVIAL: "trivial route", COLD: "trivial route, cold caches", QUERY: "database route"}
_SERVED = (TRIVIAL, QUERY)


def write(folder: Path) -> None:
    """Write RESULTS.md and plots/ anew."""
    sections = [
        (folder / "head.md").read_text(encoding="utf-8").strip(),
        *_summary(),
        *_part("metrics-in-process", "Metrics: CPU of a request, in process", _metrics_in_process),
        *_part("metrics-scrapes", "Metrics: CPU of a scrape", _scrapes),
        *_part("logs-lines", "Logs: CPU of a line", _lines),
        *_part("traces-in-process", "Traces: CPU of a request, in process", _traces_in_process),
        *_part("over-http", "Metrics alone, and all three signals: throughput over HTTP", _over_http),
    ]
    (folder / "RESULTS.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _summary() -> list[str]:
    """Return what it comes to, where everything was measured."""
    kept = [runs.read(part) for part in ("metrics-in-process", "over-http", "logs-lines", "traces-in-process")]
    if any(part is None for part in kept):
        return []
    metrics, http, lines, traces = (part["rounds"] for part in kept if part)
    rows = [
        [
            f"metrics with exemplars, of {NAMES[other]}'s CPU over bare",
            *(
                _share(metrics, over_bare("ours_requests", route), over_bare(other, route)).format(1)
                for route in _SERVED
            ),
        ]
        for other in ("instrumentator", "starlette_exporter")
    ]
    rows += [
        [
            f"throughput over HTTP with {what}, of {base}",
            *(_served(http, name, route, of).format(1) for route in _SERVED),
        ]
        for base, of in (("bare's", "bare"), ("bare's with its collector spared, too", "bare_spared"))
        for what, name in (
            ("metrics", "ours"),
            ("all three signals, a tenth sampled", "ours_all_signals_tenth"),
            ("all three signals, all sampled", "ours_all_signals"),
        )
    ]
    spans = _share(traces, over_bare("ours_sampled", TRIVIAL), over_bare("contrib_traces", TRIVIAL)).format(1)
    rows.append([f"a sampled request, of {NAMES['contrib_traces']}'s CPU over bare", spans, ""])
    line = estimate(lines, cost_of("ours", "us")).format(1)
    warm, cold = (estimate(metrics, over_bare("ours_requests", route)).format(1) for route in (TRIVIAL, COLD))
    text = (
        f"A log line of ours, redacted: {line} µs. Every library costs more on the database route than on the trivial "
        "one: a request that has been through the database finds the processor's caches cold. Ours costs "
        f"{warm} µs on the trivial route, and {cold} µs on the same route when 16 MiB are copied before each request."
    )
    return [
        "## In short",
        _table(["ours, percent", "trivial route", "database route"], rows),
        text,
    ]


def _served(rounds: Rounds, name: str, route: str, base: str = "bare") -> Estimate:
    return Estimate(*(100 * value for value in estimate(rounds, times_bare(name, route, "per_second", base))))


def _part(part: str, title: str, describe: Callable[[str, Rounds], list[str]]) -> list[str]:
    kept = runs.read(part)
    if kept is None:
        return [f"## {title}", "Not measured yet."]
    machine = kept["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    pieces = "; ".join(
        f"{piece['rounds']} on {piece['date']} in {piece['seconds']} s, load average {piece['load_before']} before, "
        f"{piece['load_after']} after"
        for piece in kept["pieces"]
        if "rounds" in piece
    )
    where = (
        f"{len(kept['rounds'])} rounds of fresh processes: {pieces}. {machine['cpu']}, {machine['memory']}, "
        f"{machine['system']}. {versions}."
    )
    return [f"## {title}", *describe(part, kept["rounds"]), f"<sub>{where}</sub>"]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _share(rounds: Rounds, above: Statistic, below: Statistic) -> Estimate:
    found = estimate(rounds, quotient(above, below))
    return Estimate(*(100 * value for value in found))


def _in_process(part: str, rounds: Rounds, names: Sequence[str], routes: Sequence[str]) -> list[str]:
    result = []
    for route in routes:
        rows, bars = [], {}
        for name in names:
            over = estimate(rounds, over_bare(name, route))
            whole = estimate(rounds, cost_of(name, route)).format(1)
            rows.append([NAMES[name], whole, "" if name == "bare" else over.format(1)])
            if name != "bare":
                bars[_LABELS[name]] = over
        result.append(f"The {_ROUTES[route]}; µs of CPU per request, median and its 95 % interval:")
        note = " (ours: over bare, its collector spared)" if "bare_spared" in names else ""
        result.append(_table(["", "in all", f"over bare{note}"], rows))
        plots.bars(f"{part}-{route}", bars, f"µs of CPU per request over bare FastAPI, {_ROUTES[route]}")
        result.append(f"![](plots/{part}-{route}.svg)")
    return result


def _metrics_in_process(part: str, rounds: Rounds) -> list[str]:
    names = list(NAMES)
    present = sorted(rounds[0], key=names.index)
    result = _in_process(part, rounds, present, list(_ROUTES))
    shares = [
        [
            f"of {NAMES[other]}",
            *(_share(rounds, over_bare("ours_requests", r), over_bare(other, r)).format(1) for r in _ROUTES),
        ]
        for other in ("instrumentator", "starlette_exporter", "contrib_metrics", "native_metrics")
    ]
    text = (
        "What ours costs, as percent of what another costs (like for like: requests alone). Ours is taken over the "
        "bare application whose collector is spared as ours spares it. Below zero: what it costs is less than what one "
        "process differs from another by where its memory happens to lie."
    )
    result.insert(0, text)
    result.insert(1, _table(["", *_ROUTES.values()], shares))
    return result


def _over_http(part: str, rounds: Rounds) -> list[str]:
    text = (
        "All servers of a round run at the same time and take turns; shares are the medians of the rounds' quotients. "
        "Where the machine is the limit and not the server alone (the database and the client run beside it), "
        "throughput falls by less than the server's CPU time grows. Ours spares Python's garbage collector walks that "
        "find nothing (`gc.freeze` and a higher threshold: `observability/lifecycle.py`), which pays for much of what "
        "it does; *spared* is the bare application with the same done to it."
    )
    result = [text]
    for route in (QUERY, TRIVIAL):
        rows, bars = [], {}
        for name in sorted(rounds[0], key=list(NAMES).index):
            share = _served(rounds, name, route)
            dearer = estimate(rounds, times_bare(name, route, "cpu_us"))
            rows.append(
                [
                    NAMES[name],
                    estimate(rounds, cost_of(name, route, "per_second")).format(0),
                    "" if name == "bare" else share.format(1),
                    _served(rounds, name, route, "bare_spared").format(1) if name.startswith("ours") else "",
                    estimate(rounds, cost_of(name, route, "cpu_us")).format(0),
                    "" if name == "bare" else dearer.format(3),
                ]
            )
            if name != "bare":
                bars[_LABELS[name]] = share
        result.append(f"The {_ROUTES[route]}:")
        result.append(
            _table(
                [
                    *("", "requests a second", "% of bare", "% of bare, spared"),
                    *("server's CPU, µs per request", "times bare's"),
                ],
                rows,
            )
        )
        plots.bars(f"{part}-{route}", bars, f"throughput, % of bare FastAPI, {_ROUTES[route]}", line=100)
        result.append(f"![](plots/{part}-{route}.svg)")
    return result


def _scrapes(part: str, rounds: Rounds) -> list[str]:
    rows: list[list[str]] = []
    lines: dict[str, list[tuple[float, Estimate]]] = {}
    for case in sorted(rounds[0], key=lambda case: (list(NAMES).index(case.split()[0]), int(case.split()[1]))):
        way, routes = case.split()
        cost = estimate(rounds, cost_of(case, "ms"))
        series = rounds[0][case]["series"]
        rows.append(
            [NAMES[way].split(":")[0], routes, f"{series:,}", cost.format(1), f"{1000 * cost.value / series:.1f}"]
        )
        lines.setdefault(_LABELS[way], []).append((series, cost))
    plots.lines(part, lines, "series of one scrape", "ms of CPU")
    head = ["", "routes asked", "series", "ms of CPU per scrape", "µs per series"]
    return [
        "Ours in OpenMetrics with exemplars, in a thread, so no request waits for all of it; the others as text.",
        _table(head, rows),
        f"![](plots/{part}.svg)",
    ]


def _lines(part: str, rounds: Rounds) -> list[str]:
    names = sorted(rounds[0], key=list(NAMES).index)
    costs = {name: estimate(rounds, cost_of(name, "us")) for name in names}
    plots.bars(part, {_LABELS[name]: cost for name, cost in costs.items()}, "µs of CPU per line, threads included")
    rows = [
        [
            NAMES[name] + (", redacting" if name == "ours" else ""),
            costs[name].format(1),
            "" if name == "ours" else _share(rounds, cost_of("ours", "us"), cost_of(name, "us")).format(0),
        ]
        for name in names
    ]
    rows[0][0] = "**ours**, redacting"
    return [_table(["", "µs per line", "ours, % of it"], rows), f"![](plots/{part}.svg)"]


def _traces_in_process(part: str, rounds: Rounds) -> list[str]:
    names = sorted(rounds[0], key=list(NAMES).index)
    spans = "; ".join(f"{_LABELS[name]}: {rounds[0][name]['spans']}" for name in names)
    shares = [
        [f"of {NAMES[other]}", _share(rounds, over_bare("ours_sampled", TRIVIAL), over_bare(other, TRIVIAL)).format(1)]
        for other in ("contrib_traces", "native_traces")
    ]
    return [
        "Ours has its metrics and exemplars on as well. What ours sampled costs, as percent of what another costs:",
        _table(["", "%"], shares),
        *_in_process(part, rounds, names, (TRIVIAL,)),
        f"Spans of a request, each seen to arrive in the receiver: {spans}.",
    ]
