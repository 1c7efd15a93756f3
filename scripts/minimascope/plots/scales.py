"""Linear and logarithmic axes whose numbers are short, at least three, and apart.

Whether an axis is logarithmic depends on all networks of a data set (`is_logarithmic`), so that
their figures can be compared.
"""

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise, product

import numpy as np
import pandas as pd
from matplotlib.axis import Axis
from matplotlib.ticker import Formatter, Locator, MaxNLocator, NullFormatter

from ..analysis.measure_name import CATEGORIES
from ..analysis.measure_names import measures_of
from ..analysis.numbers import format_number, power_of_ten

DIGIT, HEIGHT, GAP = 0.073, 0.13, 0.07  # inches, of and between numbers of 8 points
MOST = 6  # numbers on an axis
# Within a decade, from few to many; below this many decades numbers are evenly spaced.
SUBDIVISIONS = ((1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
SHORT = 0.45
# From this many decades on, numbers are powers of ten.
LONG = 3.0
PLAIN = (1e-3, 1e4)


def is_logarithmic(values: Iterable[float], usually: bool) -> bool:
    """Return whether to draw values on a logarithmic axis.

    They are all positive (NaN left out), and ``usually`` drawn so or span over two decades.

    Args:
        values: of all networks of a data set, so that their figures agree.
        usually: `MeasureName.log_axis`.
    """
    found = _finite(values)
    return len(found) > 0 and found.min() > 0 and (usually or found.max() > 100 * found.min())


def log_measures(rows: pd.DataFrame, column: str = "value") -> set[str]:
    """Return the measures that `is_logarithmic` holds for.

    Args:
        rows: of all networks of a data set, with columns ``measure``, ``family`` and ``unit``.
        column: their values.
    """
    usually = {
        name: described.log_axis for name, described in measures_of(rows, *CATEGORIES).items()
    }
    values = rows.groupby("measure")[column]
    return {name for name, found in values if is_logarithmic(found, usually[name])}


def draw_axis(
    axis: Axis, label: str, values: Iterable[float], logarithmic: bool, width: int = 22
) -> None:
    """Scale an axis for its values and label it, in lines of about so many letters.

    The label names the power of ten that the numbers leave out.
    """
    power = scale_axis(axis, values, logarithmic)
    axis.set_label_text(textwrap.fill(with_power(label, power), width))


def scale_axis(axis: Axis, values: Iterable[float], logarithmic: bool) -> str:
    """Scale an axis for its values and return the power of ten that its numbers leave out.

    That is text such as ``10⁻⁵``, or empty, and belongs into the axis' label (`with_power`).
    """
    found = _finite(values)
    if not len(found):
        return ""
    if logarithmic:
        axis.axes.set(**{f"{axis.axis_name}scale": "log"})
    exponent = _common_exponent(found, logarithmic)
    numbers = _Numbers(exponent, logarithmic)
    axis.set_major_locator(_Ticks(numbers))
    axis.set_major_formatter(numbers)
    axis.set_minor_formatter(NullFormatter())
    return power_of_ten(exponent) if exponent else ""


def with_power(label: str, power: str) -> str:
    """Return an axis' label, name and unit in brackets, with the power of ten of its numbers.

    >>> with_power("Training loss (nats)", "10⁻³"), with_power("Hessian trace (–)", "10⁴")
    ('Training loss (10⁻³ nats)', 'Hessian trace (10⁴)')
    """
    if not power:
        return label
    name, bracket, unit = label.rpartition(" (")
    if not bracket:
        return f"{label} ({power})"
    return f"{name} ({power})" if unit == "–)" else f"{name} ({power} {unit}"


def _finite(values: Iterable[float]) -> np.ndarray:
    values = np.asarray(list(values), dtype=float)
    return values[np.isfinite(values)]


def _common_exponent(values: np.ndarray, logarithmic: bool) -> int:
    """Return the power of ten by which numbers become short, 0 where they are."""
    low, high = np.abs(values).min(), np.abs(values).max()
    if high == 0:
        return 0
    if logarithmic:
        if math.log10(high / low) >= LONG or (PLAIN[0] <= low and high < PLAIN[1]):
            return 0
        return math.floor(math.log10(low))
    return 0 if 10 * PLAIN[0] <= high < 10 * PLAIN[1] else math.floor(math.log10(high))


class _Numbers(Formatter):
    """Writes the numbers of an axis, all with as many decimals as their steps need."""

    def __init__(self, exponent: int, logarithmic: bool) -> None:
        self.exponent, self.logarithmic = exponent, logarithmic

    def __call__(self, value: float, _position: int | None = None) -> str:
        return format_number(value / 10.0**self.exponent, ".3g")

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        return [self.text(value, values) for value in values]

    def text(self, value: float, ticks: Sequence[float]) -> str:
        """Return a number as text, given all numbers of the axis."""
        if self.logarithmic and not self.exponent and _need_powers(ticks):
            return power_of_ten(round(math.log10(value)))
        value, steps = (np.divide(x, 10.0**self.exponent) for x in (value, np.diff(ticks)))
        if not len(steps) or not np.allclose(steps, steps[0]):
            return f"{value:.6g}"
        places = max(0, -math.floor(math.log10(steps[0]) + 1e-9))
        places += round(steps[0] * 10**places, 6) % 1 > 0
        return format_number(value, f".{places}f")


def _need_powers(ticks: Sequence[float]) -> bool:
    """Return whether numbers of a logarithmic axis are powers of ten and long when written out."""
    powers = np.log10(ticks)
    return bool(np.allclose(powers, powers.round()) and not (abs(powers - 0.5) < 4).all())


class _Ticks(Locator):
    """Chooses places for numbers: at least three, where so many have room side by side."""

    def __init__(self, numbers: _Numbers) -> None:
        self.numbers, self.logarithmic = numbers, numbers.logarithmic

    def __call__(self) -> np.ndarray:
        low, high = sorted(self.axis.get_view_interval())
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> np.ndarray:
        box = self.axis.axes.get_window_extent()
        dpi = self.axis.axes.figure.dpi
        across = self.axis.axis_name == "x"
        inches = (box.width if across else box.height) / dpi
        fitting = []
        for ticks in self._candidates(vmin, vmax):
            if 2 <= len(ticks) <= MOST and self._fits(ticks, (vmin, vmax), inches, across):
                if len(ticks) >= 3:
                    return ticks
                fitting.append(ticks)
        return fitting[0] if fitting else np.array([vmin, vmax])

    def _candidates(self, low: float, high: float) -> Iterator[np.ndarray]:
        """Possible ticks, the best first."""
        if self.logarithmic:
            decades = math.log10(high / low)
            yield from self._logarithmic(low, high, decades)
        for count in (4, 3, 5, 6, 8, 2):
            for steps in ([1, 2, 5, 10], [1, 2, 2.5, 3, 4, 5, 10]):
                ticks = MaxNLocator(count, steps=steps).tick_values(low, high)
                yield _inside(ticks, low, high)
        yield from self._thinned(low, high)

    def _thinned(self, low: float, high: float) -> Iterator[np.ndarray]:
        """Some of many ticks: where round numbers are too few, or too wide."""
        if self.logarithmic and math.log10(high / low) >= SHORT:
            for many in self._subdivided(low, high):
                threes = combinations(many, 3)
                # The most even first.
                yield from map(
                    np.array, sorted(threes, key=lambda t: -min(t[1] / t[0], t[2] / t[1]))
                )
        for count, stride in product((8, 14), (2, 3, 4)):
            ticks = MaxNLocator(count, steps=[1, 2, 5, 10]).tick_values(low, high)
            ticks = _inside(ticks, low, high)
            for start in range(stride):
                yield ticks[start::stride]

    def _logarithmic(self, low: float, high: float, decades: float) -> Iterator[np.ndarray]:
        if decades < SHORT:
            return
        exponents = _exponents(low, high)
        for stride in range(1, len(exponents)):
            powers = exponents[exponents % stride == 0]
            yield _inside(10.0**powers, low, high)
        yield from self._subdivided(low, high)

    def _subdivided(self, low: float, high: float) -> Iterator[np.ndarray]:
        for digits in SUBDIVISIONS:
            yield _inside(np.outer(10.0 ** _exponents(low, high), digits).ravel(), low, high)

    def _fits(
        self, ticks: np.ndarray, view: tuple[float, float], inches: float, across: bool
    ) -> bool:
        scale = np.log10 if self.logarithmic else np.asarray
        places = scale(ticks) * inches / (scale(view[1]) - scale(view[0]))
        if not across:
            return bool((np.diff(places) >= HEIGHT).all())
        widths = np.array([_width(self.numbers.text(tick, ticks)) for tick in ticks])
        return bool((np.diff(places) >= (widths[1:] + widths[:-1]) / 2 + GAP).all())


def _exponents(low: float, high: float) -> np.ndarray:
    """Return the powers of ten from below to above a range."""
    return np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)


def _narrowest(ticks: Sequence[float]) -> float:
    """Return the least ratio of neighbours."""
    return min(upper / lower for lower, upper in pairwise(ticks))


def _inside(ticks: np.ndarray, low: float, high: float) -> np.ndarray:
    margin = 1e-9 * min(high - low, abs(low) or 1.0)
    return ticks[(ticks >= low - margin) & (ticks <= high + margin)]


def _width(text: str) -> float:
    """Return about how wide a number is, in inches; exponents and points are narrow."""
    return DIGIT * sum(
        0.65 if sign in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹" else 0.5 if sign == "." else 1 for sign in text
    )
