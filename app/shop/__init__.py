"""The sample service: a real online shop, a package a domain. It knows telemetry by calls into `observability` only."""
