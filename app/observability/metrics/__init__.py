"""Metrics: Prometheus instruments, one module a subject, and the typed snapshots computed from them."""
