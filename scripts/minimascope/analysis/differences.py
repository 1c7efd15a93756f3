"""The difference between two means: its interval, its tests, and whether it is one that matters."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from .evidence import SIGNIFICANT, Evidence, unknown
from .numbers import ROUNDING
from .smallest_difference import SmallestDifference

VERDICTS = LARGER, SMALLER, EQUIVALENT, OPEN, TOO_FEW = (
    *("larger", "smaller", "no difference", "open", "too few"),
)
# Differences that are a smaller part of the values are of rounding, and zero.
DIGITS = 12


class Estimate(NamedTuple):
    """A number, its standard error (NaN if unknown), and the degrees of freedom of that.

    Or arrays of these.
    """

    value: float
    error: float
    df: float


@dataclass(frozen=True)
class Difference:
    """A mean minus the mean of a reference, and the smallest difference that matters.

    Tests are Student's t, one-sided, each at 2.5 %. That a difference lies within ± `smallest`
    takes two of them (Schuirmann 1987). They reject what lies outside the 95 % `interval`, so a
    verdict can be read off it.

    Attributes:
        estimate: of the difference.
        smallest: δ ≥ 0, a known number for the tests.
    """

    estimate: Estimate
    smallest: float

    @property
    def known(self) -> bool:
        """Whether it has a standard error; one of zero is none, since samples vary."""
        return bool(has_error(*self.estimate[:2]))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Student's t, NaN where nothing is known."""
        lower, upper = t_interval(*self.estimate)
        return float(lower), float(upper)

    @property
    def p_value(self) -> float:
        """The two-sided p-value of there being no difference at all, NaN where nothing is known."""
        sides = p_above(*self.estimate), p_above(-self.estimate.value, *self.estimate[1:])
        return min(1.0, 2 * float(min(sides))) if self.known else math.nan

    def larger(self, text: str = "") -> Evidence:
        """Return what is known of the mean being larger than the reference's by more than δ."""
        return self._above(self.estimate.value, text)

    def smaller(self, text: str = "") -> Evidence:
        """Return what is known of the mean being smaller than the reference's by more than δ."""
        return self._above(-self.estimate.value, text)

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`: surely beyond δ on one side, surely within ± δ, or neither."""
        if not self.known:
            return OPEN if self.estimate.df > 0 else TOO_FEW
        larger, smaller = self.larger(), self.smaller()
        if larger.p_for <= SIGNIFICANT:
            return LARGER
        if smaller.p_for <= SIGNIFICANT:
            return SMALLER
        within = max(larger.p_against, smaller.p_against) <= SIGNIFICANT
        return EQUIVALENT if within else OPEN

    def _above(self, value: float, text: str) -> Evidence:
        if not self.known:
            return unknown(text)
        _, error, df = self.estimate
        beyond = float(p_above(value, error, df, self.smallest))
        return Evidence(beyond, 1 - beyond, text, text)


def p_above(value: ArrayLike, error: ArrayLike, df: ArrayLike, limit: ArrayLike = 0.0) -> ArrayLike:
    """Return the p-value of Student's one-sided test that a number is above a limit.

    Without a standard error, see `has_error`, it is evidence of nothing: 1.
    """
    known = has_error(value, error)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(known, special.stdtr(df, (limit - np.asarray(value)) / error), 1.0)


def t_interval(value: ArrayLike, error: ArrayLike, df: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
    """Return the ends of the 95 % interval of Student's t, NaN without a standard error."""
    width = np.where(has_error(value, error), special.stdtrit(df, 1 - SIGNIFICANT) * error, np.nan)
    return value - width, value + width


def has_error(value: ArrayLike, error: ArrayLike) -> ArrayLike:
    """Return whether a number has a standard error that is more than rounding."""
    return np.isfinite(value) & (np.asarray(error) > ROUNDING * np.abs(value))


def paired_differences(values: ArrayLike, reference: ArrayLike) -> np.ndarray:
    """Return values minus reference, NaN where a pair lacks one of them.

    Seeds are along the first axis. Differences are rounded to 12 digits of the largest value of
    all these seeds: what differs by less is equal, and would otherwise break ties.
    """
    values, reference = np.asarray(values, dtype=float), np.asarray(reference, dtype=float)
    differences = values - reference
    differences[~np.isfinite(differences)] = np.nan
    largest = np.maximum(np.abs(values), np.abs(reference))
    largest = np.where(np.isfinite(differences), largest, 0).max(axis=0, initial=0)
    scale = np.maximum(largest, np.finfo(float).tiny)
    return (differences / scale).round(DIGITS) * scale


def differences_from(
    reference: str, seeds: pd.DataFrame, floors: pd.Series, smallest: SmallestDifference
) -> Iterator[tuple[str, Difference]]:
    """Yield each other condition's difference from a reference by one measure, paired by seed.

    That of a condition without any seed in common is NaN, with -1 degrees of freedom.

    Args:
        reference: a column of ``seeds``.
        seeds: the measure's values, [seed, condition], NaN where there is none.
        floors: of each condition the noise floor of its values, NaN for none.
        smallest: the smallest difference of the measure that matters.
    """
    # Of all conditions at once, since there are as many pairs as conditions squared.
    own = seeds[[reference]].to_numpy()
    differences = paired_differences(seeds.to_numpy(), own)
    of_reference = mean_over_seeds(np.where(np.isfinite(differences), own, np.nan)).value
    estimates = map(Estimate, *mean_over_seeds(differences))
    for condition, estimate, mean in zip(seeds, estimates, of_reference, strict=True):
        if condition != reference:
            floor = np.fmax(floors[condition], floors[reference])
            yield condition, Difference(estimate, smallest.of(mean, floor))


def mean_over_seeds(values: np.ndarray) -> Estimate:
    """Return the mean over seeds, along the first axis, and its standard error, with n - 1.

    NaNs are left out. A single value has no error (NaN), and none at all has no mean either.
    """
    there = np.isfinite(values)
    n = there.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(there, values, 0).sum(axis=0) / n
        squares = np.where(there, values - mean, 0) ** 2
        error = np.sqrt(squares.sum(axis=0) / (n - 1) / n)
    return Estimate(mean, np.where(n > 1, error, np.nan), n - 1)


def welch(first: Estimate, second: Estimate) -> Estimate:
    """Return the difference of two independent estimates (Welch 1947, Satterthwaite 1946)."""
    a, b = first.error**2, second.error**2
    df = (a + b) ** 2 / (a**2 / first.df + b**2 / second.df)
    return Estimate(first.value - second.value, math.sqrt(a + b), df)
