"""Our means and their errors beside the published ones, cell by cell, and as tables to read."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as students_t

from ..errors import InputError, nearest
from .correlations import cells as correlation_cells
from .evidence import SIGNIFICANT
from .measure_names import MEASURES
from .model_table import require
from .numbers import format_estimate, format_number
from .published import PUBLISHED_COLUMNS, published_errors, published_values
from .rank_correlation import POINTS, rank_correlation
from .render import Text, captioned

OLDER_SOURCE = "geometric_reappraisal_2025"
# Data sets whose test images the papers augmented too, for conditions with augmentation.
AUGMENTED_TESTS = "tiny_imagenet"
# ρ of published conditions with SAM that name none.
USUAL_RHO = 0.05
VERDICTS = AGREES, DIFFERS, UNCERTAIN, NOT_RUN = (
    "agrees",
    "differs",
    "published value uncertain",
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
COLUMNS = [*OF_PUBLISHED, "rho", "condition", "metric", "measure", "view", *ESTIMATES]
COLUMNS += ["error_from", "difference", "t", "df", "p_value", "verdict", "note"]
# Of two-sided tests.
REJECTED = 2 * SIGNIFICANT
ORDER_COLUMNS = ["value", "lower", "upper", "p_value", "n", "note"]
MEANS = "the published mean", "our mean"
COUNTS_CAPTION = (
    "Published values of the networks of this study, and how many of ours agree. t is our mean"
    " minus the published one, over the standard error of the difference; p is its two-sided"
    " p-value if nothing differs (Welch's t test, whose degrees of freedom come from both numbers"
    f" of seeds). Agrees: p ≥ {REJECTED:.2f}; differs: p < {REJECTED:.2f}; published value"
    " uncertain: a digit or its place is in doubt; not run: this study has no such value. Even if"
    f" all values agreed, about {100 * REJECTED:.0f} % would differ by chance, and up to 11 % with"
    " two seeds of ours, for which the test is inexact. With few seeds only large differences are"
    " sure, so that agreement says little. The two papers publish many of the same measurements;"
    " these are no independent evidence."
)
ORDER_CAPTION = (
    "Whether the conditions come in the published order: Spearman's ρ between published means and"
    " ours (1: the same order, −1: the reverse) with its 95 % interval and two-sided p-value, over"
    " the n conditions that have both means, without values in doubt and sweeps of SAM's radius."
    " Interval and p-value take conditions as independent draws."
)
CELLS_CAPTION = (
    "Mean ± standard error; t and p as above. Published errors are corrected from the deviation"
    " with n to that with n − 1, and include the rounding of the published digits. A single seed of"
    " ours has no error of its own; it gets the deviation over the published seeds. Values of"
    " conditions with augmentation are on augmented data, as in the papers, if the view says so."
    " Test ECE is the published one, with a bin of its own for confidence 1. The Fisher–Rao norm of"
    " 2025 has the factor L + 1 = 6 for every network. SAM-sharpness is the published one, with"
    " data shuffled and augmented again for every perturbation. Relative flatness is the published"
    " one, a sum over mini-batches that grows with the number of training samples. The published"
    " error of the prediction disagreement takes ordered pairs of seeds as independent; ours is a"
    " jackknife over models. The papers evaluated the conditions with augmentation of Tiny ImageNet"
    " on augmented test images."
)
NOTHING = "No published value belongs to a network of this study."


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
    Values of conditions that train with augmentation are those on augmented data (``view``)
    where the papers used these and the summary has them.

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
    tests_augmented = counterpart.on_test_data and row["published_dataset"] == AUGMENTED_TESTS
    augmented = row["augmented"] and (counterpart.on_training_data or tests_augmented)
    views = ("augmented", "clean") if augmented else ("clean",)
    if counterpart.augments_itself:
        views = ("clean", "augmented")
    keys = {
        view: (row["dataset"], row["network"], row["condition"], view, measure) for view in views
    }
    view = next((view for view, key in keys.items() if key in values), "")
    mean, sem, seeds = values[keys[view]] if view else (math.nan, math.nan, 0)
    tested = _welch(row, mean, sem, seeds)
    differs = tested["p_value"] < REJECTED
    verdict = UNCERTAIN if row["uncertain"] else DIFFERS if differs else AGREES
    return {
        **{column: row[column] for column in (*OF_PUBLISHED, "rho", "condition", "metric")},
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
        "published on augmented training data, ours on clean data": (
            augmentation and counterpart.on_training_data and view == "clean"
        ),
        "published on augmented test images": tiny and augmentation and counterpart.on_test_data,
        "published on a part of the training data": tiny and metric == "sam_sharpness",
        "a sum over mini-batches, the published one of 20 % of the training data": (
            metric == "relative_flatness" and row["published_dataset"] == "cifar100"
        ),
    }
    notes = [row["note"], *(text for text, holds in differences.items() if holds)]
    return [note for note in notes if note]


def condition_label(condition: str, rho: float) -> str:
    """Return a published condition's name, with its ρ where that is not the usual one."""
    return condition if math.isnan(rho) or rho == USUAL_RHO else f"{condition}, ρ = {rho:g}"


def text(cells: pd.DataFrame, order: pd.DataFrame) -> Text:
    """Return counts of verdicts, the `order_of_conditions`, all cells of `compare`, their notes."""
    notes = [f"Note {number}: {note}." for note, number in _note_numbers(_run(cells)).items()]
    return [*_tables(cells, order), *notes] or [NOTHING]


def _tables(cells: pd.DataFrame, order: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the tables as text, those without rows left out."""
    ranks = [
        {name: getattr(row, name) for name in NETWORK}
        | {"Metric": MEASURES[row.metric].label}
        | correlation_cells(row)
        for row in order.itertuples()
    ]
    names = {"source": "Source", "dataset": "Data set", "network": "Network"}
    tables = [
        captioned(verdict_counts(cells).rename(columns=names), COUNTS_CAPTION),
        *([captioned(pd.DataFrame(ranks).rename(columns=names), ORDER_CAPTION)] if ranks else []),
        captioned(_cells_text(_run(cells)), CELLS_CAPTION),
    ]
    return [table for table in tables if len(table)]


def _run(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells for which the study has a value; the others are counted alone."""
    return cells[cells["verdict"] != NOT_RUN]


def _cells_text(cells: pd.DataFrame) -> pd.DataFrame:
    numbers = _note_numbers(cells)
    columns = {
        "Source": cells["source"],
        "Table": map(_table_number, cells["table"]),
        "Data set": cells["dataset"],
        "Network": cells["network"],
        "Published condition": map(condition_label, cells["published_condition"], cells["rho"]),
        "Condition": cells["condition"],
        "Measure": [MEASURES[measure].column_label for measure in cells["measure"]],
        "View": cells["view"],
        "Published": map(format_estimate, cells["published"], cells["published_sem"]),
        "Ours": map(format_estimate, cells["ours"], cells["ours_sem"]),
        "Seeds": cells["n_seeds"],
        "t": [format_number(t, "+.1f") for t in cells["t"]],
        "p": list(map(format_estimate, cells["p_value"])),
        "Verdict": cells["verdict"].replace(DIFFERS, f"**{DIFFERS}**"),
        "Note": [numbers.get(note, "") for note in cells["note"]],
    }
    return pd.DataFrame({name: list(column) for name, column in columns.items()}).fillna("")


def _note_numbers(cells: pd.DataFrame) -> dict[str, int]:
    """Return the number of each note, in order of appearance."""
    notes = dict.fromkeys(filter(None, cells["note"].dropna()))
    return {note: number for number, note in enumerate(notes, 1)}


def _table_number(table: str | float) -> str:
    """Return the number of a published table; read from a file it is a float, and NaN for none."""
    return table if isinstance(table, str) else "" if math.isnan(table) else f"{table:g}"
