from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk import environment_variables
from pydantic import Field, SecretStr

from observability.faults import FaultSettings
from observability.settings import LogSettings, Settings, read_settings
from observability.traces.settings import TraceSettings

# The SDK's variables of other signals, and of Python's SDK alone, which the specification does not know.
NOT_OF_TRACES = ("METRIC", "LOG", "BLRP", "PROMETHEUS", "ZIPKIN", "PYTHON", "EXPERIMENTAL", "CONFIG_FILE")
ROOT = Path(__file__).resolve().parents[3]


class Example(Settings):
    example_port: int = Field(3000, gt=0)
    example_token: SecretStr | None = None
    example_key: SecretStr


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_KEY", "k")


def test_a_secret_is_read_from_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    monkeypatch.setenv("EXAMPLE_TOKEN_FILE", str(tmp_path / "token"))
    token = read_settings(Example).example_token
    assert token
    assert token.get_secret_value() == "from-file"
    assert "from-file" not in repr(read_settings(Example))


@pytest.mark.parametrize(
    ("environment", "cls", "expected"),
    [
        ({"EXAMPLE_PORT": "http"}, Example, "EXAMPLE_PORT: Input should be a valid integer"),
        ({"EXAMPLE_PORT": "-1"}, Example, "EXAMPLE_PORT: Input should be greater than 0, but it is '-1'"),
        ({"EXAMPLE_KEY": ""}, Example, "EXAMPLE_KEY: not set; set it (or EXAMPLE_KEY_FILE)"),
        ({"EXAMPLE_TOKEN_FILE": "/nowhere"}, Example, "EXAMPLE_TOKEN_FILE: cannot read /nowhere: No such file"),
        ({"LOG_LEVEL": "LOUD"}, LogSettings, "LOG_LEVEL: Input should be 'ERROR', 'WARN', 'INFO' or 'DEBUG'"),
        ({"FAULTS_ENABLED": "true"}, FaultSettings, "FAULTS_TOKEN: not set, but FAULTS_ENABLED is true"),
        ({"OTEL_TRACES_SAMPLER": "sometimes"}, TraceSettings, "OTEL_TRACES_SAMPLER: Input should be 'always_on'"),
        (
            {"OTEL_TRACES_SAMPLER_ARG": "1.5"},
            TraceSettings,
            "OTEL_TRACES_SAMPLER_ARG: Input should be less than or equal",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "jaeger:4317"}, TraceSettings, "OTEL_EXPORTER_OTLP_ENDPOINT: "),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, TraceSettings, "OTEL_EXPORTER_OTLP_PROTOCOL: "),
        ({"OTEL_RESOURCE_ATTRIBUTES": "a"}, TraceSettings, "OTEL_RESOURCE_ATTRIBUTES: must be key=value pairs"),
        ({"OTEL_PROPAGATORS": "b3"}, TraceSettings, "OTEL_PROPAGATORS: must be some of tracecontext"),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, TraceSettings, "OTEL_EXPORTER_OTLP_TIMEOUT: Input should be a valid"),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "zip"}, TraceSettings, "OTEL_EXPORTER_OTLP_COMPRESSION: Input should be"),
        (
            {"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere"},
            TraceSettings,
            "OTEL_EXPORTER_OTLP_CERTIFICATE: Path does not",
        ),
        (
            {"OTEL_EXPORTER_OTLP_HEADERS": "secret"},
            TraceSettings,
            "OTEL_EXPORTER_OTLP_HEADERS: must be key=value pairs",
        ),
        ({"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "a"}, TraceSettings, "OTEL_EXPORTER_OTLP_TRACES_HEADERS: must be key"),
        ({"OTEL_EXPORTER_OTLP_INSECURE": "yes"}, TraceSettings, "OTEL_EXPORTER_OTLP_INSECURE: Input should be 'true'"),
        ({"OTEL_EXPORTER_OTLP_CLIENT_KEY": "/nowhere"}, TraceSettings, "OTEL_EXPORTER_OTLP_CLIENT_KEY: Path does not"),
        ({"OTEL_BSP_EXPORT_TIMEOUT": "30s"}, TraceSettings, "OTEL_BSP_EXPORT_TIMEOUT: Input should be a valid"),
        ({"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": "-1"}, TraceSettings, "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT: Input should be"),
        ({"OTEL_SPAN_EVENT_COUNT_LIMIT": "few"}, TraceSettings, "OTEL_SPAN_EVENT_COUNT_LIMIT: Input should be a valid"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "10"}, TraceSettings, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE: must not be more than"),
    ],
)
def test_a_wrong_value_is_one_clear_line_and_exit_code_2(
    environment: dict[str, str],
    cls: type[Settings],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        read_settings(cls)
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith(expected)
    assert message.count("\n") == 1


def test_two_wrong_values_are_two_lines_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXAMPLE_PORT", "x")
    monkeypatch.setenv("LOG_LEVEL", "x")

    class Both(Example, LogSettings):
        example_key: SecretStr = Field(min_length=20)

    monkeypatch.setenv("EXAMPLE_KEY", "too-short-secret")
    with pytest.raises(SystemExit):
        read_settings(Both)
    message = capsys.readouterr().err
    assert message.count("\n") == 3
    assert "too-short-secret" not in message


@pytest.mark.parametrize("service", ["shop", "payments_gateway", "notifier"])
@pytest.mark.parametrize(("name", "value"), [("OTEL_TRACES_SAMPLER", "sometimes"), ("LOG_LEVEL", "LOUD")])
def test_a_service_with_a_wrong_value_does_not_start(tmp_path: Path, service: str, name: str, value: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "app"), "WEBHOOK_TOKEN": "t" * 32, name: value}
    done = subprocess.run(
        [sys.executable, "-m", service],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"{name}: Input should be ")
    assert done.stderr.count("\n") == 1


def test_no_variable_of_traces_that_the_sdk_reads_goes_unchecked() -> None:
    names = {name for name in vars(environment_variables) if name.startswith("OTEL_")}
    of_traces = {name for name in names if not any(word in name for word in NOT_OF_TRACES)}
    assert of_traces - {name.upper() for name in TraceSettings.model_fields} == set()
    assert len(of_traces) > 20
