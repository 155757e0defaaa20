"""Many measurements as a few numbers."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The nearest-rank percentile: a value that was measured. None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]


def milliseconds(seconds: float | None) -> float | None:
    """Rounded to hundredths."""
    return None if seconds is None else round(seconds * 1000, 2)
