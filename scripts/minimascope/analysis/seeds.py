"""The values that conditions are compared by: one per measure and seed."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from .collect import RUN
from .model_table import require
from .tables import PAIR_MEASURES, at_minima, pair_matrix, summarise

COLUMNS = [*RUN, "family", "measure", "value", "unit", "protocol"]


def summary_tables(
    measures: pd.DataFrame, disagreement: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the summary over seeds (`tables.summarise`) and the `seed_values` behind it."""
    return summarise(measures, disagreement), seed_values(measures, disagreement)


def seed_values(measures: pd.DataFrame, disagreement: pd.DataFrame) -> pd.DataFrame:
    """Return one value per trained model and measure, measures of pairs of models included.

    Of several views of the data a measure is on the one that `tables.at_minima` chooses. A measure
    of pairs, such as the prediction disagreement, has no value of a single seed; it is given the
    jackknife's pseudo-value (`pseudo_values`), so that mean and standard error over seeds are
    those of `tables.summarise`.

    Args:
        measures: rows of `collect.tidy`.
        disagreement: one row per pair of models, as `tables.summarise` takes them.

    Returns:
        Data frame with the columns `COLUMNS`.

    Raises:
        InputError: a column is missing.
    """
    require(measures, COLUMNS, "measures")
    parts = [at_minima(measures)[COLUMNS], *_of_pairs(disagreement)]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def pseudo_values(matrix: np.ndarray) -> np.ndarray:
    """Return the jackknife's pseudo-values, [m], of the mean over pairs of m models.

    That of model i is m θ - (m - 1) θ₍ᵢ₎, with θ the mean over all pairs and θ₍ᵢ₎ that over the
    pairs without model i (Tukey 1958). Their mean is θ, and their standard error the jackknife's;
    with fewer than three models there are none (NaN).

    Args:
        matrix: symmetric [m, m]; the diagonal is not used.
    """
    models = len(matrix)
    if models < 3:
        return np.full(models, np.nan)
    values = np.where(np.eye(models, dtype=bool), 0, matrix)
    total = values.sum() / 2
    mean = total / (models * (models - 1) / 2)
    without = (total - values.sum(axis=1)) / ((models - 1) * (models - 2) / 2)
    return models * mean - (models - 1) * without


def _of_pairs(disagreement: pd.DataFrame) -> Iterator[pd.DataFrame]:
    same = disagreement[disagreement["condition_a"] == disagreement["condition_b"]]
    keys = ["dataset", "network", "condition_a"]
    for (dataset, network, _), pairs in same.groupby(keys, sort=False):
        for measure, unit in PAIR_MEASURES.items():
            matrix = pair_matrix(pairs, measure)
            yield matrix.index.to_frame(index=False).assign(
                dataset=dataset,
                network=network,
                family="evaluation",
                measure=measure,
                value=pseudo_values(matrix.to_numpy()),
                unit=unit,
                protocol="corrected",
            )[COLUMNS]
