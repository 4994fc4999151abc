from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.trace import INVALID_SPAN

from observability.traces.attributes import put


def span(**limits: Any) -> Any:
    return TracerProvider(span_limits=SpanLimits(**limits)).get_tracer("t").start_span("s", attributes={"a": "old"})


@pytest.mark.parametrize(
    "limits", [{}, {"max_span_attributes": 3}, {"max_attribute_length": 4}, {"max_span_attributes": 0}]
)
def test_attributes_are_what_the_sdk_would_keep(limits: dict[str, int]) -> None:
    given: dict[str, str | int] = {"a": "new", "b": "longer than four", "c": 3, "d": "4"}
    ours, theirs = span(**limits), span(**limits)
    put(ours, given)
    theirs.set_attributes(given)
    assert (dict(ours.attributes), ours.dropped_attributes) == (dict(theirs.attributes), theirs.dropped_attributes)


def test_a_span_that_records_nothing_takes_them_in_silence() -> None:
    put(INVALID_SPAN, {"a": 1})
