"""The typed metric models (pydantic), one subclass a kind."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class BaseMetric(BaseModel):
    """A metric at a moment. A value that cannot be known yet is null, never made up."""

    model_config = ConfigDict(extra="forbid")

    name: str
    value: float | None
    unit: str
    timestamp: datetime = Field(default_factory=lambda: datetime.now(UTC))
    tags: dict[str, str] = Field(default_factory=dict)
    details: Any = None


class Snapshot(BaseModel):
    """What one dimension's endpoint answers. Subclass it with one field a metric."""

    scope: Literal["process"] = "process"
    note: str = "This process only. Prometheus adds up over replicas."
