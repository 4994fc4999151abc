"""OTEL_*, checked before the SDK reads it: the SDK itself takes a wrong value for the default, with a warning."""

from typing import Annotated, Literal, Self

from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from pydantic import AnyUrl, BeforeValidator, Field, FilePath, SecretStr, field_validator, model_validator

from observability.settings import Settings

_Endpoint = AnyUrl | None
_Seconds = Annotated[float, Field(gt=0)]
_Limit = Annotated[int, Field(ge=0)] | None
_Flag = Annotated[
    Literal["true", "false"] | None, BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value)
]
"""As the specification has it: the SDK takes 1, yes and a slip of the pen for false, which here would mean TLS."""
Sampler = Literal[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]


class TraceSettings(Settings):
    """The variables of the OpenTelemetry specification that this library supports."""

    otel_sdk_disabled: bool = False
    otel_traces_exporter: Literal["otlp", "console", "none"] = "otlp"
    otel_exporter_otlp_endpoint: _Endpoint = None
    otel_exporter_otlp_traces_endpoint: _Endpoint = None
    # grpc is the one exporter that is installed.
    otel_exporter_otlp_protocol: Literal["grpc"] = "grpc"
    otel_exporter_otlp_traces_protocol: Literal["grpc"] = "grpc"
    otel_exporter_otlp_timeout: _Seconds = 10
    otel_exporter_otlp_traces_timeout: _Seconds = 10
    otel_exporter_otlp_compression: Literal["none", "gzip", "deflate"] | None = None
    otel_exporter_otlp_traces_compression: Literal["none", "gzip", "deflate"] | None = None
    otel_exporter_otlp_certificate: FilePath | None = None
    otel_exporter_otlp_traces_certificate: FilePath | None = None
    otel_exporter_otlp_client_key: FilePath | None = None
    otel_exporter_otlp_traces_client_key: FilePath | None = None
    otel_exporter_otlp_client_certificate: FilePath | None = None
    otel_exporter_otlp_traces_client_certificate: FilePath | None = None
    otel_exporter_otlp_insecure: _Flag = None
    otel_exporter_otlp_traces_insecure: _Flag = None
    # how a vendor's endpoint is told who sends
    otel_exporter_otlp_headers: SecretStr | None = None
    otel_exporter_otlp_traces_headers: SecretStr | None = None
    otel_traces_sampler: Sampler = "parentbased_always_on"
    otel_traces_sampler_arg: Annotated[float, Field(ge=0, le=1)] = 1.0
    otel_propagators: str = "tracecontext,baggage"
    otel_resource_attributes: str = ""
    otel_service_name: str | None = None
    otel_bsp_max_queue_size: Annotated[int, Field(ge=1)] = 2048
    otel_bsp_max_export_batch_size: Annotated[int, Field(ge=1)] = 512
    otel_bsp_schedule_delay: Annotated[int, Field(ge=1, description="Milliseconds.")] = 5000
    otel_bsp_export_timeout: Annotated[int, Field(ge=1, description="Milliseconds.")] = 30_000

    otel_attribute_value_length_limit: _Limit = None
    otel_attribute_count_limit: _Limit = None
    otel_span_attribute_value_length_limit: _Limit = None
    otel_span_attribute_count_limit: _Limit = None
    otel_span_event_count_limit: _Limit = None
    otel_span_link_count_limit: _Limit = None
    otel_event_attribute_count_limit: _Limit = None
    otel_link_attribute_count_limit: _Limit = None

    @field_validator("otel_exporter_otlp_endpoint", "otel_exporter_otlp_traces_endpoint")
    @classmethod
    def _http(cls, value: _Endpoint) -> _Endpoint:
        if value is not None and value.scheme not in {"http", "https"}:
            raise ValueError("must start with http:// or https://")
        return value

    @field_validator("otel_resource_attributes", "otel_exporter_otlp_headers", "otel_exporter_otlp_traces_headers")
    @classmethod
    def _pairs(cls, value: str | SecretStr | None) -> str | SecretStr | None:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value or ""
        if any(part.strip() and "=" not in part for part in text.split(",")):
            raise ValueError("must be key=value pairs, separated by commas")
        return value

    @field_validator("otel_propagators")
    @classmethod
    def _known(cls, value: str) -> str:
        if not {part.strip() for part in value.split(",")} <= {"tracecontext", "baggage", "none"}:
            raise ValueError("must be some of tracecontext, baggage (or none)")
        return value

    @model_validator(mode="after")
    def _batch_fits(self) -> Self:
        if self.otel_bsp_max_export_batch_size > self.otel_bsp_max_queue_size:
            raise ValueError(
                "OTEL_BSP_MAX_EXPORT_BATCH_SIZE: must not be more than OTEL_BSP_MAX_QUEUE_SIZE "
                f"({self.otel_bsp_max_queue_size}), but it is {self.otel_bsp_max_export_batch_size}"
            )
        return self

    @property
    def wanted(self) -> bool:
        """Whether spans go anywhere at all."""
        if self.otel_sdk_disabled or self.otel_traces_exporter == "none":
            return False
        endpoint = self.otel_exporter_otlp_traces_endpoint or self.otel_exporter_otlp_endpoint
        return self.otel_traces_exporter == "console" or endpoint is not None

    @property
    def limited(self) -> bool:
        """Whether a limit of spans is other than the specification's default."""
        return any(value is not None for name, value in self if name.endswith("_limit"))

    @property
    def sampling(self) -> tuple[bool, int]:
        """Whether a parent decides, and how many of 2^64 trace ids are sampled where none does."""
        kind = self.otel_traces_sampler.removeprefix("parentbased_")
        share = {"always_on": 1.0, "always_off": 0.0}.get(kind, self.otel_traces_sampler_arg)
        return kind != self.otel_traces_sampler, TraceIdRatioBased.get_bound_for_rate(share)
