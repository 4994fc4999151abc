from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.splitting import split, truncate

_text = st.text(st.sampled_from("a é告😀\n") | st.characters(codec="utf-8"), max_size=300)


@given(text=_text, limit=st.integers(4, 120))
def test_pieces_fit_and_lose_nothing(text: str, limit: int) -> None:
    pieces = split(text, limit)
    assert all(len(piece.encode()) <= limit for piece in pieces)
    # only a line break at a cut goes: put back one or none at each cut, the pieces are the text
    position = 0
    for number, piece in enumerate(pieces):
        if number and not text.startswith(piece, position):
            assert text[position] == "\n"
            position += 1
        elif number and text[position : position + 1] == "\n" and text.startswith(piece, position + 1):
            position += 1
        assert text.startswith(piece, position)
        position += len(piece)
    assert position == len(text)


@given(text=_text, limit=st.integers(4, 120))
def test_lines_that_fit_stay_whole(text: str, limit: int) -> None:
    pieces = split(text, limit)
    for line in text.split("\n"):
        if len(line.encode()) <= limit:
            assert any(line in piece.split("\n") for piece in pieces)


@given(text=_text, limit=st.integers(3, 120))
def test_truncated_text_fits_and_says_so(text: str, limit: int) -> None:
    short = truncate(text, limit)
    assert len(short.encode()) <= limit
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


@pytest.mark.parametrize("limit", [4, 5, 6, 7])
def test_a_character_is_never_cut(limit: int) -> None:
    assert "".join(split("告警😀恢复" * 10, limit)) == "告警😀恢复" * 10
