"""An exception passes several places that could report it; the first one does."""

from typing import Literal


def first(exception: BaseException, place: Literal["log", "span"]) -> bool:
    """Return True the first time this exception is shown to this kind of place.

    SQLAlchemy raises a driver's exception again as one of its own, which has it as `orig`: that is no other failure.
    """
    mark = f"_observability_{place}"
    shown = any(getattr(one, mark, False) for one in (exception, getattr(exception, "orig", None)))
    setattr(exception, mark, True)
    return not shown
