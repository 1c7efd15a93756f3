"""Summaries over seeds, and the values behind them: one per measure and seed.

A measure of pairs of models, such as the prediction disagreement, has no value of a single seed.
Its mean is over the pairs of seeds of a condition, its error a jackknife over models, since pairs
that share a model are not independent, and its values are the jackknife's pseudo-values.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from .collect import RUN
from .model_table import require
from .tables import at_minima

# Measures of pairs of models and the units of their data.
PAIR_MEASURES = {
    "prediction_disagreement": "fraction",
    "jensen_shannon_divergence": "nats",
    "l2_distance": "1",
}
SUMMARY_COLUMNS = [
    *("dataset", "network", "condition", "view", "family", "measure", "mean", "sem", "n_seeds"),
    *("n_untrained", "noise_floor", "converged", "unit", "protocol", "n"),
]
VALUE_COLUMNS = [*RUN, "trained", "family", "measure", "value", "unit", "protocol", "noise_floor"]


def summary_tables(
    measures: pd.DataFrame, disagreement: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the summary over seeds (`summarise`) and the `seed_values` behind it."""
    return summarise(measures, disagreement), seed_values(measures, disagreement)


def summarise(measures: pd.DataFrame, disagreement: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard error over seeds, one row per condition and measure.

    The standard error is the sample standard deviation (n - 1) over √n, NaN for a single seed.
    ``n_untrained`` says of how many of these seeds the network did not train.
    The noise floor is the mean over seeds of the larger of each value's own standard error and
    noise floor. ``n`` is the number of samples behind a value, the smallest over seeds, and NaN of
    measures of pairs.

    Args:
        measures: one row per number, with columns ``dataset``, ``network``, ``condition``,
            ``seed``, ``view``, ``family``, ``measure``, ``value``, ``unit``, ``protocol``, ``n``,
            ``standard_error``, ``noise_floor``, ``converged`` and ``trained``.
        disagreement: one row per unordered pair of models, with columns ``dataset``,
            ``network``, ``condition_a``, ``seed_a``, ``condition_b``, ``seed_b``, ``view`` (of
            the first model's test data) and the measures of pairs.

    Returns:
        Data frame with the columns `SUMMARY_COLUMNS`, in the order of ``measures``.

    Raises:
        InputError: if a model has two values of the same measure.
    """
    keys = ["dataset", "network", "condition", "view", "family", "measure", "unit", "protocol"]
    twice = measures[measures.duplicated([*keys, "seed"])]
    if len(twice):
        raise InputError(
            f"measures: two values of {twice.iloc[0]['measure']} for seed {twice.iloc[0]['seed']} "
            f"of {twice.iloc[0]['condition']}; collect each measurement file once"
        )
    floors = _floors(measures)
    parts = measures.assign(noise_floor=floors, n_untrained=~measures["trained"])
    grouped = parts.groupby(keys, sort=False)
    seeds = grouped["value"].agg(mean="mean", sem="sem", n_seeds="count")
    untrained, floor = grouped["n_untrained"].sum(), grouped["noise_floor"].mean()
    others = [untrained, floor, grouped["converged"].all(), grouped["n"].min()]
    seeds = seeds.join(others).reset_index()
    of_pairs = [
        own
        | dict(zip(("mean", "sem"), mean_over_pairs(matrix), strict=True))
        | {"n_untrained": int((~_trained(measures, own, matrix)).sum())}
        for own, matrix in _matrices(disagreement)
    ]
    pairs = pd.DataFrame(of_pairs, columns=SUMMARY_COLUMNS)
    parts = [part[SUMMARY_COLUMNS] for part in (seeds, pairs) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pairs


def seed_values(measures: pd.DataFrame, disagreement: pd.DataFrame) -> pd.DataFrame:
    """Return one value per trained model and measure, `pseudo_values` of measures of pairs.

    They are over pairs of networks that trained, NaN for the others.

    The noise floor is the larger of a value's own standard error and noise floor; NaN for neither.
    If there are several views of the data, a measure is on the one that `tables.at_minima` chooses.

    Returns:
        Data frame with the columns `VALUE_COLUMNS`.

    Raises:
        InputError: a column is missing.
    """
    require(measures, [*VALUE_COLUMNS, "standard_error"], "measures")
    minima = at_minima(measures)
    parts = [minima.assign(noise_floor=_floors(minima))[VALUE_COLUMNS]]
    for own, matrix in _matrices(disagreement):
        models = matrix.index.to_frame(index=False)
        trained, values = _trained(measures, own, matrix), np.full(len(matrix), np.nan)
        values[trained] = pseudo_values(matrix.loc[trained, trained].to_numpy())
        own |= {"value": values, "trained": trained, "noise_floor": np.nan}
        parts.append(models.assign(**own)[VALUE_COLUMNS])
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _floors(measures: pd.DataFrame) -> pd.Series:
    return measures[["standard_error", "noise_floor"]].astype(float).max(axis=1)


def pair_matrix(disagreement: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return a measure of pairs as a symmetric matrix over all models of one network.

    Rows and columns are (condition, seed), conditions in order of appearance and seeds
    ascending. The diagonal and pairs that are missing are NaN.
    """
    sides = [
        disagreement[[f"condition_{side}", f"seed_{side}"]].set_axis(["condition", "seed"], axis=1)
        for side in "ab"
    ]
    models = pd.concat(sides).drop_duplicates()
    order = np.lexsort((models["seed"], pd.factorize(models["condition"])[0]))
    models = pd.MultiIndex.from_frame(models.iloc[order])
    first, second = (models.get_indexer(pd.MultiIndex.from_frame(side)) for side in sides)
    matrix = np.full((len(models), len(models)), np.nan)
    matrix[first, second] = matrix[second, first] = disagreement[measure]
    return pd.DataFrame(matrix, index=models, columns=models)


def mean_over_pairs(matrix: np.ndarray) -> tuple[float, float]:
    """Return the mean of a measure over the pairs of m models, and its standard error.

    That is the jackknife's: with θ₍ᵢ₎ the mean over the pairs without model i and θ₍.₎ the mean of
    these, SE = √((m - 1)/m Σᵢ (θ₍ᵢ₎ - θ₍.₎)²) (Efron & Stein 1981). It is NaN for two models.

    Args:
        matrix: symmetric [m, m], entry (i, j) the measure between models i and j. The diagonal
            is not used; a NaN elsewhere makes both results NaN.
    """
    mean, without = _leave_one_out(matrix)
    models = len(without)
    variance = (models - 1) / models * ((without - without.mean()) ** 2).sum()
    return float(mean), float(np.sqrt(variance))


def pseudo_values(matrix: np.ndarray) -> np.ndarray:
    """Return the jackknife's pseudo-values, [m], of the mean over pairs of m models.

    That of model i is m θ - (m - 1) θ₍ᵢ₎, with θ the mean over all pairs and θ₍ᵢ₎ that over the
    pairs without model i (Tukey 1958). Their mean and standard error are those of
    `mean_over_pairs`; with fewer than three models there are none (NaN).
    """
    mean, without = _leave_one_out(matrix)
    return len(without) * mean - (len(without) - 1) * without


def _leave_one_out(matrix: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean over pairs of models and that without each model, [m], NaN for two."""
    models = len(matrix)
    if models < 2:
        return math.nan, np.full(models, np.nan)
    values = np.where(np.eye(models, dtype=bool), 0, matrix)
    total = values.sum() / 2
    mean = total / (models * (models - 1) / 2)
    if models < 3:
        return mean, np.full(models, np.nan)
    return mean, (total - values.sum(axis=1)) / ((models - 1) * (models - 2) / 2)


def _trained(measures: pd.DataFrame, own: Mapping[str, Any], matrix: pd.DataFrame) -> np.ndarray:
    """Return whether each model of a `pair_matrix` trained, [m]."""
    untrained = pd.MultiIndex.from_frame(measures.loc[~measures["trained"], RUN])
    models = matrix.index.to_frame(index=False)
    models = models.assign(dataset=own["dataset"], network=own["network"])
    return ~pd.MultiIndex.from_frame(models[RUN]).isin(untrained)


def _matrices(disagreement: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield each condition's `pair_matrix` of each measure of pairs, and what it is of."""
    same = disagreement[disagreement["condition_a"] == disagreement["condition_b"]]
    keys = ["dataset", "network", "condition_a"]
    for (dataset, network, condition), pairs in same.groupby(keys, sort=False):
        own = {"dataset": dataset, "network": network, "condition": condition}
        own |= {"view": pairs["view"].iloc[0], "family": "evaluation", "protocol": "corrected"}
        for measure, unit in PAIR_MEASURES.items():
            matrix = pair_matrix(pairs, measure)
            of_measure = {"measure": measure, "unit": unit, "converged": True, "n": np.nan}
            yield own | of_measure | {"n_seeds": len(matrix)}, matrix
