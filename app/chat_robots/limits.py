"""How both vendors count: so many messages in any minute; DingTalk then says no for ten."""

import time
from collections import deque

_WINDOW_SECONDS = 60.0


class RateLimit:
    """A window of one minute. `penalty` seconds nothing is let through after it was exceeded."""

    def __init__(self, per_minute: int, penalty: float = 0.0) -> None:
        self.per_minute = per_minute
        self._penalty = penalty
        self._taken: deque[float] = deque()
        self._blocked_until = 0.0

    def take(self) -> bool:
        """Count a message, and return whether it is let through."""
        now = time.monotonic()
        if now < self._blocked_until:
            return False
        while self._taken and self._taken[0] <= now - _WINDOW_SECONDS:
            self._taken.popleft()
        if len(self._taken) >= self.per_minute:
            self._blocked_until = now + self._penalty
            return False
        self._taken.append(now)
        return True

    def clear(self) -> None:
        """Forget what was counted."""
        self._taken.clear()
        self._blocked_until = 0.0
