"""The series of caches. Only observability.cache writes them."""

from prometheus_client import Counter, Gauge, Histogram

hits = Counter("cache_hits_total", "Reads that found their key.", ["cache_type"])
misses = Counter("cache_misses_total", "Reads that did not find their key.", ["cache_type"])
evictions = Counter(
    "cache_evictions_total",
    "Entries pushed out to make room, since this process watches. redis: the server's, the same from each process.",
    ["cache_type"],
)
used = Gauge("cache_used", "Fill of the cache, in the unit of cache_capacity.", ["cache_type"])
capacity = Gauge("cache_capacity", "Limit of the cache: entries (memory) or bytes (redis).", ["cache_type"])
operation_duration = Histogram(
    "cache_operation_duration_seconds",
    "Time of a cache operation, failed ones included.",
    ["operation", "cache_type"],
    buckets=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1),
)
redis_connections = Gauge("redis_connections", "Connections of this process's Redis pools that are in use.")
redis_max_connections = Gauge("redis_max_connections", "Connections that this process's Redis pools may open.")
