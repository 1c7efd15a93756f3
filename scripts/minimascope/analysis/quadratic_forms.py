"""Intervals of shares of variance, and which of two is larger, in designs that are not balanced.

With normal errors of one variance, a sum of squares is a quadratic form y'My of the values y, whose
mean and variance are known (Searle 1971, Linear Models, section 2.5): with mean μ of y and variance
σ² of the errors, E = μ'Mμ + σ² tr M and Var = 4 σ² μ'M²μ + 2 σ⁴ tr M². Here M always takes the mean
square of the residual off, so that E is what the settings alone would give.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize, stats

from .evidence import SIGNIFICANT

# What is smaller by this factor is rounding.
SINGULAR = 1e-9


@dataclass(frozen=True)
class Sums:
    """Sums of squares over the total one of n values.

    Attributes:
        share: that of what is asked for.
        df: its degrees of freedom.
        rest: that of the residual, which has nothing in common with it.
        df_rest: its degrees of freedom.
        n: number of values.
    """

    share: float
    df: int
    rest: float
    df_rest: int
    n: int

    @property
    def adjusted(self) -> float:
        """The share without what errors add to it on average: Kelley's ε² (1935)."""
        return self.share - self.df * self.rest / self.df_rest

    def statistic(self, share: float) -> float:
        """Return how many standard errors the adjusted share is above another one, if that holds.

        Of the total the settings then have that share, errors theirs, and other settings the rest.
        """
        error = self.rest / self.df_rest
        k, others = self.df / self.df_rest, max(1 - share - (self.n - 1) * error, 0.0)
        # M is a weighted sum of three projections that have nothing in common.
        weights = np.array([1 - share, -share - k, -share]) ** 2
        df = np.array([self.df, self.df_rest, self.n - 1 - self.df - self.df_rest])
        moved = weights @ np.array([share, 0.0, others])
        return (self.adjusted - share) / math.sqrt(4 * error * moved + 2 * error**2 * weights @ df)

    @property
    def p_value(self) -> float:
        """Of the F test that the settings have no share."""
        f_value = self.share / self.df / (self.rest / self.df_rest)
        return float(stats.f.sf(f_value, self.df, self.df_rest))


def interval(sums: Sums) -> tuple[float, float]:
    """Return the ends of the 95 % interval of a share, within 0 and 1.

    It holds every share that the data do not reject (as Fieller's of a ratio), with Student's t of
    the residual's degrees of freedom; 0 is rejected by the F test.
    """
    t = stats.t.ppf(1 - SIGNIFICANT, sums.df_rest)
    middle = min(max(sums.adjusted, 0.0), 1.0)

    def above(share: float) -> float:
        return sums.statistic(share) - t

    def below(share: float) -> float:
        return sums.statistic(share) + t

    has_lower = sums.p_value <= SIGNIFICANT and above(0.0) > 0
    return (
        optimize.brentq(above, 0.0, middle) if has_lower else 0.0,
        optimize.brentq(below, middle, 1.0) if below(1.0) < 0 else 1.0,
    )


def basis(columns: np.ndarray, beyond: np.ndarray) -> np.ndarray:
    """Return orthonormal columns [n, df] of what columns [n, k] span beyond others [n, l]."""
    known = linalg.orth(beyond, SINGULAR)
    # Twice, since rounding would leave a little of what is taken off.
    for _ in range(2):
        columns = columns - known @ (known.T @ columns)
    size = max(float(np.abs(columns).max(initial=0.0)), SINGULAR)
    return linalg.orth(np.where(np.abs(columns) < SINGULAR, 0.0, columns) / size, SINGULAR)


def p_larger(
    values: np.ndarray, first: np.ndarray, second: np.ndarray, residual: np.ndarray
) -> float:
    """Return the p-value of the sum of squares of ``first`` not being the larger one.

    That is of sums of squares of the settings alone, without errors; one-sided.

    Args:
        values: [n].
        first: orthonormal columns [n, df] of the space that the sum of squares is in.
        second: likewise, of the other one.
        residual: likewise, orthogonal to both.
    """
    df_rest = residual.shape[1]
    k = (first.shape[1] - second.shape[1]) / df_rest
    parts = [first @ (first.T @ values), -second @ (second.T @ values)]
    rest = residual @ (residual.T @ values)
    moved = sum(parts) - k * rest
    overlap = ((first.T @ second) ** 2).sum()
    trace = first.shape[1] + second.shape[1] - 2 * overlap + k**2 * df_rest
    error = rest @ rest / df_rest
    # What y'M²y holds of the errors is not μ's.
    of_mean = max(moved @ moved - error * trace, 0.0)
    statistic = values @ moved / math.sqrt(4 * error * of_mean + 2 * error**2 * trace)
    return float(stats.t.sf(statistic, df_rest))
