"""Our means and their errors beside the published ones, cell by cell."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as students_t

from ..errors import InputError, nearest
from .evidence import SIGNIFICANT
from .model_table import require
from .published import PUBLISHED_COLUMNS, published_errors, published_values
from .rank_correlation import POINTS, rank_correlation

OLDER_SOURCE = "geometric_reappraisal_2025"
# Data sets whose test images the papers augmented too, for conditions with augmentation.
AUGMENTED_TESTS = "tiny_imagenet"
# ρ of published conditions with SAM that name none.
USUAL_RHO = 0.05
VERDICTS = AGREES, DIFFERS, UNCERTAIN, OTHER_VIEW, NOT_RUN = (
    "agrees",
    "differs",
    "published value uncertain",
    "another view",
    "not run",
)


@dataclass(frozen=True)
class Counterpart:
    """What we measure that a published metric is compared with.

    ``measure`` is our name of it, ``by_source`` holds others for single sources. It is of the
    training data (``on_training_data``), augmented ones after training on such; of the test data
    (``on_test_data``); or its procedure augments whatever it is given (``augments_itself``).
    """

    measure: str
    by_source: Mapping[str, str] = field(default_factory=dict)
    on_training_data: bool = False
    on_test_data: bool = False
    augments_itself: bool = False


COUNTERPARTS = {
    "generalisation_gap": Counterpart("generalisation_gap", {}, True, True),
    "test_accuracy": Counterpart("test_accuracy", on_test_data=True),
    "test_ece": Counterpart("test_ece_published", on_test_data=True),
    "corruption_accuracy": Counterpart("corruption_accuracy"),
    "prediction_disagreement": Counterpart("prediction_disagreement", on_test_data=True),
    "fisher_rao_norm": Counterpart(
        "fisher_rao_norm", {OLDER_SOURCE: "fisher_rao_norm_l5"}, on_training_data=True
    ),
    "sam_sharpness": Counterpart("sam_sharpness_published", augments_itself=True),
    "relative_flatness": Counterpart("relative_flatness_published", on_training_data=True),
}
NETWORK = ["source", "dataset", "network"]
PLACE = ["published_dataset", "architecture", "pretrained"]
RUN_COLUMNS = ["dataset", "network", "condition", *PLACE, "published_condition", "rho", "augmented"]
# A column without any value is read as one of numbers.
TYPES = dict.fromkeys(("published_dataset", "architecture"), str)
TYPES |= {"rho": float, "pretrained": bool, "augmented": bool}
SUMMARY_KEY = ["dataset", "network", "condition", "view", "measure"]
OF_PUBLISHED = [
    "source",
    "table",
    "dataset",
    "network",
    "published_dataset",
    "architecture",
    "published_condition",
]
ESTIMATES = ["published", "published_sem", "ours", "ours_sem", "n_seeds_published", "n_seeds"]
COLUMNS = [*OF_PUBLISHED, "published_view", "rho", "condition", "metric", "measure", "view"]
COLUMNS += ESTIMATES
COLUMNS += ["error_from", "difference", "t", "df", "p_value", "verdict", "note"]
# Of two-sided tests.
REJECTED = 2 * SIGNIFICANT
ORDER_COLUMNS = ["value", "lower", "upper", "p_value", "n", "note"]
MEANS = "the published mean", "our mean"


def agreement_tables(
    summary: pd.DataFrame, conditions: pd.DataFrame, *published: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return every published cell beside ours (`compare`), and the `order_of_conditions`.

    The tables in ``published`` are as `published.published_values` takes them.
    """
    values = pd.concat(map(published_values, published))
    cells = compare(summary, published_runs(conditions), values)
    return cells, order_of_conditions(cells)


def published_runs(conditions: pd.DataFrame) -> pd.DataFrame:
    """Return the conditions that have a published counterpart, as `compare` takes them.

    A cell of a sweep has one if it differs from its base condition only in SAM's radius.
    """
    rows = conditions[conditions["published_dataset"].notna() & conditions["like_base_condition"]]
    rho = rows["sam.rho"].astype(float) if "sam.rho" in rows else float("nan")
    # Base conditions come before cells, which may repeat them.
    rows = rows.rename(columns={"base_condition": "published_condition"}).assign(rho=rho)
    rows = rows.assign(own=rows["condition"] == rows["published_condition"])
    keys = ["dataset", "network", "published_condition", "rho"]
    return rows.sort_values("own", ascending=False, kind="stable").drop_duplicates(keys)


def compare(summary: pd.DataFrame, runs: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Return each published cell of the networks of a study with our value and a verdict.

    ``t`` is the difference over its standard error, with the degrees of freedom ``df`` of Welch
    (1947, Biometrika 34, 28–35) and the two-sided ``p_value`` of no difference, which decides
    between agreement and a difference at the level of all tests. Published standard errors are of
    the standard deviation with n and are brought to n - 1, as ours; rounding of the published
    mean and error is added in quadrature. A value of ours without standard error is given the
    standard deviation over the published seeds (``error_from`` is then "published", otherwise
    "both").
    Published values of conditions that train with augmentation are on augmented data, unless the
    table has a column ``view`` that says otherwise (``published_view``). Ours are of the same view;
    where the summary has another alone, they are shown, and the verdict is that.

    Args:
        summary: our means.
        runs: which condition of ours a published one is: ``dataset``, ``network`` and
            ``condition`` (ours), ``published_dataset``, ``architecture``, ``pretrained``,
            ``published_condition`` and ``rho`` (the published one, NaN without SAM), ``augmented``.
        published: rows of `published_values`; a condition with SAM that names no ρ has 0.05.

    Returns:
        Data frame with the columns `COLUMNS`: a row per published cell and network of ours. Its
        ``published_sem`` is the corrected one, its ``verdict`` one of `VERDICTS`.

    Raises:
        InputError: a column is missing, a metric is unknown, or two conditions stand for one
            published condition.
    """
    require(summary, [*SUMMARY_KEY, "mean", "sem", "n_seeds"], "summary")
    require(runs, RUN_COLUMNS, "runs")
    require(published, [*PUBLISHED_COLUMNS, "rounding", "sem_rounding"], "published")
    values, pairs = _by_key(summary), _paired(published, runs).to_dict("records")
    return pd.DataFrame([_cell(row, values) for row in pairs], columns=COLUMNS)


def order_of_conditions(cells: pd.DataFrame) -> pd.DataFrame:
    """Return how far our means order the conditions as the published ones do.

    Uncertain published values and sweeps of SAM's radius in the ``cells`` of `compare` are left
    out. Columns are ``source``, ``dataset``, ``network``, ``metric`` and those of
    `rank_correlation.rank_correlation`; fewer than three conditions have no row.
    """
    usual = cells["rho"].isna() | (cells["rho"] == USUAL_RHO)
    used = cells[usual & cells["verdict"].isin([AGREES, DIFFERS])]
    keys = [*NETWORK, "metric"]
    # Of a condition with two published views the one in the paper's table.
    used = used.drop_duplicates([*keys, "published_condition"])
    rows = [
        dict(zip(keys, key, strict=True))
        | rank_correlation(group["published"], group["ours"], MEANS)
        for key, group in used.groupby(keys, sort=False)
        if len(group) >= POINTS
    ]
    return pd.DataFrame(rows, columns=[*keys, *ORDER_COLUMNS])


def verdict_counts(cells: pd.DataFrame) -> pd.DataFrame:
    """Return how many cells of each source, data set and network have each verdict."""
    counts = cells.groupby([*NETWORK, "verdict"], sort=False).size().unstack(fill_value=0)
    return counts.reindex(columns=VERDICTS, fill_value=0).rename_axis(columns=None).reset_index()


def counts_by_measure(cells: pd.DataFrame) -> pd.DataFrame:
    """Return how many cells of each published table agree, of how many that were compared.

    Columns are ``source``, ``table``, ``dataset``, ``network`` and one for each metric and "all",
    of texts such as "5 of 6", empty for a metric of which no cell was compared.
    """
    compared = cells[cells["verdict"].isin([AGREES, DIFFERS])]
    keys = ["source", "table", "dataset", "network"]
    both = pd.concat([compared, compared.assign(metric="all")])
    # A column without any number of a table is read as one of numbers.
    table = both["table"].astype(object).fillna("")
    agree = both.assign(agrees=both["verdict"] == AGREES, table=table)
    found = agree.groupby([*keys, "metric"], sort=False)["agrees"].agg(["sum", "count"])
    texts = [f"{agreeing} of {count}" for agreeing, count in found.itertuples(index=False)]
    table = pd.Series(texts, found.index, dtype=object).unstack(sort=False).fillna("")
    return table.rename_axis(columns=None).reset_index()


def _paired(published: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the published rows of the networks that run, each with our condition or ""."""
    unknown = set(published["metric"]) - set(COUNTERPARTS)
    if unknown:
        name = min(unknown)
        raise InputError(f"published: unknown metric '{name}'; {nearest(name, COUNTERPARTS)}")
    with_sam = published["published_condition"].str.endswith("_sam")
    usual = np.where(with_sam, USUAL_RHO, np.nan)
    rho = published["rho"].where(published["rho"].notna(), usual) if "rho" in published else usual
    published = published.assign(rho=rho).rename(columns={"dataset": "published_dataset"})
    # Merging takes NaN for equal to NaN, and so a condition without SAM for one without.
    runs = runs[RUN_COLUMNS].astype(TYPES)
    network = ["dataset", "network", *PLACE]
    keys = [*network, "published_condition", "rho"]
    twice = runs[runs.duplicated(keys)]
    if len(twice):
        row = twice.iloc[0]
        raise InputError(
            f"runs: {row['condition']} is not the only condition of {row['network']} on"
            f" {row['dataset']} for the published condition {row['published_condition']};"
            " keep one of them"
        )
    here = published.merge(runs[network].drop_duplicates(), on=PLACE)
    paired = here.merge(runs, on=keys, how="left")
    augmented = paired["augmented"].eq(True)
    return paired.assign(condition=paired["condition"].fillna(""), augmented=augmented)


def _by_key(summary: pd.DataFrame) -> dict[tuple, tuple]:
    """Return mean, standard error and number of seeds of each value that is there."""
    there = summary.dropna(subset="mean").set_index(SUMMARY_KEY)[["mean", "sem", "n_seeds"]]
    return {key: estimate for key, *estimate in there.itertuples(name=None)}


def _cell(row: Mapping[str, Any], values: Mapping[tuple, tuple]) -> dict[str, Any]:
    """Return one row of `compare` from a row of `_paired`."""
    counterpart = COUNTERPARTS[row["metric"]]
    measure = counterpart.by_source.get(row["source"], counterpart.measure)
    published_view = _published_view(row, counterpart)
    # The one that the published value is of comes first.
    views = sorted(("clean", "augmented"), key=lambda view: view != published_view)
    keys = {
        view: (row["dataset"], row["network"], row["condition"], view, measure) for view in views
    }
    view = next((view for view, key in keys.items() if key in values), "")
    mean, sem, seeds = values[keys[view]] if view else (math.nan, math.nan, 0)
    tested = _welch(row, mean, sem, seeds)
    differs = tested["p_value"] < REJECTED
    verdict = UNCERTAIN if row["uncertain"] else DIFFERS if differs else AGREES
    if view != published_view and not counterpart.augments_itself and verdict != UNCERTAIN:
        verdict = OTHER_VIEW
    return {
        **{column: row[column] for column in (*OF_PUBLISHED, "rho", "condition", "metric")},
        "published_view": published_view,
        "measure": measure,
        "view": view,
        "published": row["mean"],
        "published_sem": published_errors(row)[0],
        "ours": mean,
        "ours_sem": sem,
        "n_seeds_published": row["n_seeds"],
        "n_seeds": seeds,
        "error_from": ("published" if math.isnan(sem) else "both") if view else "",
        **tested,
        "verdict": verdict if view else NOT_RUN,
        "note": "; ".join(_notes(row, counterpart, view)),
    }


def _published_view(row: Mapping[str, Any], counterpart: Counterpart) -> str:
    """Return which view of the data a published value is of."""
    if isinstance(row.get("view"), str):
        return row["view"]
    tests_augmented = counterpart.on_test_data and row["published_dataset"] == AUGMENTED_TESTS
    on_augmented = counterpart.on_training_data or tests_augmented
    return "augmented" if row["augmented"] and on_augmented else "clean"


def _welch(row: Mapping[str, Any], mean: float, sem: float, seeds: int) -> dict[str, float]:
    """Return the difference from a published mean and its test, NaN without a value of ours.

    A deviation that was borrowed from the published seeds is one estimate for both means, and
    rounding is no estimate at all.
    """
    published_sem, deviation = published_errors(row)
    rounding, degrees = row["rounding"] ** 2, row["n_seeds"] - 1
    drawn = published_sem**2 - rounding
    if math.isnan(sem):
        estimated = [(drawn + deviation**2, degrees)]
    else:
        estimated = [(drawn, degrees), (sem**2, seeds - 1)]
    variance = rounding + sum(part for part, _ in estimated)
    df = variance**2 / sum(part**2 / of for part, of in estimated)
    t = (mean - row["mean"]) / math.sqrt(variance)
    p_value = 2 * students_t.sf(abs(t), df)
    return {"difference": mean - row["mean"], "t": t, "df": df, "p_value": p_value}


def _notes(row: Mapping[str, Any], counterpart: Counterpart, view: str) -> list[str]:
    """Return the published note, and how the published procedure differs from ours in this cell."""
    metric, seeds = row["metric"], row["n_seeds"]
    augmentation = row["published_condition"].startswith("augmentation")
    tiny = row["published_dataset"] == AUGMENTED_TESTS
    differences = {
        f"published SEM takes {seeds * (seeds - 1)} ordered pairs of seeds as independent and is"
        " too small": metric == "prediction_disagreement",
        "published on augmented test images": tiny and augmentation and counterpart.on_test_data,
        "published on a part of the training data": tiny and metric == "sam_sharpness",
        "a sum over mini-batches, the published one of 20 % of the training data": (
            metric == "relative_flatness" and row["published_dataset"] == "cifar100"
        ),
    }
    notes = [row["note"], *(text for text, holds in differences.items() if holds)]
    return [note for note in notes if note]
