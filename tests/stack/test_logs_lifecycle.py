"""Old days deleted by Elasticsearch's own lifecycle management, where it has that module."""

from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from clients import TIMEOUT, Elasticsearch, Stack, eventually

POLICY = "ecommerce-logs"


@pytest.fixture(scope="module")
def elasticsearch(stack: Stack) -> Elasticsearch:
    found = stack.elasticsearch
    answer = requests.get(f"{found.url}/_ilm/status", auth=found.auth, timeout=TIMEOUT)
    if answer.status_code in {400, 404, 405}:  # as elasticsearch/install.sh asks
        pytest.skip("this Elasticsearch has no ILM")
    assert answer.json() == {"operation_mode": "RUNNING"}
    return found


def test_the_policy_deletes_after_the_days_that_are_set(stack: Stack, elasticsearch: Elasticsearch) -> None:
    days = stack.config["services"]["elasticsearch-setup"]["environment"]["LOG_RETENTION_DAYS"]
    phases = elasticsearch.get(f"/_ilm/policy/{POLICY}")[POLICY]["policy"]["phases"]
    assert list(phases) == ["delete"]
    assert phases["delete"]["min_age"] == f"{days}d"
    assert list(phases["delete"]["actions"]) == ["delete"]


def test_todays_lines_are_under_it_and_their_age_is_their_days(elasticsearch: Elasticsearch) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    index = f"ecommerce-logs-{today:%Y.%m.%d}"

    def managed() -> dict[str, Any] | None:
        """A moment after the index was made its day has been read from its name."""
        found: dict[str, Any] = elasticsearch.get(f"/{index}/_ilm/explain")["indices"][index]
        return found if found.get("lifecycle_date_millis") == today.timestamp() * 1000 else None

    found = eventually(managed, within=60, what=f"{index} as old as its day")
    assert (found["managed"], found["policy"]) == (True, POLICY)
    assert found["step"] != "ERROR", found
