"""Cut text to a vendor's limit, which counts bytes of UTF-8, without cutting a character."""


def truncate(text: str, limit: int) -> str:
    """Return `text` in at most `limit` (≥ 3) bytes of UTF-8; what is left out is shown as `…`."""
    if len(text.encode()) <= limit:
        return text
    return text.encode()[: limit - len("…".encode())].decode(errors="ignore") + "…"


def split(text: str, limit: int) -> list[str]:
    """Cut `text` into pieces of at most `limit` bytes of UTF-8: at line breaks, within a line only if it is too long.

    Joined again the pieces are `text`, except that the line break at a cut between lines is gone. `limit` is at least
    4, the longest character.
    """
    pieces: list[str] = []
    open_piece: str | None = None
    for line in text.split("\n"):
        longer = line if open_piece is None else f"{open_piece}\n{line}"
        if len(longer.encode()) <= limit:
            open_piece = longer
            continue
        if open_piece is not None:
            pieces.append(open_piece)
        *full, open_piece = _cut(line, limit)
        pieces.extend(full)
    if open_piece is not None:
        pieces.append(open_piece)
    return pieces


def _cut(line: str, limit: int) -> list[str]:
    """Cut one line between characters."""
    data = line.encode()
    pieces = []
    while len(data) > limit:
        # never empty: a character has at most 4 bytes
        piece = data[:limit].decode(errors="ignore")
        pieces.append(piece)
        data = data[len(piece.encode()) :]
    return [*pieces, data.decode()]
