"""Our means beside the published ones, as tables to read."""

import math

import numpy as np
import pandas as pd

from .agreement import (
    COUNTERPARTS,
    DIFFERS,
    NETWORK,
    NOT_RUN,
    OTHER_VIEW,
    REJECTED,
    USUAL_RHO,
    counts_by_measure,
    verdict_counts,
)
from .correlations import cells as correlation_cells
from .measure_names import MEASURES
from .numbers import format_estimate, format_number
from .render import Text, captioned

COUNTS_CAPTION = (
    "Published values of the networks of this study, and how many of ours agree. t is our mean"
    " minus the published one, over the standard error of the difference; p is its two-sided"
    " p-value if nothing differs (Welch's t test, whose degrees of freedom come from both numbers"
    f" of seeds). Agrees: p ≥ {REJECTED:.2f}; differs: p < {REJECTED:.2f}; published value"
    " uncertain: a digit or its place is in doubt; another view: ours is on clean data and the"
    " published one on augmented data, or the reverse; not run: this study has no such value. Even"
    f" if all values agreed, about {100 * REJECTED:.0f} % would differ by chance, and up to 11 %"
    " with two seeds of ours, for which the test is inexact. With few seeds only large differences"
    " are sure, so that agreement says little. The two papers publish many of the same"
    " measurements; these are no independent evidence."
)
MEASURES_CAPTION = (
    "How many cells of each published table agree, of those that can be compared: by measure, and"
    " of all. Values in doubt and those of another view of the data are not compared. Table F.1 is"
    " the Fisher–Rao norm of augmentation on clean data, as Appendix F.1 gives it. In the other"
    " tables measures on training data (sharpness, generalisation gap) of conditions with"
    " augmentation are on augmented data, and so are those on the test data of Tiny ImageNet."
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
    " ours has no error of its own; it gets the deviation over the published seeds. Measures"
    " on training data (sharpness, generalisation gap) of conditions with augmentation are on"
    " augmented data, as in the papers; where a study has none"
    " of these, its clean ones stand beside, and are no agreement or difference."
    " Test ECE is the published one, with a bin of its own for confidence 1. The Fisher–Rao norm of"
    " 2025 has the factor L + 1 = 6 for every network. SAM-sharpness is the published one, with"
    " data shuffled and augmented again for every perturbation. Relative flatness is the published"
    " one, a sum over mini-batches that grows with the number of training samples. The published"
    " error of the prediction disagreement takes ordered pairs of seeds as independent; ours is a"
    " jackknife over models. The papers evaluated the conditions with augmentation of Tiny ImageNet"
    " on augmented test images."
)
NOTHING = "No published value belongs to a network of this study."


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
    names = {"source": "Source", "table": "Table", "dataset": "Data set", "network": "Network"}
    by_measure = counts_by_measure(cells)
    by_measure["table"] = list(map(_table_number, by_measure["table"]))
    labels = {metric: MEASURES[metric].label for metric in COUNTERPARTS} | {"all": "All"}
    tables = [
        captioned(verdict_counts(cells).rename(columns=names), COUNTS_CAPTION),
        captioned(by_measure.rename(columns=names | labels), MEASURES_CAPTION),
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
        "View": np.where(
            cells["verdict"] == OTHER_VIEW,
            cells["view"] + ", published " + cells["published_view"],
            cells["view"],
        ),
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
