"""An exception passes several places that could report it; the first one does."""

from typing import Literal


def first(exception: BaseException, place: Literal["log", "span"]) -> bool:
    """Return True the first time this exception is shown to this kind of place."""
    mark = f"_observability_{place}"
    if getattr(exception, mark, False):
        return False
    setattr(exception, mark, True)
    return True
