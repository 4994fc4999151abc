"""Jaeger's configuration, by Jaeger itself, and the promises in it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import Tool

ROOT = Path(__file__).resolve().parents[2]
JAEGER = "/cmd/jaeger/jaeger-linux"
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "jaeger/config.yaml").read_text(encoding="utf-8"))
SAMPLING: dict[str, Any] = yaml.safe_load((ROOT / "jaeger/tail-sampling.yaml").read_text(encoding="utf-8"))


SPLIT = ("collector", "ingester", "query")
TOGETHER = [
    ("config",),
    ("config", "tail-sampling"),
    ("split/collector",),
    ("split/ingester",),
    ("split/ingester", "tail-sampling"),
    ("split/query",),
]


@pytest.mark.parametrize("files", TOGETHER, ids="+".join)
def test_jaeger_loads_it(tool: Tool, files: tuple[str, ...]) -> None:
    configs = [f"--config={ROOT}/jaeger/{file}.yaml" for file in files]
    done = tool("jaeger", JAEGER, "validate", *configs, flags=["--env=TRACES_KEPT_PERCENT=1"])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [
        ("config", "metrics_flush_interval", "metrics_flush_intervall"),
        ("tail-sampling", "decision_wait", "decision_wiat"),
    ],
)
def test_jaeger_refuses_a_wrong_one(tool: Tool, tmp_path: Path, file: str, right: str, wrong: str) -> None:
    tmp_path.chmod(0o755)
    for name in ("config", "tail-sampling"):
        text = (ROOT / f"jaeger/{name}.yaml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.yaml").write_text(text.replace(right, wrong) if name == file else text)
    configs = [f"--config={tmp_path}/{name}.yaml" for name in ("config", "tail-sampling")]
    done = tool("jaeger", JAEGER, "validate", *configs, folder=tmp_path, flags=["--env=TRACES_KEPT_PERCENT=1"])
    assert done.returncode != 0
    assert wrong in done.stderr


@pytest.mark.parametrize("percent", ["101", "100.5", "-1", "1e1", "many", "1.2.3", "."])
def test_a_wrong_share_is_one_clear_line(tool: Tool, percent: str) -> None:
    done = tool("jaeger", "sh", f"{ROOT}/jaeger/start.sh", flags=[f"--env=TRACES_KEPT_PERCENT={percent}"])
    assert done.returncode == 2
    assert done.stderr == f"jaeger: TRACES_KEPT_PERCENT: must be a number from 0 to 100, but it is '{percent}'\n"


def test_requests_are_counted_before_traces_are_thinned_out() -> None:
    pipelines = CONFIG["service"]["pipelines"]
    assert set(SAMPLING["service"]["pipelines"]) == {"traces/store"}
    assert SAMPLING["service"]["pipelines"]["traces/store"]["processors"][0] == "tail_sampling"
    counting = [name for name, pipeline in pipelines.items() if "spanmetrics" in pipeline["exporters"]]
    assert counting == ["traces/in"]
    assert pipelines["traces/in"]["processors"] == ["memory_limiter"]


def test_every_error_and_every_slow_trace_is_kept() -> None:
    policies = {policy["type"]: policy for policy in SAMPLING["processors"]["tail_sampling"]["policies"]}
    assert policies["status_code"]["status_code"]["status_codes"] == ["ERROR"]
    assert "latency" in policies


def test_it_listens_beyond_its_own_container() -> None:
    receivers = CONFIG["receivers"]
    endpoints = [
        receivers["otlp"]["protocols"]["grpc"]["endpoint"],
        receivers["otlp"]["protocols"]["http"]["endpoint"],
        receivers["jaeger"]["protocols"]["thrift_http"]["endpoint"],
        CONFIG["exporters"]["prometheus"]["endpoint"],
        CONFIG["extensions"]["healthcheckv2"]["http"]["endpoint"],
    ]
    assert endpoints == [f"0.0.0.0:{port}" for port in (4317, 4318, 14268, 8889, 13133)]


def test_one_node_gets_one_shard_a_day_and_no_replica() -> None:
    """The product's default of 5 shards and 1 replica leaves a single node yellow, with ten shards more each day."""
    indices = CONFIG["extensions"]["jaeger_storage"]["backends"]["elasticsearch"]["elasticsearch"]["indices"]
    assert set(indices) == {"spans", "services", "dependencies", "sampling"}
    for name, index in indices.items():
        assert (index["shards"], index["replicas"], index["rollover_frequency"]) == (1, 0, "day"), name


def test_jaeger_in_parts_does_what_the_one_did() -> None:
    parts = {name: yaml.safe_load((ROOT / f"jaeger/split/{name}.yaml").read_text()) for name in SPLIT}
    assert parts["collector"]["connectors"]["spanmetrics"] == CONFIG["connectors"]["spanmetrics"]
    assert parts["collector"]["receivers"] == CONFIG["receivers"]
    sent, read = parts["collector"]["exporters"]["kafka"], parts["ingester"]["receivers"]["kafka"]
    assert (sent["traces"], sent["brokers"]) == (read["traces"], read["brokers"])
    assert sent["partition_traces_by_id"]
    one = CONFIG["extensions"]["jaeger_storage"]["backends"]["elasticsearch"]["elasticsearch"]
    indices = []
    for name in ("ingester", "query"):
        storage = parts[name]["extensions"]["jaeger_storage"]["backends"]["elasticsearch"]["elasticsearch"]
        assert (storage["auth"], storage["version"]) == (one["auth"], one["version"])
        indices.append(storage["indices"])
    assert indices[0] == indices[1]
