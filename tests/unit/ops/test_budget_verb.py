"""What is shown of memory and processor."""

import json
import subprocess

import pytest

from ops import budget
from ops.compose import Container


def container(name: str, service: str, state: str = "running") -> Container:
    return Container(name, service, state, "healthy", 0)


FOUND = [
    container("x-app-1", "app"),
    container("x-app-2", "app"),
    container("x-elasticsearch-1", "elasticsearch"),
    container("x-kibana-1", "kibana"),
    container("x-init-1", "init", "exited"),
]
ROWS = [
    {"Name": "x-app-1", "MemUsage": "350MiB / 384MiB", "CPUPerc": "5.50%"},
    {"Name": "x-app-2", "MemUsage": "28MiB / 384MiB", "CPUPerc": "0.50%"},
    {"Name": "x-elasticsearch-1", "MemUsage": "896MiB / 1.125GiB", "CPUPerc": "20.00%"},
    {"Name": "x-kibana-1", "MemUsage": "-- / --", "CPUPerc": "0.00%"},
]


MIB = 2**20
STATS = {
    "x-app-1": f"cache 9\nrss 7\ntotal_rss {90 * MIB}\ntotal_shmem {2 * MIB}\ntotal_active_file 999\n{8 * MIB}\n",
    "x-elasticsearch-1": (
        f"anon {800 * MIB}\nfile 999\nshmem {10 * MIB}\nkernel_stack {MIB}\npagetables {3 * MIB}\n"
        f"slab_reclaimable 999\nslab_unreclaimable {2 * MIB}\n"
    ),
}


@pytest.fixture
def usages(monkeypatch: pytest.MonkeyPatch) -> list[budget.Usage]:
    asked = []

    def run(args: list[str]) -> "subprocess.CompletedProcess[str]":
        if args[1] == "exec":  # a version 1 in one container, a version 2 in another, nothing in the rest
            return subprocess.CompletedProcess(args, 1, STATS.get(args[2], ""), "cat: no such file")
        asked.append(args)
        return subprocess.CompletedProcess(args, 0, "\n".join(json.dumps(row) for row in ROWS), "")

    monkeypatch.setattr(budget, "run", run)
    found = budget.of(FOUND)
    assert "x-init-1" not in asked[0]
    return found


@pytest.mark.parametrize(
    ("text", "size"), [("115.2MiB", 115.2 * 2**20), ("1.5GiB ", 1.5 * 2**30), (" 812B", 812), ("0B", 0), ("--", 0)]
)
def test_sizes(text: str, size: float) -> None:
    assert budget.size(text) == size


def test_replicas_are_added_up_and_the_largest_comes_first(usages: list[budget.Usage]) -> None:
    assert [usage.service for usage in usages] == ["elasticsearch", "app", "kibana"]
    # the second one could not be asked: Docker's own figure
    assert usages[1] == budget.Usage("app", (100 + 28) * MIB, 768 * MIB, 6.0)
    assert usages[0].bytes == 816 * MIB, "neither version's page cache counts"


def test_the_budget_is_that_of_the_light_stack() -> None:
    heavy = [budget.Usage(name, 2**30, 2**30, 0) for name in ("kibana", "kibana-setup", "logstash")]
    assert budget.light([*heavy, budget.Usage("app", 5, 10, 0)]) == 5


def test_the_report(usages: list[budget.Usage]) -> None:
    first, *_, everything, counted = budget.table(usages)
    assert first.split() == ["service", "memory", "limit", "CPU"]
    assert everything.split() == ["all", "944", "MiB", "26.0", "%"]
    assert counted == "without Kibana and Logstash: 944 of 2048 MiB"


def test_nothing_runs_nothing_is_asked() -> None:
    assert budget.of([container("x-init-1", "init", "exited")]) == []
