"""Which cards are declined, and how long the bank takes."""

import math
import random
from datetime import UTC, datetime

# Test cards in the way payment providers have them; every other number is approved.
_DECLINED = {
    "4000000000000002": "generic_decline",
    "4000000000009995": "insufficient_funds",
    "4000000000009987": "lost_card",
    "4000000000000069": "expired_card",
    "4000000000000127": "incorrect_cvc",
    "4000000000000119": "processing_error",
}

_SPREAD = 0.6  # of the logarithm: p95 is 2.7 and p99 4 times the median, as payment providers publish theirs
_LONGEST_SECONDS = 3.0


def decline_code(card_number: str, expiry: str, now: datetime | None = None) -> str | None:
    """Return why the card is declined; None when it is approved. `expiry` is MM/YY."""
    month, year = int(expiry[:2]), 2000 + int(expiry[3:])
    today = now or datetime.now(UTC)
    if (year, month) < (today.year, today.month):
        return "expired_card"
    return _DECLINED.get(card_number)


def latency_seconds(median_ms: float) -> float:
    """Draw how long a charge takes: log-normal, so seldom much longer than the median and never much shorter."""
    if median_ms == 0:
        return 0.0
    return min(median_ms / 1000 * math.exp(random.gauss(0, _SPREAD)), _LONGEST_SECONDS)
