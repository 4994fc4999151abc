"""The SDK's batch processor, with its losses counted and its shutdown bounded."""

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from observability.metrics.traces import spans_dropped, spans_exported
from observability.spans import Record
from observability.traces import encoding

_LAST_BATCH_SECONDS = 0.5
_queue_full = spans_dropped.labels("queue_full")
_export_failed = spans_dropped.labels("export_failed")
_shutdown = spans_dropped.labels("shutdown")


class CountingExporter(SpanExporter):
    """Counts what `exporter` got rid of, and what it did not."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch; returns when it was accepted or given up."""
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            (spans_exported if result is SpanExportResult.SUCCESS else _export_failed).inc(len(spans))
        return result

    def shutdown(self) -> None:
        """Make the exporter stop; a retry it waits for is given up."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Pass it on."""
        return self._exporter.force_flush(timeout_millis)


class CountingProcessor(BatchSpanProcessor):
    """A BatchSpanProcessor that counts the spans it drops, and flushes for `flush_seconds` at most when it stops.

    The SDK tells of drops only in a log line, once; and it would wait 30 s for an endpoint that is away. Both need
    its inner queue, which has no public name; the test that counts every span fails if an upgrade changes it.
    """

    flush_seconds = 5.0

    def __init__(self, span_exporter: SpanExporter) -> None:
        self.encoder: encoding.Encoder | None = None
        """Knows records; None where spans do not go to OTLP."""
        if isinstance(span_exporter, OTLPSpanExporter):
            self.encoder = encoding.Encoder()
            span_exporter._translate_data = self.encoder.encode  # type: ignore[method-assign,assignment]  # noqa: SLF001 - it has no setting for it; spans would be missing in the tests if an upgrade changed it
        super().__init__(CountingExporter(span_exporter))
        inner = self._batch_processor
        inner._queue = deque()  # noqa: SLF001 - see the class; its bound is in `take`

    def on_end(self, span: ReadableSpan) -> None:
        """Queue the span; when the queue is full, its oldest span is dropped."""
        if span.context and span.context.trace_flags.sampled:
            self.take(span)

    def take(self, span: ReadableSpan | Record) -> None:
        """Queue a sampled span; a full queue makes room for it by its oldest, which is counted as dropped.

        What the SDK's `emit` does, but it cannot count what falls out at the far end. Here whoever takes a span out
        has it in hand, this thread or the exporter's, so the count is exact without a lock.
        """
        inner = self._batch_processor
        queue = inner._queue  # noqa: SLF001 - see the class
        if inner._shutdown:  # noqa: SLF001 - see the class
            _shutdown.inc()
            return
        queue.appendleft(span)  # first: the exporter must find as many as it has just counted
        if len(queue) > inner._max_queue_size:  # noqa: SLF001 - see the class
            with suppress(IndexError):  # the exporter has just emptied it
                queue.pop()
                _queue_full.inc()
        if len(queue) >= inner._max_export_batch_size and not inner._worker_awaken.is_set():  # noqa: SLF001 - see the class
            inner._worker_awaken.set()  # noqa: SLF001 - see the class

    def shutdown(self) -> None:
        """Export what is queued, then stop."""
        # A thread of its own: an export that is under way ends only with its own time-out.
        stopping = threading.Thread(
            target=self._batch_processor.shutdown, args=(int(self.flush_seconds * 1000),), daemon=True
        )
        stopping.start()
        stopping.join(self.flush_seconds + 0.5)
        # The batch that was under way is given up now; its spans are counted when the worker has seen that.
        self._batch_processor._worker_thread.join(_LAST_BATCH_SECONDS)  # noqa: SLF001 - see the class
        left = len(self._batch_processor._queue)  # noqa: SLF001 - see the class
        _shutdown.inc(left)
