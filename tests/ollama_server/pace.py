"""The speed of a model."""

import asyncio


class Pace:
    """Ticks at an even interval. A tick that came late does not make the later ones late."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._clock = asyncio.get_running_loop().time
        self.restart()

    def restart(self) -> None:
        """Count from now, after a silence that was meant."""
        self._due = self._clock()

    async def tick(self) -> None:
        """Wait for the next tick; without an interval let only the others have their turn."""
        self._due += self._interval
        await asyncio.sleep(max(0.0, self._due - self._clock()) if self._interval else 0)
