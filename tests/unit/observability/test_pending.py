from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.metrics.pending import Buckets, Pending

BOUNDS = (0.25, 0.5, 1.0)


@given(st.lists(st.sampled_from((0.0, 0.25, 0.3, 0.5, 0.75, 1.0, 2.0)), max_size=1000))
def test_what_was_noted_is_counted_whenever_it_is_read(values: list[float]) -> None:
    pending = Pending(Buckets(BOUNDS))
    for number, value in enumerate(values):
        pending.note(value)
        if number % 100 == 0:
            assert sum(pending.read().counts) == number + 1
    counted = pending.read()
    bounds = (float("-inf"), *BOUNDS, float("inf"))
    assert counted.counts == [sum(low < value <= high for value in values) for low, high in pairwise(bounds)]
    assert counted.sum == sum(values)  # these add up without rounding


@pytest.fixture
def threads_that_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("threads_that_take_turns_often")
def test_threads_that_read_meanwhile_see_each_value_once() -> None:
    pending, done = Pending(Buckets(BOUNDS)), False

    def read() -> list[tuple[int, float]]:
        seen = []
        while not done:
            counted = pending.read()
            seen.append((sum(counted.counts), counted.sum))
        return seen

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for _ in range(100_000):
            pending.note(1.0)
        done = True
    assert pending.read().counts == [0, 0, 100_000, 0]
    for reader in readers:
        seen = reader.result()
        assert len(seen) > 10
        assert seen == sorted(seen)
        assert all(count == total for count, total in seen)
