"""How many customers come, and when."""

from typing import Annotated

from pydantic import Field

from observability.settings import Settings


class ShopperSettings(Settings):
    """All have working defaults, for a shop on this machine."""

    host: str = "0.0.0.0"  # noqa: S104 - a container is reached from outside of itself
    port: Annotated[int, Field(ge=1, le=65535)] = 3200
    shop_url: Annotated[str, Field(pattern=r"^https?://")] = "http://127.0.0.1:3000"
    # requests a second, as a mean over the day; they come when they come, however slowly the shop answers
    shoppers_rate: Annotated[float, Field(gt=0, le=1000)] = 5.0
    # the same seed makes the same visits in the same order
    shoppers_seed: int = 1
    # length of a "day", from its quiet to its busy hours and back; 0: every hour is alike
    shoppers_day_seconds: Annotated[float, Field(ge=0)] = 3600.0
    # mean time that a customer looks at a page
    shoppers_think_seconds: Annotated[float, Field(ge=0)] = 1.5
