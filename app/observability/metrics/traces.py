"""The series of the trace path."""

from prometheus_client import Counter

spans_exported = Counter("trace_spans_exported_total", "Sampled spans that the OTLP endpoint has accepted.")
spans_dropped = Counter(
    "trace_spans_dropped_total",
    "Sampled spans that were lost: queue_full (more than OTEL_BSP_MAX_QUEUE_SIZE waited), export_failed (the endpoint "
    "was away or refused them), shutdown (still queued when the time to flush was over).",
    ["reason"],
)
for _reason in ("queue_full", "export_failed", "shutdown"):
    spans_dropped.labels(_reason)
