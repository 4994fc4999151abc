"""Set the SDK up as OTEL_* says, through opentelemetry-distro."""

import logging
import os
import socket
from collections.abc import Callable

from opentelemetry import propagate, trace
from opentelemetry.distro import OpenTelemetryConfigurator, OpenTelemetryDistro
from opentelemetry.sdk.environment_variables import OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from observability.settings import read_settings
from observability.spans import LightTracer
from observability.traces import client
from observability.traces.processor import CountingProcessor
from observability.traces.settings import TraceSettings
from observability.traces.state import state

_DEFAULTS = {
    # The distro would send all three signals over OTLP; metrics are Prometheus's and logs are files here.
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "false",
    # The contrib packages still emit the names from before 2023 unless told so.
    "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
}


def configure(service: str, version: str | None = None) -> None:
    """Set the SDK up from OTEL_*; off when OTEL_SDK_DISABLED is true or no OTLP endpoint is set.

    What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes before `service` and `version`.
    """
    settings = read_settings(TraceSettings)
    if not settings.wanted or state.on:
        return
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("OTEL_SERVICE_NAME", service)
    for name in ("otel_exporter_otlp_headers", "otel_exporter_otlp_traces_headers"):
        if headers := getattr(settings, name):  # they may have come from a file, which the SDK does not read
            os.environ[name.upper()] = headers.get_secret_value()
    ours = not isinstance(trace.get_tracer_provider(), TracerProvider)
    if ours:
        OpenTelemetryDistro().configure()
        OpenTelemetryConfigurator().configure(  # type: ignore[no-untyped-call]  # the distro has no annotations
            resource_attributes=_resource(settings, version),
            export_span_processor=CountingProcessor,
        )
    client.instrument()
    state.propagation_headers = frozenset(name.encode() for name in propagate.get_global_textmap().fields)
    state.start_span = _start_span(settings) if ours else trace.get_tracer("observability").start_span
    state.on = True
    logging.getLogger("opentelemetry").setLevel(logging.WARNING)


def _start_span(settings: TraceSettings) -> Callable[..., trace.Span]:
    """Return what starts spans: light ones, unless something is set up that only the SDK's own know."""
    tracer, provider = trace.get_tracer("observability"), trace.get_tracer_provider()
    if (
        not isinstance(tracer, Tracer)
        or not isinstance(provider, TracerProvider)
        or settings.limited
        or type(provider.id_generator) is not RandomIdGenerator
        or os.environ.get(OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED)
    ):
        return tracer.start_span
    processors = tracer.span_processor._span_processors  # noqa: SLF001 - it has no public name
    if len(processors) != 1 or type(processors[0]) is not CountingProcessor:
        return tracer.start_span
    encoder, take = processors[0].encoder, None
    if encoder is not None:
        encoder.tracer, take = tracer, processors[0].take
    parent_based, bound = settings.sampling
    return LightTracer(tracer, parent_based=parent_based, bound=bound, take=take).start_span


def shutdown(timeout: float) -> None:
    """Flush the spans for about `timeout` seconds at most; after that no span is made."""
    if not state.on:
        return
    state.on = False
    CountingProcessor.flush_seconds = timeout
    client.uninstrument()
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.shutdown()


def _resource(settings: TraceSettings, version: str | None) -> dict[str, str]:
    attributes = {"service.instance.id": f"{socket.gethostname()}-{os.getpid()}"}
    if version is not None:
        attributes["service.version"] = version
    # The SDK would let these win over the environment.
    given = {pair.split("=")[0].strip() for pair in settings.otel_resource_attributes.split(",")}
    return {name: value for name, value in attributes.items() if name not in given}
