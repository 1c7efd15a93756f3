"""How closely sharpness goes with evaluations over models: three correlations with intervals."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from .model_table import require
from .numbers import MISSING, format_estimate, format_interval

COLUMNS = [
    *("dataset", "network", "sharpness", "evaluation", "statistic", "value", "lower", "upper"),
    *("p_value", "n", "left_out", "note"),
]
ALL_NETWORKS = "all"
# Fewer models have no correlation to speak of.
MODELS = 3
# Of more, Spearman's p-value is that of a t distribution, which is 0 for any perfect order.
PERMUTED = 7
LEVEL = 0.95
RESAMPLES = 2000
# Of the resamples, which are the same for all pairs with as many models.
SEED = 0
# Means of accuracies that are equal differ by less; as they are, they would break ties.
DECIMALS = 12


def correlations(
    models: pd.DataFrame,
    sharpness: Sequence[str],
    evaluations: Sequence[str],
    *,
    resamples: int = RESAMPLES,
) -> pd.DataFrame:
    """Return Spearman's, Pearson's and Kendall's (τ-b) correlation with sharpness.

    Of each measure of sharpness with each evaluation of a data set, over the models of all its
    networks and, if it has several, of each. The p-value is SciPy's, two-sided and not adjusted
    for their number (see also `spearman`); the interval is that of `interval`. Evaluations are
    rounded to 12 decimals before ranking. What has fewer than three models, or is the same for
    all, has no value, and ``note`` says why.

    Args:
        models: one row each; ``left_out`` counts those that did not train.
        sharpness: columns of it.
        evaluations: likewise.
        resamples: of the bootstrap.

    Raises:
        InputError: a column is missing.
    """
    require(models, ["dataset", "network", "trained", *sharpness, *evaluations], "models")
    rows = []
    for (dataset, network), group in groups(models):
        kept = group[group["trained"]]
        origin = {"dataset": dataset, "network": network, "left_out": len(group) - len(kept)}
        for measure, evaluation in product(sharpness, evaluations):
            names = {"sharpness": measure, "evaluation": evaluation}
            found = correlate(kept[measure], kept[evaluation], resamples)
            rows += [origin | names | row for row in found]
    return pd.DataFrame(rows, columns=COLUMNS)


def correlate(
    sharpness: Sequence[float],
    evaluation: Sequence[float],
    resamples: int = RESAMPLES,
    names: tuple[str, str] = ("sharpness", "evaluation"),
) -> list[dict[str, Any]]:
    """Return a row of each statistic over pairs; pairs that are not finite are left out.

    Rows have ``statistic``, ``value``, ``lower``, ``upper``, ``p_value``, ``n`` and ``note``, in
    which the two quantities go by the ``names``.
    """
    x, y = finite_pairs(sharpness, np.asarray(evaluation, dtype=float).round(DECIMALS))
    if missing := _why_missing(x, y, names):
        nothing = dict.fromkeys(("value", "lower", "upper", "p_value"), np.nan)
        nothing |= {"n": len(x), "note": missing}
        return [{"statistic": statistic, **nothing} for statistic in STATISTICS]
    draws = np.random.default_rng(SEED).integers(len(x), size=(resamples, len(x)))
    rows = []
    for statistic, (correlation, over_draws) in STATISTICS.items():
        value, p_value = correlation(x, y)
        lower, upper, note = interval(over_draws(x, y, draws))
        row = {"statistic": statistic, "value": value, "lower": lower, "upper": upper}
        rows.append(row | {"p_value": p_value, "n": len(x), "note": note})
    return rows


def finite_pairs(x: Sequence[float], y: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of which both values are finite."""
    pairs = np.column_stack([x, y]).astype(float)
    return tuple(pairs[np.isfinite(pairs).all(axis=1)].T)


def interval(values: np.ndarray) -> tuple[float, float, str]:
    """Return the 95 % percentile interval of a statistic over bootstrap resamples, and a note.

    Resamples in which it does not exist (NaN) are left out. The note says how many these are, or
    that all others are alike, which happens with perfect correlations and says nothing about
    their uncertainty; otherwise it is empty.
    """
    found = values[~np.isnan(values)]
    if not len(found):
        return np.nan, np.nan, "no resample has a correlation"
    tail = (1 - LEVEL) / 2
    lower, upper = np.quantile(found, [tail, 1 - tail])
    if np.ptp(found) < 10.0**-DECIMALS:
        return lower, upper, "all resamples are alike: the interval has no width"
    lost = len(values) - len(found)
    note = f"{lost} of {len(values)} resamples are the same for all models, left out"
    return lower, upper, note if lost else ""


def pearson_over_draws(x: np.ndarray, y: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return Pearson's r of x and y, [n], for each resample, [m], which drew models, [m, n].

    It is NaN where one of them is the same for all models drawn.
    """
    return _pearson(x[draws], y[draws])


def spearman_over_draws(x: np.ndarray, y: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return Spearman's ρ of each resample, as `pearson_over_draws` does r."""
    return _pearson(stats.rankdata(x[draws], axis=1), stats.rankdata(y[draws], axis=1))


def kendall_over_draws(x: np.ndarray, y: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return Kendall's τ-b of each resample, as `pearson_over_draws` does r.

    With c_i the number of times that model i was drawn, τ-b = Σ c_i c_j s_ij t_ij /
    √(Σ c_i c_j s_ij² · Σ c_i c_j t_ij²), where s and t are the signs of the differences.
    """
    counts = np.stack([(draws == model).sum(1) for model in range(len(x))], axis=1).astype(float)
    signs = [np.sign(values[:, None] - values) for values in (x, y)]
    both, first, second = (
        np.einsum("mi,mi->m", counts @ product, counts)
        for product in (signs[0] * signs[1], signs[0] ** 2, signs[1] ** 2)
    )
    return _ratio(both, first, second)


def spearman(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return Spearman's ρ and its two-sided p-value, over all permutations of up to 7 models."""
    found = stats.spearmanr(x, y)
    if len(x) > PERMUTED:
        return found.statistic, found.pvalue
    first, second = stats.rankdata(x), stats.rankdata(y)
    exact = stats.permutation_test(
        (first,),
        lambda ranks, axis: _pearson(np.atleast_2d(ranks), second[None]).squeeze(),
        permutation_type="pairings",
        n_resamples=np.inf,
    )
    return found.statistic, exact.pvalue


# Each with its value and p-value, and its values over resamples.
STATISTICS = {
    "spearman": (spearman, spearman_over_draws),
    "pearson": (stats.pearsonr, pearson_over_draws),
    "kendall": (stats.kendalltau, kendall_over_draws),
}
LABELS = {"spearman": "Spearman's ρ", "pearson": "Pearson's r", "kendall": "Kendall's τ"}


def with_p_value(row: tuple) -> str:
    """Return a correlation with its interval and p-value as text."""
    if pd.isna(row.value):
        return MISSING
    estimate = format_interval(row.value, row.lower, row.upper, ".2f")
    return f"{estimate}, p = {format_estimate(row.p_value)}"


def groups(models: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Yield the models of each data set together, then by network if there are several."""
    for dataset, group in models.groupby("dataset", sort=False):
        yield (dataset, ALL_NETWORKS), group
        if group["network"].nunique() > 1:
            for network, part in group.groupby("network", sort=False):
                yield (dataset, network), part


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    # The mean of equal values need not be exactly that value.
    constant = (np.ptp(x, axis=1) == 0) | (np.ptp(y, axis=1) == 0)
    x, y = (values - values.mean(axis=1, keepdims=True) for values in (x, y))
    products = (np.einsum("mn,mn->m", *pair) for pair in ((x, y), (x, x), (y, y)))
    return np.where(constant, np.nan, _ratio(*products))


def _ratio(both: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    scale = np.sqrt(first) * np.sqrt(second)
    found = np.divide(both, scale, out=np.full_like(scale, np.nan), where=scale > 0)
    return np.clip(found, -1, 1)


def _why_missing(x: np.ndarray, y: np.ndarray, names: tuple[str, str]) -> str:
    if len(x) < MODELS:
        return f"fewer than {MODELS} models"
    constant = [name for name, v in zip(names, (x, y), strict=True) if np.ptp(v) == 0]
    return f"{constant[0]} is the same for all models" if constant else ""
