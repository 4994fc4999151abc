"""Values of every type under the same names: no line is refused, every line can be found."""

from collections.abc import Sequence

import pytest
from clients import Stack
from log_proof import Writer, arrived, count, documents, writing

LINES = 10_000


@pytest.fixture(scope="module")
def written(stack: Stack) -> Writer:
    with writing("colliding", LINES, 2_000) as writer:
        report = writer.report(within=120)
        assert (report["written"], report["dropped"]) == (LINES, 0)
    arrived(stack.elasticsearch, writer, LINES)
    return writer


def test_every_line_is_searchable(stack: Stack, written: Writer) -> None:
    found = [
        int(hit["fields"]["message"][0].removeprefix("Line "))
        for hit in documents(stack.elasticsearch, written.logger, ["message"])
    ]
    assert sorted(found) == list(range(LINES))


@pytest.mark.parametrize(
    ("field", "value", "numbers"),
    [
        ("value", "text 25", [25]),
        ("value", "true", range(3, LINES, 24)),
        ("value", "mixed", range(5, LINES, 12)),
        ("value.deep", "1.5", range(5, LINES, 12)),
        ("value.nested.a.b.c", "18", [18]),
        ("value", "2026-13-45T99:99:99Z", range(7, LINES, 12)),
        ("value.a.b", "the same path", range(9, LINES, 12)),
        ("value.名 字", "x", range(9, LINES, 12)),
        ("value.key-34-7", "7", [34]),
    ],
)
def test_what_has_no_type_is_found_as_a_keyword(
    stack: Stack, written: Writer, field: str, value: str, numbers: Sequence[int]
) -> None:
    ours = {"term": {"logger": written.logger}}
    query = {"bool": {"filter": [ours, {"term": {f"meta_all.{field}": value}}]}}
    assert count(stack.elasticsearch, query) == len(numbers)


def test_a_value_of_the_right_type_among_wrong_ones_is_found_by_it(stack: Stack, written: Writer) -> None:
    """`status` is a whole number in the index. A list is one in it, too; a fraction is cut, as JSON readers do."""
    query = {"bool": {"filter": [{"term": {"logger": written.logger}}, {"range": {"meta.status": {"gte": 1_000}}}]}}
    given = [number for number in range(LINES) if number % 7 == 0]
    whole = [number for number in given if number % 12 in {0, 5} and number >= 1_000]
    cut = [number for number in given if number % 12 == 2 and number // 7 >= 1_000]
    assert cut
    assert count(stack.elasticsearch, query) == len(whole) + len(cut)
