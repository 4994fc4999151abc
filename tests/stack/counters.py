"""Exact numbers out of Prometheus: raw values after a fresh scrape. `increase()` extrapolates, and is for people."""

from collections.abc import Iterable

from clients import Prometheus, eventually


def wait_for_scrape(prometheus: Prometheus, *series: str) -> None:
    """Wait until every target that has one of these series has been scraped after this moment."""
    now = prometheus.value("vector(time())")
    assert now is not None

    def scraped() -> bool:
        times = [prometheus.value(f"min(timestamp({name}))") for name in series]
        return all(at is not None and at > now for at in times)

    eventually(scraped, within=60, what=f"a scrape of every target with {', '.join(series)}")


def read(prometheus: Prometheus, expressions: Iterable[str]) -> dict[str, float]:
    """The one number of each expression; none is zero."""
    return {expression: prometheus.value(expression) or 0.0 for expression in expressions}
