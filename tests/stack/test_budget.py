"""A laptop's budget: the light stack, with customers in the shop, and each service within its limit."""

import pytest
from clients import Stack, eventually

from ops import budget, compose


@pytest.fixture(scope="module")
def usages(stack: Stack) -> list[budget.Usage]:
    """What each service takes while customers are in the shop: all of them, for one that is away takes nothing."""
    expected = set(stack.config["services"]) - compose.one_shots(stack.config)
    requests_a_second = 'sum(rate(http_requests_total{job="ecommerce-app"}[1m]))'
    eventually(lambda: (stack.prometheus.value(requests_a_second) or 0) > 1, within=90, what="customers in the shop")

    def whole() -> list[budget.Usage]:
        found = budget.of(compose.containers())
        missing = expected - {usage.service for usage in found if usage.bytes > 0}
        assert not missing, f"without {', '.join(sorted(missing))}"
        return found

    # the log shipper may be about to come back: a test beside this one kills it
    return eventually(whole, within=120, every=1, what="figures of every service")


def test_the_light_stack_is_under_two_gib(usages: list[budget.Usage]) -> None:
    assert budget.light(usages) < 2.0 * 2**30, "\n".join(budget.table(usages))


def test_each_service_has_room_below_its_limit(usages: list[budget.Usage]) -> None:
    tight = [usage for usage in usages if usage.bytes > 0.9 * usage.limit]
    assert not tight, "\n".join(budget.table(usages))
