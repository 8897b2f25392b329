"""Lines through what was counted in several looks, and what they allow to say."""

from __future__ import annotations

from math import exp, lgamma, log, sqrt
from typing import NamedTuple, Optional, Sequence

YES, NO, UNSURE, STEPPED = "Yes", "No", "Unsure", "Stepped"
LEAST_LOOKS = 4
_CONFIDENCE = 0.95
# One gap that holds more of the growth than this is a step, not a line.
_STEP = 0.6
# What grows by less than this share within the window does not grow.
_NOTHING = 0.002
# Seconds by which the time of a count may be off.
_MOMENT = 0.01
# A count is a whole number: it is off by up to a half.
_WHOLE = 1 / 12


class Line(NamedTuple):
    """A slope a second and its standard error, from so many points."""

    slope: float
    error: float
    points: int
    seconds: float

    def margin(self, looked_at: int = 1) -> float:
        """Return half of the interval that holds the slope in 95 of 100 cases, for all of ``looked_at`` at once."""
        if self.points < 3:
            return float("inf")
        return quantile(1 - (1 - _CONFIDENCE) / 2 / max(looked_at, 1), self.points - 2) * self.error


def line(times: Sequence[float], values: Sequence[float], noise: float = _WHOLE, further: float = 0.0) -> Line:
    """Return the line of least squares. ``noise`` is the least variance of a value, ``further`` of the slope."""
    count = len(times)
    middle, mean = sum(times) / count, sum(values) / count
    spread = sum((time - middle) ** 2 for time in times)
    if count < 2 or spread <= 0:
        return Line(0.0, float("inf"), count, 0.0)
    slope = sum((time - middle) * (value - mean) for time, value in zip(times, values)) / spread
    # When an object was counted is known to some milliseconds.
    noise += (_MOMENT * slope) ** 2
    rest = sum((value - mean - slope * (time - middle)) ** 2 for time, value in zip(times, values))
    variance = max(rest / (count - 2), noise) if count > 2 else float("inf")
    return Line(slope, sqrt(variance / spread + further), count, times[-1] - times[0])


def verdict(values: Sequence[float], fitted: Line, looked_at: int) -> Optional[str]:
    """Say whether something grows; None where there were too few looks to say."""
    if len(values) < LEAST_LOOKS:
        return None
    if max(values) == min(values):
        return NO
    total = values[-1] - values[0]
    margin = fitted.margin(looked_at)
    gaps = [later - earlier for earlier, later in zip(values, values[1:])]
    # One that sheds what it took in between does not step.
    if total > max(_NOTHING * values[0], 1) and max(gaps) > _STEP * total and min(gaps) >= 0:
        return STEPPED
    if fitted.slope - margin > 0 and total > 0:
        return YES
    most = (fitted.slope + margin) * fitted.seconds
    return NO if most <= _NOTHING * max(values[0], 1) else UNSURE


def quantile(probability: float, freedom: int) -> float:
    """Return the value that Student's t stays below with a probability of more than a half."""
    low, high = 0.0, 1.0
    while _below(high, freedom) < probability and high < 1e12:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        if _below(middle, freedom) < probability:
            low = middle
        else:
            high = middle
    return high


def _below(value: float, freedom: int) -> float:
    tail = 0.5 * _beta(freedom / (freedom + value * value), freedom / 2, 0.5)
    return 1 - tail


def _beta(place: float, first: float, second: float) -> float:
    """The regularised incomplete beta function, by its continued fraction."""
    if place <= 0:
        return 0.0
    if place >= 1:
        return 1.0
    front = exp(
        lgamma(first + second) - lgamma(first) - lgamma(second) + first * log(place) + second * log(1 - place)
    )
    if place < (first + 1) / (first + second + 2):
        return front * _fraction(place, first, second) / first
    return 1 - front * _fraction(1 - place, second, first) / second


def _fraction(place: float, first: float, second: float) -> float:
    tiny = 1e-300
    upper, lower = 1.0, 1 - (first + second) * place / (first + 1)
    lower = 1 / (lower if abs(lower) > tiny else tiny)
    result = lower
    for step in range(1, 200):
        for factor in (
            step * (second - step) * place / ((first + 2 * step - 1) * (first + 2 * step)),
            -(first + step) * (first + second + step) * place / ((first + 2 * step) * (first + 2 * step + 1)),
        ):
            lower = 1 + factor * lower
            upper = 1 + factor / upper
            lower = 1 / (lower if abs(lower) > tiny else tiny)
            upper = upper if abs(upper) > tiny else tiny
            change = lower * upper
            result *= change
        if abs(change - 1) < 1e-12:
            break
    return result
