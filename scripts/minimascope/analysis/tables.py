"""Summaries over seeds, and the papers' tables as text."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..registry import INITIAL, SHARPNESS
from .measure_names import MEASURES, MeasureName, measures_of
from .numbers import MISSING, count_seeds, format_estimate
from .pairs import mean_over_pairs

NetworkTable = Callable[[pd.DataFrame, str, str], pd.DataFrame]
# Measures of pairs of models and the units of their data.
PAIR_MEASURES = {
    "prediction_disagreement": "fraction",
    "jensen_shannon_divergence": "nats",
    "l2_distance": "1",
}
MAIN_MEASURES = (
    "generalisation_gap",
    "test_accuracy",
    "accuracy_in_domain",
    "accuracy_out_of_domain",
    "domain_gap",
    "test_ece",
    "corruption_accuracy",
    "corruption_accuracy_generated",
    "prediction_disagreement",
    "fisher_rao_norm",
    "sam_sharpness",
    "relative_flatness",
    "asc_sharpness",
)
SUMMARY_COLUMNS = [
    "dataset",
    "network",
    "condition",
    "view",
    "family",
    "measure",
    "mean",
    "sem",
    "n_seeds",
    "noise_floor",
    "converged",
    "unit",
    "protocol",
]
# Beside their corrected twins in the table of sharpness.
PUBLISHED_MEASURES = (
    "fisher_rao_norm_l5",
    "sam_sharpness_published",
    "sam_sharpness_null",
    "relative_flatness_published",
    "hessian_smallest_eigenvalue",
    "asc_sharpness_max",
    "asc_sharpness_cv",
)
# A value this many times its noise floor or less is marked.
FLOORS = 2
BELOW_FLOOR, NOT_CONVERGED = "†", "‡"
MARKS = {
    BELOW_FLOOR: f"less than {FLOORS} times its noise floor, which is its own standard error,"
    " rounding, or the null of the published procedure.",
    NOT_CONVERGED: "in at least one seed the solver stopped before all that it was asked for had"
    " converged, so that the outermost eigenvalue may be missing.",
}


def summarise(measures: pd.DataFrame, disagreement: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard error over seeds, one row per condition and measure.

    The standard error is the sample standard deviation (n - 1) over √n, NaN for a single seed.
    The noise floor is the mean over seeds of the larger of each value's own standard error and
    noise floor. Measures of pairs of models are means over the unordered pairs of seeds of one
    condition, with a jackknife over models for the standard error.

    Args:
        measures: one row per number, with columns ``dataset``, ``network``, ``condition``,
            ``seed``, ``view``, ``family``, ``measure``, ``value``, ``unit``, ``protocol``,
            ``standard_error``, ``noise_floor`` and ``converged``.
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
    floors = measures[["standard_error", "noise_floor"]].astype(float).max(axis=1)
    grouped = measures.assign(noise_floor=floors).groupby(keys, sort=False)
    seeds = grouped["value"].agg(mean="mean", sem="sem", n_seeds="count")
    seeds = seeds.join([grouped["noise_floor"].mean(), grouped["converged"].all()]).reset_index()
    pairs = pd.DataFrame(_over_pairs(disagreement), columns=SUMMARY_COLUMNS)
    parts = [part[SUMMARY_COLUMNS] for part in (seeds, pairs) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pairs


def pair_matrix(disagreement: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return a measure of pairs as a symmetric matrix over all models of one network.

    Rows and columns are (condition, seed), conditions in order of appearance and seeds
    ascending. The diagonal and pairs that are missing are NaN.
    """
    pairs = [
        pd.MultiIndex.from_arrays(
            [disagreement[f"condition_{side}"], disagreement[f"seed_{side}"]],
            names=["condition", "seed"],
        )
        for side in "ab"
    ]
    models = pairs[0].append(pairs[1]).unique()
    conditions = models.get_level_values("condition").unique()
    order = np.lexsort(
        (models.get_level_values("seed"), conditions.get_indexer(models.get_level_values(0)))
    )
    models = models[order]
    first, second = (models.get_indexer(side) for side in pairs)
    matrix = np.full((len(models), len(models)), np.nan)
    matrix[first, second] = matrix[second, first] = disagreement[measure]
    return pd.DataFrame(matrix, index=models, columns=models)


def _over_pairs(disagreement: pd.DataFrame) -> list[dict[str, Any]]:
    same = disagreement[disagreement["condition_a"] == disagreement["condition_b"]]
    rows = []
    for (dataset, network, condition), pairs in same.groupby(
        ["dataset", "network", "condition_a"], sort=False
    ):
        for measure, unit in PAIR_MEASURES.items():
            matrix = pair_matrix(pairs, measure).to_numpy()
            mean, error = mean_over_pairs(matrix)
            rows.append(
                {
                    "dataset": dataset,
                    "network": network,
                    "condition": condition,
                    "view": pairs["view"].iloc[0],
                    "family": "evaluation",
                    "measure": measure,
                    "mean": mean,
                    "sem": error,
                    "n_seeds": len(matrix),
                    "converged": True,
                    "unit": unit,
                    "protocol": "corrected",
                }
            )
    return rows


def at_minima(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of trained networks, one view of the data each.

    That is the clean one, or the augmented one where a study measures nothing else.
    """
    rows = frame[frame["condition"] != INITIAL]
    clean = rows["view"] == "clean"
    keys = ["dataset", "network", "condition", "measure"]
    return rows[clean | ~clean.groupby([rows[key] for key in keys]).transform("any")]


def main_table(summary: pd.DataFrame, dataset: str, network: str) -> pd.DataFrame:
    """Return the papers' table of one network: a row per condition, a column per measure.

    Cells read ``mean ± standard error``. The best value of an evaluation and the largest (the
    sharpest) of a sharpness measure are in ``**``; means equal to it as printed are marked too.
    A dagger marks a mean of less than twice its noise floor, a double one a solver that stopped
    early. Measures without any value have no column. ``table.attrs["caption"]`` explains the marks.

    Raises:
        InputError: if the summary has no row for the data set and network.
    """
    rows = at_minima(_rows_of(summary, dataset, network))
    conditions = rows["condition"].unique()
    rows = rows[rows["measure"].isin(MAIN_MEASURES)]
    present = set(rows["measure"])
    names = {measure: MEASURES[measure] for measure in MAIN_MEASURES if measure in present}
    table = _table(rows, names, conditions).reindex(conditions)
    caption = _caption(dataset, network, rows, names)
    table.attrs["caption"] = f"{caption} {_explained_marks(table)}".strip()
    return table


def sharpness_table(summary: pd.DataFrame, dataset: str, network: str) -> pd.DataFrame:
    """Return all measures of sharpness of one network, with their published twins and floors.

    Rows are conditions, augmented views of their data and the initial weights; see `main_table`.

    Raises:
        InputError: if the summary has no row for the data set and network.
    """
    rows = _rows_of(summary, dataset, network)
    rows = rows[rows["family"].isin(SHARPNESS)]
    labels = [
        condition if view == "clean" else f"{condition} ({view} data)"
        for condition, view in zip(rows["condition"], rows["view"], strict=True)
    ]
    rows = rows.assign(condition=labels)
    present = set(rows["measure"])
    names = measures_of(rows, "sharpness")
    names |= {name: MEASURES[name] for name in PUBLISHED_MEASURES if name in present}
    rows = rows[rows["measure"].isin(names)]
    compared = at_minima(_rows_of(summary, dataset, network))["condition"].unique()
    table = _table(rows, names, compared).reindex(rows["condition"].unique())
    seeds = count_seeds(rows["n_seeds"])
    table.attrs["caption"] = (
        f"{network} on {dataset}: mean ± standard error over {seeds}. Published: as the papers'"
        " code computed it. SAM-sharpness, null, is the published procedure without any"
        f" perturbation. Bold: the sharpest. {_explained_marks(table)}"
    )
    return table


def each_network(table: NetworkTable, summary: pd.DataFrame) -> list[pd.DataFrame]:
    """Return a table of text (`main_table`, `sharpness_table`) of each data set and network."""
    return [table(summary, *names) for names in _networks(summary)]


def all_networks(table: NetworkTable, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the same as one table, with columns ``dataset`` and ``network``."""
    keys, names = _networks(summary), ["dataset", "network"]
    return pd.concat(each_network(table, summary), keys=keys, names=names).reset_index()


def _networks(summary: pd.DataFrame) -> list[tuple[str, str]]:
    pairs = summary[["dataset", "network"]].drop_duplicates()
    return list(pairs.itertuples(index=False, name=None))


main_text, main_tables = partial(each_network, main_table), partial(all_networks, main_table)
sharpness_text = partial(each_network, sharpness_table)
sharpness_tables = partial(all_networks, sharpness_table)


def _rows_of(summary: pd.DataFrame, dataset: str, network: str) -> pd.DataFrame:
    rows = summary[(summary["dataset"] == dataset) & (summary["network"] == network)]
    if rows.empty:
        raise InputError(f"tables: no measurements of {network} on {dataset}; check both names")
    return rows


def _table(
    rows: pd.DataFrame, names: Mapping[str, MeasureName], compared: Iterable[str]
) -> pd.DataFrame:
    """Return the formatted cells of a summary's rows, conditions × measures.

    The extreme value of each measure is marked among the conditions that are compared.
    """
    by_measure = {
        measure: rows[rows["measure"] == measure].set_index("condition") for measure in names
    }
    table = pd.DataFrame(
        {
            name.column_label: _column(by_measure[measure], name, compared)
            for measure, name in names.items()
        }
    )
    table.index.name = "Condition"
    return table.fillna(MISSING)


def _explained_marks(table: pd.DataFrame) -> str:
    text = "".join(table.astype(str).to_numpy().ravel())
    return " ".join(f"{mark}: {meaning}" for mark, meaning in MARKS.items() if mark in text)


def _column(rows: pd.DataFrame, name: MeasureName, compared: Iterable[str]) -> pd.Series:
    """Return the cells of one measure by condition, the extreme and the doubtful ones marked."""
    means, errors = rows["mean"], rows["sem"]
    cells = pd.Series(map(format_estimate, means, errors), index=rows.index, dtype=object)
    ranked = means[means.index.isin(compared)]
    if ranked.count() > 1 and name.category != "diagnostic":
        extreme = ranked.idxmin() if name.direction == "lower is better" else ranked.idxmax()
        printed = ranked.map(lambda mean: format_estimate(mean, errors[extreme]))
        best = ranked.index[printed == printed[extreme]]
        cells[best] = "**" + cells[best] + "**"
    cells[means.abs() < FLOORS * rows["noise_floor"]] += f" {BELOW_FLOOR}"
    cells[~rows["converged"]] += f" {NOT_CONVERGED}"
    return cells


def _caption(
    dataset: str, network: str, rows: pd.DataFrame, names: Mapping[str, MeasureName]
) -> str:
    sharpness = [name.label for name in names.values() if name.category == "sharpness"]
    parts = [f"{network} on {dataset}: mean ± standard error over {count_seeds(rows['n_seeds'])}."]
    if "prediction_disagreement" in names:
        parts.append("Prediction disagreement: over pairs of seeds, jackknife standard error.")
    parts.append("Bold: the best value of each evaluation")
    if sharpness:
        parts[-1] += f"; of {', '.join(sharpness)} the largest, that is the sharpest"
    return " ".join(parts) + "."
