"""The series of the log path: lines written here against documents indexed is how a lossy path is seen."""

from prometheus_client import Counter

LEVELS = ("ERROR", "WARN", "INFO", "DEBUG")

lines_written = Counter("log_lines_written_total", "Lines written to combined.log, by level.", ["level"])
lines_dropped = Counter(
    "log_lines_dropped_total",
    "Lines that are not in the files: queue_full (lost), write_error (disk full or broken; they went to stderr).",
    ["reason"],
)
for _level in LEVELS:
    lines_written.labels(_level)
for _reason in ("queue_full", "write_error"):
    lines_dropped.labels(_reason)
