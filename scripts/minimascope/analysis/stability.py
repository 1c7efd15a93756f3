"""Whether the sharpness of a landscape depends on the random directions it is cut along."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from .collect import RUN, Documents, rows_of
from .rank_correlation import POINTS
from .tables import at_minima

MEASURE = "asc_sharpness"
VALUE_COLUMNS = [*RUN, "view", "direction_seed", "value"]
MODEL_COLUMNS = [
    *(*RUN, "view", "pairs", "mean", "standard_deviation", "cv", "standard_error"),
    *("relative_standard_error", "threshold", "pairs_needed"),
]
ORDER_COLUMNS = [
    *("dataset", "kind", "pairs", "total_pairs", "tau", "tau_std", "tau_low", "tau_high"),
    *("splits", "models", "note"),
]
FIRST, SPLIT_HALF = "first", "split_half"
THRESHOLD = 0.05
SPLITS = 100
# Fewer pairs of directions have no halves to compare.
PAIRS = 4
SEED = 0


def pair_values(documents: Documents) -> pd.DataFrame:
    """Return the ASC sharpness of trained models along each pair of directions, in percent.

    Columns are `VALUE_COLUMNS`, each model on one view of the data (see `tables.at_minima`).

    Args:
        documents: of `sharpness.landscape.measure`, by the path they were read from.

    Raises:
        InputError: a document holds no values of pairs; names its path.
    """

    def rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
        details, origin = document["details"], document["run"] | {"view": document["view"]}
        pairs = zip(details["direction_seeds"], details[MEASURE], strict=True)
        return [origin | {"direction_seed": seed, "value": value} for seed, value in pairs]

    table = rows_of(documents, rows, "document of landscapes").assign(measure=MEASURE)
    return at_minima(table)[VALUE_COLUMNS].reset_index(drop=True)


def stability_tables(
    values: pd.DataFrame, threshold: float = THRESHOLD
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the `stability` of each model and the `order_stability` of all."""
    return stability(values, threshold), order_stability(values)


def stability(values: pd.DataFrame, threshold: float = THRESHOLD) -> pd.DataFrame:
    """Return how well the mean over pairs of directions is known, one row per model.

    The standard deviation has n - 1, ``cv`` is it over the mean, ``standard_error`` it over √n,
    and ``pairs_needed`` the number of pairs for a relative standard error of at most the
    threshold, ⌈(cv / threshold)²⌉. A single pair has none of these.

    Args:
        values: rows of `pair_values`.
        threshold: of the relative standard error, as a fraction.

    Returns:
        Data frame with the columns `MODEL_COLUMNS`.
    """
    grouped = values.groupby([*RUN, "view"], sort=False)["value"]
    table = grouped.agg(pairs="count", mean="mean", standard_deviation="std").reset_index()
    cv = table["standard_deviation"] / table["mean"].where(table["mean"] > 0)
    root = np.sqrt(table["pairs"])
    # Rounded, since (0.35 / 0.05)² must be 49 and not a little more.
    needed = np.ceil(((cv / threshold) ** 2).round(9)).clip(lower=1)
    return table.assign(
        cv=cv,
        standard_error=table["standard_deviation"] / root,
        relative_standard_error=cv / root,
        threshold=threshold,
        pairs_needed=needed.astype("Int64"),
    )[MODEL_COLUMNS]


def order_stability(values: pd.DataFrame, splits: int = SPLITS) -> pd.DataFrame:
    """Return how far the order of models depends on the number of pairs of directions.

    Kendall's τ-b between the models' means over ``pairs`` pairs, ``kind``

    - "first": the first ones, and all of them. The former are among the latter, so that τ grows
      to 1 by itself.
    - "split_half": disjoint random sets of so many pairs each, up to half of all, of four pairs
      or more: what a repetition with other directions would give. Mean over random splits, with
      standard deviation (``tau_std``) and 2.5 and 97.5 % points (``tau_low``, ``tau_high``).

    Over the models of a data set with the most pairs of directions, if these are three or more;
    otherwise over all models, and the pairs that all of them have.

    Args:
        values: rows of `pair_values`.
        splits: random ones for each number of pairs.

    Returns:
        Data frame with the columns `ORDER_COLUMNS`. ``tau`` is NaN with fewer than three models or
        where all have the same mean; ``note`` says so, and how many models or pairs are left out.
    """
    rows = []
    for dataset, group in values.groupby("dataset", sort=False):
        matrix = group.pivot(index=RUN, columns="direction_seed", values="value")
        matrix = matrix[group["direction_seed"].unique()]
        complete = matrix.dropna(axis=0)
        shared = (complete if len(complete) >= POINTS else matrix.dropna(axis=1)).to_numpy()
        note = _note(shared, *matrix.shape)
        size = {"dataset": dataset, "total_pairs": shared.shape[1], "models": len(shared)}
        found = [*_first_pairs(shared), *_random_halves(shared, splits)]
        rows += [{**size, **row, "note": note} for row in found]
    return pd.DataFrame(rows, columns=ORDER_COLUMNS)


def _first_pairs(matrix: np.ndarray) -> Iterator[dict[str, Any]]:
    """Yield the rows of the first k pairs; of values models × pairs, which may be none."""
    total = matrix.shape[1]
    for pairs in range(min(1, total), total + 1):
        tau = _tau(matrix[:, :pairs], matrix) if pairs else np.nan
        yield {"kind": FIRST, "pairs": pairs, "tau": tau, "splits": 1}


def _random_halves(matrix: np.ndarray, splits: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of disjoint random sets of k pairs; of values models × pairs."""
    total = matrix.shape[1]
    if total < PAIRS:
        return
    rng = np.random.default_rng(SEED)
    orders = [rng.permutation(total) for _ in range(splits)]
    for pairs in range(1, total // 2 + 1):
        halves = ((matrix[:, order[:pairs]], matrix[:, order[-pairs:]]) for order in orders)
        taus = np.array([_tau(*both) for both in halves])
        low, high = np.quantile(taus, [0.025, 0.975])
        spread = {"tau_std": taus.std(ddof=1), "tau_low": low, "tau_high": high}
        row = {"kind": SPLIT_HALF, "pairs": pairs, "tau": taus.mean(), "splits": splits}
        yield row | spread


def _tau(first: np.ndarray, second: np.ndarray) -> float:
    if len(first) < POINTS:
        return np.nan
    return kendalltau(first.mean(axis=1), second.mean(axis=1)).statistic


def _note(shared: np.ndarray, all_models: int, pairs: int) -> str:
    """Return what is wrong with values models × shared pairs, of so many models and pairs."""
    models, kept = shared.shape
    if models < POINTS:
        return f"fewer than {POINTS} models"
    if models < all_models:
        return f"{models} of {all_models} models have all {pairs} pairs of directions"
    if kept < pairs:
        return f"{kept} of {pairs} pairs of directions are there for all models"
    constant = (np.ptp(shared, axis=0) == 0).any()
    return "a pair of directions gives all models the same value" if constant else ""
