"""What the queries of the shop's dashboards have in common."""

# The requests that count, as in prometheus/ecommerce_rules.yml: machines ask for the first three, and what matches no
# route is nobody's fault here. A panel that counted others would contradict the alert that links to it.
COUNTED = 'route!~"unmatched|/healthz|/readyz|/metrics|/api/v1/metrics/.+"'

CHOSEN = 'job=~"$job", instance=~"$instance"'
"""Label matchers: what the variables choose."""

REQUESTS = f"{CHOSEN}, {COUNTED}"


def quantile(share: float, histogram: str, matchers: str, *by: str) -> str:
    """Return the expression of a histogram's quantile over all instances, for each value of the labels `by`."""
    labels = ", ".join(["le", *by])
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{{{matchers}}}[$__rate_interval])))"
