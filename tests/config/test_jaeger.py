"""Jaeger's configuration, by Jaeger itself, and the promises in it."""

import json
from pathlib import Path
from typing import Any

import yaml
from tools import Tool

ROOT = Path(__file__).resolve().parents[2]
CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "jaeger/config.yaml").read_text(encoding="utf-8"))


def test_jaeger_loads_it(tool: Tool) -> None:
    done = tool("jaeger", "/cmd/jaeger/jaeger-linux", "validate", f"--config={ROOT}/jaeger/config.yaml")
    assert done.returncode == 0, done.stderr


def test_jaeger_refuses_a_wrong_one(tool: Tool, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    wrong = (ROOT / "jaeger/config.yaml").read_text().replace("decision_wait", "decision_wiat")
    (tmp_path / "config.yaml").write_text(wrong)
    done = tool("jaeger", "/cmd/jaeger/jaeger-linux", "validate", f"--config={tmp_path}/config.yaml", folder=tmp_path)
    assert done.returncode != 0
    assert "decision_wiat" in done.stderr


def test_requests_are_counted_before_traces_are_thinned_out() -> None:
    pipelines = CONFIG["service"]["pipelines"]
    counted = [name for name, pipeline in pipelines.items() if "spanmetrics" in pipeline["exporters"]]
    for name in counted:
        assert "tail_sampling" not in pipelines[name]["processors"]
    for name in (name for name in pipelines if name.startswith("traces/")):
        if "otlp" in pipelines[name]["receivers"]:
            assert pipelines[name]["processors"][0] == "memory_limiter"


def test_every_error_and_every_slow_trace_is_kept() -> None:
    policies = {policy["type"]: policy for policy in CONFIG["processors"]["tail_sampling"]["policies"]}
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


def test_the_uis_links_lead_to_the_data_view() -> None:
    ui = json.loads((ROOT / "jaeger/ui.json").read_text(encoding="utf-8"))
    to_logs = next(link for link in ui["linkPatterns"] if link["type"] == "traces")
    assert "dataViewId:ecommerce-logs" in to_logs["url"]
    assert "#{traceID}" in to_logs["url"]
