"""A process that takes OTLP over gRPC, as a collector does, and counts what comes: `python -m benchmarks.otlp_sink`."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc

from benchmarks import runs

_SETTLE_SECONDS = 1.0


class Sink(traces_grpc.TraceServiceServicer, metrics_grpc.MetricsServiceServicer):
    """Counts spans; metrics are taken and forgotten."""

    def __init__(self) -> None:
        self.spans = 0
        self._lock = threading.Lock()

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the service's own name, the same for both
        """Take one export."""
        del context
        if not isinstance(request, traces.ExportTraceServiceRequest):
            return metrics.ExportMetricsServiceResponse()
        count = sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
        with self._lock:
            self.spans += count
        return traces.ExportTraceServiceResponse()


class Receiver:
    """The sink, seen from the benchmark's own process."""

    def __init__(self) -> None:
        self._process = runs.start("otlp_sink", env={})
        assert self._process.stdout
        self.url = json.loads(self._process.stdout.readline())["url"]

    def spans(self) -> int:
        """Return how many spans have come since the last question."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("spans\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate()


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Run a sink."""
    made = Receiver()
    try:
        yield made
    finally:
        made.close()


def main() -> None:
    """Serve until stdin closes; each line on it asks how many spans have come since the last."""
    sink = Sink()
    server = grpc.server(ThreadPoolExecutor(2))
    traces_grpc.add_TraceServiceServicer_to_server(sink, server)  # type: ignore[no-untyped-call]  # generated
    metrics_grpc.add_MetricsServiceServicer_to_server(sink, server)  # type: ignore[no-untyped-call]  # generated
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)
    told = 0
    for _ in sys.stdin:
        time.sleep(_SETTLE_SECONDS)
        spans = sink.spans
        print(spans - told, flush=True)
        told = spans
    server.stop(0)


if __name__ == "__main__":
    main()
