"""Numbers as text."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

MISSING = "—"
# Standard errors below this share of the mean come from rounding of equal values, and sums below
# this share of what was summed from rounding of values that cancel.
ROUNDING = 1e-12
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def without_residue(number: float, largest: float) -> float:
    """Return a sum or mean, or 0 where it is what rounding left of terms as large as said.

    >>> without_residue(0.1 + 0.2 - 0.3, 0.3), without_residue(1e-9, 0.3)
    (0.0, 1e-09)
    """
    return 0.0 if abs(number) < ROUNDING * largest else float(number)


def format_estimate(mean: float, error: float = np.nan, powers: bool = False) -> str:
    """Return ``mean ± error`` as text.

    The error has two significant digits and the mean at least three (counted from the error
    where that is larger). Numbers below 0.001 or from a million on have a power of ten
    (`has_power`), and with ``powers`` all others do, too, for a column of one notation. A NaN
    error is left out; a NaN mean gives a dash, an infinite one ∞. An error of mere rounding is 0.
    """
    if not np.isfinite(mean):
        return format_number(mean, "g")
    if error < ROUNDING * abs(mean):
        error = 0.0
    exponent = _exponent(_larger(mean, error))
    if exponent == 0 or not (powers or has_power(mean, error)):
        return _plus_minus(mean, error)
    scaled = _plus_minus(mean / 10.0**exponent, error / 10.0**exponent)
    body = scaled if np.isnan(error) else f"({scaled})"
    return f"{body} × {power_of_ten(exponent)}"


def has_power(mean: float, error: float = np.nan) -> bool:
    """Return whether `format_estimate` writes a power of ten by itself."""
    return bool(np.isfinite(mean)) and not -4 < _exponent(_larger(mean, error)) < 6


def format_number(value: float, form: str) -> str:
    """Return a number in a format of Python's with a proper minus; a dash for NaN, or ∞.

    A value that rounds to zero has no sign, and an exponent is written as a power of ten.
    """
    if pd.isna(value):
        return MISSING
    if np.isinf(value):
        return "∞" if value > 0 else "\N{MINUS SIGN}∞"
    digits, _, exponent = f"{value:{form}}".partition("e")
    text = _with_minus(digits)
    return f"{text} × {power_of_ten(int(exponent))}" if exponent else text


def power_of_ten(exponent: int) -> str:
    """Return 10 with an exponent, for example ``10⁻⁵``."""
    return f"10{str(exponent).translate(_SUPERSCRIPTS)}"


def format_percent(share: float, form: str) -> str:
    """Return a share as a percentage, as `format_number` does."""
    return MISSING if pd.isna(share) else f"{format_number(100 * share, form)} %"


def format_interval(value: float, lower: float, upper: float, form: str) -> str:
    """Return ``value [lower, upper]``, each as `format_number` does; a dash without a value."""
    if pd.isna(value):
        return MISSING
    value, lower, upper = (format_number(number, form) for number in (value, lower, upper))
    return f"{value} [{lower}, {upper}]"


def format_ends(lower: float, upper: float) -> str:
    """Return ``[lower, upper]``, each as `format_estimate` does; a dash for no interval."""
    if pd.isna(lower):
        return MISSING
    return f"[{format_estimate(lower)}, {format_estimate(upper)}]"


def count_seeds(counts: pd.Series) -> str:
    """Return numbers of seeds in words, for example ``3 seeds`` or ``2–3 seeds``."""
    return f"{span(counts)} seed{'' if counts.max() == 1 else 's'}"


def span(counts: Iterable[int]) -> str:
    """Return the least and the most of counts, for example ``3`` or ``2–3``."""
    low, high = min(counts), max(counts)
    return f"{high}" if low == high else f"{low}–{high}"


def _exponent(value: float, digits: int = 3) -> int:
    """Return the power of ten of a number after it is rounded to significant digits."""
    return int(f"{value:.{digits - 1}e}".partition("e")[2])


def _larger(mean: float, error: float) -> float:
    return max(abs(mean), 0 if np.isnan(error) else error)


def _plus_minus(mean: float, error: float) -> str:
    largest = _larger(mean, error)
    for_error = 1 - _exponent(error, 2) if error > 0 else 0
    places = max(2 - _exponent(largest), for_error, 0)
    text = _with_minus(f"{mean:.{places}f}")
    return text if np.isnan(error) else f"{text} ± {error:.{places}f}"


def _with_minus(digits: str) -> str:
    """Return a number with a proper minus, or without a sign if all its digits are zero."""
    return digits.replace("-", "−") if digits.strip("+-0.,") else digits.lstrip("+-")
