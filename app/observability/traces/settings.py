"""OTEL_*, checked before the SDK reads it: the SDK itself takes a wrong value for the default, with a warning."""

from typing import Annotated, Literal, Self

from pydantic import AnyUrl, Field, field_validator, model_validator

from observability.settings import Settings

_Endpoint = AnyUrl | None
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
    otel_traces_sampler: Sampler = "parentbased_always_on"
    otel_traces_sampler_arg: Annotated[float, Field(ge=0, le=1)] = 1.0
    otel_propagators: str = "tracecontext,baggage"
    otel_resource_attributes: str = ""
    otel_service_name: str | None = None
    otel_bsp_max_queue_size: Annotated[int, Field(ge=1)] = 2048
    otel_bsp_max_export_batch_size: Annotated[int, Field(ge=1)] = 512
    otel_bsp_schedule_delay: Annotated[int, Field(ge=1, description="Milliseconds.")] = 5000

    @field_validator("otel_exporter_otlp_endpoint", "otel_exporter_otlp_traces_endpoint")
    @classmethod
    def _http(cls, value: _Endpoint) -> _Endpoint:
        if value is not None and value.scheme not in {"http", "https"}:
            raise ValueError("must start with http:// or https://")
        return value

    @field_validator("otel_resource_attributes")
    @classmethod
    def _pairs(cls, value: str) -> str:
        if any(part.strip() and "=" not in part for part in value.split(",")):
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
