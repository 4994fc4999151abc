"""Wait for what happens soon, in another task or thread."""

import asyncio
from collections.abc import Callable


async def settled(value: Callable[[], bool], *, within: float = 5.0) -> bool:
    """Say whether `value` becomes true within so many seconds."""
    for _ in range(int(within / 0.02)):
        if value():
            return True
        await asyncio.sleep(0.02)
    return value()
