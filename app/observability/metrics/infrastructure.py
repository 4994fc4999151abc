"""Readings of the machine (psutil), sampled on a clock of their own; gauges and snapshot share one reading."""

import os
import socket
import time
from typing import NamedTuple

import psutil
from prometheus_client import Gauge

from observability.metrics.clock import Clock
from observability.metrics.models import (
    CpuDetails,
    CpuUsage,
    InfrastructureSnapshot,
    InterfaceTraffic,
    MemoryDetails,
    MemoryUsage,
    NetworkTraffic,
)
from observability.metrics.reading import total

_SECONDS = 5.0
_NOTE = "The machine as this process sees it; in a container node-exporter is the host's truth."

cpu = Gauge("cpu_usage_percent", f"Share of all cores in the last interval, by mode. {_NOTE}", ["mode"])
memory = Gauge("memory_usage_bytes", f"Memory by kind: total, used, free, cached. {_NOTE}", ["kind"])
memory_utilization = Gauge("memory_utilization_percent", f"Memory that cannot be had without swapping. {_NOTE}")
traffic = Gauge(
    "network_traffic_bytes_per_second", f"Bytes per second in the last interval. {_NOTE}", ["interface", "direction"]
)
packets = Gauge(
    "network_traffic_packets_per_second",
    f"Packets per second in the last interval. {_NOTE}",
    ["interface", "direction"],
)


class _Counted(NamedTuple):
    """What only means something as a difference."""

    at: float
    cpu: dict[str, float]
    network: dict[str, InterfaceTraffic]


class Sampler:
    """Reads the machine every 5 seconds."""

    def __init__(self) -> None:
        self._clock = Clock("infrastructure-sampler", _SECONDS, self.sample)
        self._before: _Counted | None = None

    def start(self) -> None:
        """Start sampling."""
        self._clock.start()

    def stop(self) -> None:
        """Stop sampling."""
        self._clock.stop()

    def sample(self) -> None:
        """Read once and set the gauges. Rates are there from the second reading on."""
        now = _read()
        before, self._before = self._before, now
        if before is not None and now.at > before.at:
            self._rates(before, now)
        state = psutil.virtual_memory()
        cached = getattr(state, "cached", None)  # Linux and BSD
        for kind, size in {"total": state.total, "used": state.used, "free": state.free, "cached": cached}.items():
            if size is not None:
                memory.labels(kind).set(size)
        memory_utilization.set(state.percent)

    def _rates(self, before: _Counted, now: _Counted) -> None:
        spent = {mode: now.cpu[mode] - before.cpu[mode] for mode in now.cpu}
        whole = sum(spent.values())
        if whole > 0:
            share = {mode: max(0.0, 100 * seconds / whole) for mode, seconds in spent.items()}
            idle = share.get("idle", 0.0) + share.get("iowait", 0.0)
            for mode, value in {
                "user": share.get("user", 0.0) + share.get("nice", 0.0),
                "system": share.get("system", 0.0),
                "idle": idle,
                "total": 100 - idle,
            }.items():
                cpu.labels(mode).set(round(value, 3))
        seconds = now.at - before.at
        for name in now.network.keys() & before.network.keys():
            for direction in ("rx", "tx"):
                for gauge, unit in ((traffic, "bytes"), (packets, "packets")):
                    field = f"{direction}_{unit}"
                    difference = getattr(now.network[name], field) - getattr(before.network[name], field)
                    gauge.labels(name, direction).set(
                        max(0.0, round(difference / seconds, 3))
                    )  # below 0: counter reset
        for name in before.network.keys() - now.network.keys():  # the interface is gone
            for direction in ("rx", "tx"):
                traffic.remove(name, direction)
                packets.remove(name, direction)


def snapshot() -> InfrastructureSnapshot:
    """Return the last reading."""
    modes = _values(cpu, "mode")
    kinds = _values(memory, "kind")
    utilization = total(memory_utilization) if kinds else None
    received, sent = _by_interface(traffic), _by_interface(packets)
    interfaces = {
        name: InterfaceTraffic(
            rx_bytes=received[name].get("rx"),
            tx_bytes=received[name].get("tx"),
            rx_packets=sent.get(name, {}).get("rx"),
            tx_packets=sent.get(name, {}).get("tx"),
        )
        for name in received
    }
    moved = [
        value
        for name, item in interfaces.items()
        if name != "lo"
        for value in (item.rx_bytes, item.tx_bytes)
        if value is not None
    ]
    tags = {"host": socket.gethostname(), "region": os.environ.get("REGION", "local")}
    return InfrastructureSnapshot(
        note=_NOTE,
        cpu=CpuUsage(
            value=modes.get("total"),
            tags=tags,
            details=CpuDetails(**{mode: modes.get(mode) for mode in CpuDetails.model_fields}),
        ),
        memory=MemoryUsage(
            value=kinds.get("used"),
            tags=tags,
            details=MemoryDetails(
                utilization=utilization,
                **{kind: int(kinds[kind]) if kind in kinds else None for kind in ("total", "used", "free", "cached")},
            ),
        ),
        network=NetworkTraffic(value=sum(moved) if moved else None, tags=tags, details=interfaces),
    )


def _read() -> _Counted:
    network = {
        name: InterfaceTraffic(
            rx_bytes=io.bytes_recv, tx_bytes=io.bytes_sent, rx_packets=io.packets_recv, tx_packets=io.packets_sent
        )
        for name, io in psutil.net_io_counters(pernic=True).items()
    }
    times = psutil.cpu_times()._asdict()
    for included in ("guest", "guest_nice"):  # Linux counts them in user and nice already
        times.pop(included, None)
    return _Counted(time.monotonic(), times, network)


def _values(gauge: Gauge, label: str) -> dict[str, float]:
    return {sample.labels[label]: sample.value for family in gauge.collect() for sample in family.samples}


def _by_interface(gauge: Gauge) -> dict[str, dict[str, float]]:
    result: dict[str, dict[str, float]] = {}
    for family in gauge.collect():
        for sample in family.samples:
            result.setdefault(sample.labels["interface"], {})[sample.labels["direction"]] = sample.value
    return result


sampler = Sampler()
