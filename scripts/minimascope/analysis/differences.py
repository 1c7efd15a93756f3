"""The difference between two means: its interval, its tests, and whether it is one that matters."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize, special

from .evidence import SIGNIFICANT, Evidence, unknown
from .numbers import ROUNDING
from .smallest_difference import SmallestDifference

VERDICTS = LARGER, SMALLER, EQUIVALENT, OPEN, TOO_FEW = (
    *("larger", "smaller", "no difference", "open", "too few"),
)
# Differences that are a smaller part of the values are due to rounding, and count as zero.
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
    """A mean x minus the mean b of a reference, and the smallest difference that matters, δ.

    Tests are Student's t, one-sided, each at 2.5 %: that x - b - δ is above zero, and that
    x - b + δ is below. That x - b lies within ± δ takes both of them the other way round
    (Schuirmann 1987). Where δ is a share s of b, these are linear contrasts of the two means,
    x - (1 + s) b and x - (1 - s) b, and the error of b counts (Fieller 1954; Hauschke et al. 1999).

    Attributes:
        estimate: of x - b.
        smallest: δ ≥ 0.
        above: estimate of x - b - δ.
        below: estimate of x - b + δ.
    """

    estimate: Estimate
    smallest: float
    above: Estimate
    below: Estimate

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
    def read_off_share(self) -> bool:
        """Whether the interval alone would say something else.

        It does where a share matters, whose reference has an error that this interval leaves out.
        """
        lower, upper = self.interval
        alone = OPEN
        if lower > self.smallest:
            alone = LARGER
        elif upper < -self.smallest:
            alone = SMALLER
        elif -self.smallest < lower and upper < self.smallest:
            alone = EQUIVALENT
        return self.known and alone != self.verdict

    @property
    def p_value(self) -> float:
        """The two-sided p-value of there being no difference at all, NaN where nothing is known."""
        sides = p_above(*self.estimate), p_above(-self.estimate.value, *self.estimate[1:])
        return min(1.0, 2 * float(min(sides))) if self.known else math.nan

    def larger(self, text: str = "") -> Evidence:
        """Return what is known of the mean being larger than the reference's by more than δ."""
        return self._positive(self.above, text)

    def smaller(self, text: str = "") -> Evidence:
        """Return what is known of the mean being smaller than the reference's by more than δ."""
        value, error, df = self.below
        return self._positive(Estimate(-value, error, df), text)

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

    def _positive(self, estimate: Estimate, text: str) -> Evidence:
        if not (self.known and has_error(*estimate[:2])):
            return unknown(text)
        p = float(p_above(*estimate))
        return Evidence(p, 1 - p, text, text)


def p_above(value: ArrayLike, error: ArrayLike, df: ArrayLike) -> ArrayLike:
    """Return the p-value of Student's one-sided test that a number is above zero.

    Without a standard error, see `has_error`, it is evidence of nothing: 1.
    """
    known = has_error(value, error)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(known, special.stdtr(df, -np.asarray(value) / error), 1.0)


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
    # Of two infinite values there is no difference.
    with np.errstate(invalid="ignore"):
        differences = values - reference
    differences[~np.isfinite(differences)] = np.nan
    largest = np.maximum(np.abs(values), np.abs(reference))
    largest = np.where(np.isfinite(differences), largest, 0).max(axis=0, initial=0)
    scale = np.maximum(largest, np.finfo(float).tiny)
    return (differences / scale).round(DIGITS) * scale


def paired(
    values: ArrayLike,
    reference: ArrayLike,
    smallest: SmallestDifference,
    floors: ArrayLike = 0.0,
) -> Difference:
    """Return differences of values from those of a reference with the same seeds.

    Args:
        values: [seed, …], NaN where there is none.
        reference: likewise; both are broadcast.
        smallest: the smallest difference of the measure that matters.
        floors: noise floors of the values, […], NaN for none.

    Returns:
        One whose numbers are arrays, […].
    """
    reference = np.asarray(reference, dtype=float)
    differences = paired_differences(values, reference)
    estimate = mean_over_seeds(differences)
    mean = mean_over_seeds(np.where(np.isfinite(differences), reference, np.nan)).value
    delta, share = smallest.of(mean, floors), smallest.share(mean, floors)
    number = np.where(share == 0, delta, 0.0)
    sides = (
        mean_over_seeds(paired_differences(values, reference * (1 + sign * share)))
        for sign in (1, -1)
    )
    above, below = (
        Estimate(found.value - sign * number, found.error, found.df)
        for sign, found in zip((1, -1), sides, strict=True)
    )
    return Difference(estimate, delta, above, below)


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
    # For all conditions at once, since there are as many pairs as conditions squared.
    both = np.fmax(floors.reindex(seeds.columns), floors[reference])
    found = paired(seeds, seeds[[reference]], smallest, both)
    for condition, difference in zip(seeds, single(found), strict=True):
        if condition != reference:
            yield condition, difference


def single(differences: Difference) -> Iterator[Difference]:
    """Yield the differences of one whose numbers are arrays of one axis."""
    estimates = (differences.estimate, differences.above, differences.below)
    columns = zip(*(map(Estimate, *each) for each in estimates), differences.smallest, strict=True)
    for estimate, above, below, smallest in columns:
        yield Difference(estimate, smallest, above, below)


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


def welch(
    first: Estimate, second: Estimate, smallest: SmallestDifference, floor: float = 0.0
) -> Difference:
    """Return the difference of two independent estimates (Welch 1947, Satterthwaite 1946).

    Args:
        first: of x.
        second: of the reference.
        smallest: the smallest difference that matters.
        floor: noise floor of the values, NaN for none.
    """
    share = float(smallest.share(second.value, floor))
    delta = float(smallest.of(second.value, floor))
    above, below = (
        _welch(first, second, 1 + sign * share, 0.0 if share else sign * delta) for sign in (1, -1)
    )
    return Difference(_welch(first, second), delta, above, below)


def _welch(first: Estimate, second: Estimate, factor: float = 1.0, less: float = 0.0) -> Estimate:
    """Return the first minus a factor times the second, less a number."""
    return combined([(1.0, first), (-factor, second)], less)


def combined(terms: Sequence[tuple[float, Estimate]], less: float = 0.0) -> Estimate:
    """Return the sum of independent estimates times their factors, less a number.

    Its degrees of freedom are those of Welch and Satterthwaite: of the variances vᵢ of the terms,
    with dfᵢ, (Σ vᵢ)² / Σ (vᵢ² / dfᵢ). Without an error of each it has none.
    """
    value = sum(factor * estimate.value for factor, estimate in terms) - less
    fewest = min(estimate.df for _, estimate in terms)
    if fewest < 1:
        return Estimate(value, math.nan, fewest)
    variances = [((factor * estimate.error) ** 2, estimate.df) for factor, estimate in terms]
    total = sum(variance for variance, _ in variances)
    if total == 0:
        return Estimate(value, 0.0, fewest)
    return Estimate(value, math.sqrt(total), total**2 / sum(own**2 / df for own, df in variances))


def share_interval(values: ArrayLike, reference: ArrayLike) -> tuple[float, float]:
    """Return the 95 % interval of the mean difference over the size of the reference's mean.

    With d = values - reference, b = reference: the ends are the r at which the paired t test of
    d - r b is at 5 % (Fieller 1954), the solutions of (d̄ - r b̄)² = t² s²(r) / n, where s² is the
    variance of d - r b. They are NaN where the mean of b is itself not surely other than zero,
    since then no bound holds, and where values of two seeds are not there.

    Args:
        values: of each seed.
        reference: of the same seeds.
    """
    n, reference = len(values), np.asarray(reference, dtype=float)
    if n < 2:
        return math.nan, math.nan
    differences = paired_differences(values, reference)
    d, b = differences.mean(), reference.mean()
    (dd, db), (_, bb) = (
        special.stdtrit(n - 1, 1 - SIGNIFICANT) ** 2 / n * np.cov(differences, reference)
    )
    square = b**2 - bb
    if not square > 0:
        return math.nan, math.nan
    middle = d * b - db
    root = math.sqrt(max(0.0, middle**2 - square * (d**2 - dd)))
    ends = sorted(math.copysign(1, b) * (middle + sign * root) / square for sign in (-1, 1))
    return ends[0], ends[1]


def welch_share_interval(first: Estimate, second: Estimate) -> tuple[float, float]:
    """Return what `share_interval` returns, of two independent estimates.

    The ends are the r at which Welch's test of x - b - r |b| is at 5 %, NaN where b is itself not
    surely other than zero.
    """

    def excess(factor: float) -> float:
        value, error, df = _welch(first, second, factor)
        return abs(value) - special.stdtrit(df, 1 - SIGNIFICANT) * error

    if min(first.df, second.df) < 1 or not first.error + second.error > 0:
        return math.nan, math.nan
    if not abs(second.value) > special.stdtrit(second.df, 1 - SIGNIFICANT) * second.error:
        return math.nan, math.nan
    middle, step = first.value / second.value, first.error / abs(second.value) + second.error
    ends = []
    for sign in (-1, 1):
        width = step
        while excess(middle + sign * width) <= 0:
            width *= 2
        ends.append(optimize.brentq(excess, middle, middle + sign * width))
    return tuple(sorted(math.copysign(1, second.value) * (end - 1) for end in ends))
