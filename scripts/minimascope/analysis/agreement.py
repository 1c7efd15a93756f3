"""Our means and their errors beside those in print, cell by cell."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import kendalltau

from ..errors import InputError, nearest

OLDER_SOURCE = "geometric_reappraisal_2025"
# Of which print augmented the test images too, for the controls with augmentation.
AUGMENTED_TESTS = "tiny_imagenet"
# ρ of printed controls with SAM where print names none.
USUAL_RHO = 0.05
# A difference of this many standard errors or less is agreement.
SIGMAS = 2
VERDICTS = AGREES, DIFFERS, UNCERTAIN, NOT_RUN = ("agrees", "differs", "print uncertain", "not run")
# Fewer controls have no order to speak of.
CONTROLS = 3


@dataclass(frozen=True)
class Counterpart:
    """What we measure that a printed metric is compared with.

    ``measure`` is our name of it, ``by_source`` holds others for single sources. Print measured
    it on the training data, augmented after training on such, or needs the test data, or its
    procedure augments whatever it is given.
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
PLACE = ["printed_dataset", "architecture", "pretrained"]
RUN_COLUMNS = ["dataset", "network", "condition", *PLACE, "control", "rho", "augmented"]
PRINTED_KEY = ["source", "table", "dataset", "architecture", "pretrained", "control", "metric"]
PRINTED_COLUMNS = [*PRINTED_KEY, "mean", "sem", "n_seeds", "uncertain", "note"]
SUMMARY_KEY = ["dataset", "network", "condition", "view", "measure"]
OF_PRINT = ["source", "table", "dataset", "network", "printed_dataset", "architecture", "control"]
ESTIMATES = ["printed", "printed_sem", "ours", "ours_sem", "n_seeds_printed", "n_seeds"]
COLUMNS = [*OF_PRINT, "rho", "condition", "metric", "measure", "view", *ESTIMATES]
COLUMNS += ["error_from", "difference", "z", "verdict", "note"]


def printed_values(text: pd.DataFrame) -> pd.DataFrame:
    """Return a table of printed means and standard errors with what their rounding is worth.

    A printed number stands for any that is rounded to it: up to half a unit of its last digit
    away, which as a uniform distribution has the standard deviation half / √3. That of ``mean``
    becomes the column ``rounding``, that of ``sem`` ``sem_rounding``. Numbers, ``pretrained`` and
    ``uncertain`` are converted; ``table`` stays text, and cells that are empty are empty text.

    Args:
        text: ``resources/print/deep_models.csv`` or ``sam_rho_sweep.csv``, all cells as text:
            a float does not say how many digits were printed.

    Raises:
        InputError: if a column is missing or holds something else than it should.
    """
    _require(text, PRINTED_COLUMNS, "printed")
    printed = text.assign(
        rounding=text["mean"].map(_rounding),
        sem_rounding=text["sem"].map(_rounding),
        pretrained=_booleans(text["pretrained"]),
        uncertain=_booleans(text["uncertain"]),
        n_seeds=_numbers(text["n_seeds"]).astype(int),
        mean=_numbers(text["mean"]),
        sem=_numbers(text["sem"]),
    )
    if (printed["n_seeds"] < 2).any():
        raise InputError("printed: n_seeds below 2 has no standard error; leave such rows out")
    return printed.assign(rho=_numbers(text["rho"])) if "rho" in text else printed


def compare(summary: pd.DataFrame, runs: pd.DataFrame, printed: pd.DataFrame) -> pd.DataFrame:
    """Return each printed cell of the networks of a study with our value and a verdict.

    z is the difference over its standard error. Printed standard errors are of the standard
    deviation with n and are brought to n - 1, as ours; rounding of the printed mean and error
    is added in quadrature. A value of ours without standard error is given the standard
    deviation over the printed seeds (``error_from`` is then "print", otherwise "both").
    Values of conditions that train with augmentation are those on augmented data (``view``)
    where print used these and the summary has them.

    Args:
        summary: `tables.SUMMARY_COLUMNS`.
        runs: which condition of ours a printed control is: ``dataset``, ``network`` and
            ``condition`` (ours), ``printed_dataset``, ``architecture``, ``pretrained``,
            ``control`` and ``rho`` (of print, NaN without SAM), ``augmented``.
        printed: rows of `printed_values`; a control with SAM that names no ρ has 0.05.

    Returns:
        Data frame with the columns `COLUMNS`: a row per printed cell and network of ours. Its
        ``printed_sem`` is the corrected one, its ``verdict`` one of `VERDICTS`.

    Raises:
        InputError: a column is missing, a metric is unknown, or two conditions stand for one
            printed control.
    """
    _require(summary, [*SUMMARY_KEY, "mean", "sem", "n_seeds"], "summary")
    _require(runs, RUN_COLUMNS, "runs")
    _require(printed, [*PRINTED_COLUMNS, "rounding", "sem_rounding"], "printed")
    values, pairs = _by_key(summary), _paired(printed, runs).to_dict("records")
    return pd.DataFrame([_cell(row, values) for row in pairs], columns=COLUMNS)


def order_of_controls(cells: pd.DataFrame) -> pd.DataFrame:
    """Return how far our means order the controls as the printed ones do.

    Uncertain print and sweeps of ρ in the ``cells`` of `compare` are left out. Columns are
    ``source``, ``dataset``, ``network``, ``metric``, ``controls`` (how many have both means),
    ``tau`` (Kendall's τ-b, NaN where all means are equal) and ``p``; fewer than three controls
    have no row.

    Raises:
        InputError: if a column is missing.
    """
    _require(cells, COLUMNS, "cells")
    usual = cells["rho"].isna() | (cells["rho"] == USUAL_RHO)
    used = cells[usual & cells["verdict"].isin([AGREES, DIFFERS])]
    keys = ["source", "dataset", "network", "metric"]
    rows = [
        (*key, len(group), *kendalltau(group["printed"], group["ours"]))
        for key, group in used.groupby(keys, sort=False)
        if len(group) >= CONTROLS
    ]
    return pd.DataFrame(rows, columns=[*keys, "controls", "tau", "p"])


def verdict_counts(cells: pd.DataFrame) -> pd.DataFrame:
    """Return how many cells of each source, data set and network have each verdict.

    Raises:
        InputError: if a column is missing.
    """
    keys = ["source", "dataset", "network"]
    _require(cells, [*keys, "verdict"], "cells")
    counts = cells.groupby([*keys, "verdict"], sort=False).size().unstack(fill_value=0)
    return counts.reindex(columns=VERDICTS, fill_value=0).rename_axis(columns=None).reset_index()


def _require(frame: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    missing = [column for column in columns if column not in frame]
    if missing:
        raise InputError(f"{name}: no column '{missing[0]}'; add it")


def _rounding(number: str) -> float:
    try:
        return 10.0 ** Decimal(number).as_tuple().exponent / 2 / math.sqrt(3)
    except (InvalidOperation, TypeError) as error:
        raise InputError(f"printed: '{number}' is no number; give it as printed") from error


def _numbers(text: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    if numbers.isna().any():
        raise InputError(f"printed: column '{text.name}': a cell is no number; give numbers only")
    return numbers


def _booleans(text: pd.Series) -> pd.Series:
    truth = text.str.lower().map({"true": True, "false": False})
    if truth.isna().any():
        wrong = text[truth.isna()].iloc[0]
        raise InputError(f"printed: column '{text.name}': '{wrong}'; give true or false")
    return truth.astype(bool)


def _paired(printed: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the printed rows of the networks that run, each with our condition or ""."""
    unknown = set(printed["metric"]) - set(COUNTERPARTS)
    if unknown:
        name = min(unknown)
        raise InputError(f"printed: unknown metric '{name}'; {nearest(name, COUNTERPARTS)}")
    with_sam = printed["control"].str.endswith("_sam")
    usual = np.where(with_sam, USUAL_RHO, np.nan)
    rho = printed["rho"].where(printed["rho"].notna(), usual) if "rho" in printed else usual
    printed = printed.assign(rho=rho).rename(columns={"dataset": "printed_dataset"})
    # Merging takes NaN for equal to NaN, and so a control without SAM for one without.
    runs = runs[RUN_COLUMNS].astype({"rho": float, "pretrained": bool, "augmented": bool})
    network = ["dataset", "network", *PLACE]
    keys = [*network, "control", "rho"]
    twice = runs[runs.duplicated(keys)]
    if len(twice):
        row = twice.iloc[0]
        raise InputError(
            f"runs: {row['condition']} is not the only condition of {row['network']} on"
            f" {row['dataset']} for the printed control {row['control']}; keep one of them"
        )
    here = printed.merge(runs[network].drop_duplicates(), on=PLACE)
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
    tests_augmented = counterpart.on_test_data and row["printed_dataset"] == AUGMENTED_TESTS
    augmented = row["augmented"] and (counterpart.on_training_data or tests_augmented)
    views = ("augmented", "clean") if augmented else ("clean",)
    if counterpart.augments_itself:
        views = ("clean", "augmented")
    keys = {
        view: (row["dataset"], row["network"], row["condition"], view, measure) for view in views
    }
    view = next((view for view, key in keys.items() if key in values), "")
    mean, sem, seeds = values[keys[view]] if view else (math.nan, math.nan, 0)
    printed_sem, deviation = printed_errors(row)
    difference = mean - row["mean"]
    z = difference / math.hypot(printed_sem, deviation if math.isnan(sem) else sem)
    verdict = UNCERTAIN if row["uncertain"] else AGREES if abs(z) <= SIGMAS else DIFFERS
    return {
        **{column: row[column] for column in (*OF_PRINT, "rho", "condition", "metric")},
        "measure": measure,
        "view": view,
        "printed": row["mean"],
        "printed_sem": printed_sem,
        "ours": mean,
        "ours_sem": sem,
        "n_seeds_printed": row["n_seeds"],
        "n_seeds": seeds,
        "error_from": ("print" if math.isnan(sem) else "both") if view else "",
        "difference": difference,
        "z": z,
        "verdict": verdict if view else NOT_RUN,
        "note": "; ".join(_notes(row, counterpart, view)),
    }


def printed_errors(row: Mapping[str, Any]) -> tuple[float, float]:
    """Return a printed mean's standard error and the standard deviation over its seeds.

    The square of an error that was rounded is on average the printed one's plus the variance of
    rounding: with it an error printed as 0.000 is not zero.
    """
    values = row["n_seeds"]
    if row["metric"] == "prediction_disagreement":
        values *= values - 1  # ordered pairs
    sem = math.hypot(row["sem"], row["sem_rounding"]) * math.sqrt(values / (values - 1))
    return math.hypot(sem, row["rounding"]), sem * math.sqrt(values)


def _notes(row: Mapping[str, Any], counterpart: Counterpart, view: str) -> list[str]:
    """Return the note of print and how print's procedure differs from ours in this cell."""
    metric, seeds = row["metric"], row["n_seeds"]
    augmentation = row["control"].startswith("augmentation")
    tiny = row["printed_dataset"] == AUGMENTED_TESTS
    differences = {
        f"printed SEM takes {seeds * (seeds - 1)} ordered pairs of seeds as independent and is"
        " too small": metric == "prediction_disagreement",
        "print on augmented training data, ours on clean data": (
            augmentation and counterpart.on_training_data and view == "clean"
        ),
        "print on augmented test images": tiny and augmentation and counterpart.on_test_data,
        "print on a part of the training data": tiny and metric == "sam_sharpness",
        "a sum over mini-batches, in print of 20 % of the training data": (
            metric == "relative_flatness" and row["printed_dataset"] == "cifar100"
        ),
    }
    notes = [row["note"], *(text for text, holds in differences.items() if holds)]
    return [note for note in notes if note]
