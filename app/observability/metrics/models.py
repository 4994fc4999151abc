"""The typed metric models (pydantic), one subclass a kind."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Details(BaseModel):
    """What stands behind a metric's one value. Null is "cannot be known yet"."""

    model_config = ConfigDict(extra="forbid")


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


class CpuDetails(Details):
    """Shares of the last interval, percent of all cores."""

    user: float | None
    system: float | None
    idle: float | None
    total: float | None


class CpuUsage(BaseMetric):
    """Busy share of the machine's processors; value = total."""

    name: Literal["cpu_usage"] = "cpu_usage"
    unit: Literal["percent"] = "percent"
    details: CpuDetails


class MemoryDetails(Details):
    """Bytes; utilization in percent: what cannot be had without swapping, over the total."""

    total: int | None
    used: int | None
    free: int | None
    cached: int | None
    utilization: float | None


class MemoryUsage(BaseMetric):
    """Memory in use; value = used."""

    name: Literal["memory_usage"] = "memory_usage"
    unit: Literal["bytes"] = "bytes"
    details: MemoryDetails


class InterfaceTraffic(Details):
    """Of the last interval, per second."""

    rx_bytes: float | None
    tx_bytes: float | None
    rx_packets: float | None
    tx_packets: float | None


class NetworkTraffic(BaseMetric):
    """Received and sent over all interfaces but loopback; value = bytes of both."""

    name: Literal["network_traffic"] = "network_traffic"
    unit: Literal["bytes_per_second"] = "bytes_per_second"
    details: dict[str, InterfaceTraffic]


class InfrastructureSnapshot(Snapshot):
    """The machine as this process sees it. In a container node-exporter is the host's truth."""

    cpu: CpuUsage
    memory: MemoryUsage
    network: NetworkTraffic


class HttpDetails(Details):
    """success: below 400; error: 400 and above (499 too); rates in percent, times in milliseconds."""

    total: int
    success: int
    error: int
    success_rate: float | None
    average: float | None
    p95: float | None
    p99: float | None


class HttpRequests(BaseMetric):
    """Requests answered, without health and metrics routes and without what matches no route; value = total."""

    name: Literal["http_requests"] = "http_requests"
    unit: Literal["requests"] = "requests"
    details: HttpDetails


class DatabaseDetails(Details):
    """Connections in use and at most; times in milliseconds; utilization in percent."""

    connections: int
    maximum: int | None
    average_query: float | None
    slow_queries: int
    pool_utilization: float | None


class DatabaseMetric(BaseMetric):
    """The database as this process uses it; value = connections in use."""

    name: Literal["database"] = "database"
    unit: Literal["connections"] = "connections"
    details: DatabaseDetails


class CacheDetails(Details):
    """Rates in percent."""

    hits: int
    misses: int
    hit_rate: float | None
    evictions: int
    utilization: float | None


class CacheMetric(BaseMetric):
    """The caches of this process; value = hit rate."""

    name: Literal["cache"] = "cache"
    unit: Literal["percent"] = "percent"
    details: CacheDetails


class ApplicationSnapshot(Snapshot):
    """Requests, database and cache, computed from the instruments that Prometheus reads."""

    http: HttpRequests
    database: DatabaseMetric
    cache: CacheMetric
