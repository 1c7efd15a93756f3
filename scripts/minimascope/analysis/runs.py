"""Two runs side by side: two studies, or one study run twice."""

from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from .differences import mean_over_seeds, paired_differences
from .measure_names import describe, measures_of
from .numbers import format_estimate
from .render import Text, captioned
from .summary import seed_values

KEYS = ["dataset", "network", "measure", "condition"]
# Differences of so many standard errors or more are marked.
MARKED = 2
CAPTION = (
    "Mean ± standard error over seeds of both, and the second minus the first: paired by seed where"
    " both have the same seeds, so that their errors are those of the differences; otherwise of"
    " independent means. Equal: the same values to twelve digits. Bold: at least"
    f" {MARKED} standard errors apart, which about one in twenty is by chance, more with few seeds."
)


def compare_runs(
    first: tuple[pd.DataFrame, pd.DataFrame], second: tuple[pd.DataFrame, pd.DataFrame]
) -> pd.DataFrame:
    """Return every measure of every condition that both runs have.

    Args:
        first: the tables ``measures`` and ``disagreement`` of a run, as `summary.seed_values`
            takes them.
        second: the same of the other run.

    Returns:
        Data frame with `KEYS`, ``family``, ``unit``, and for the runs ``first`` and ``second``
        mean, standard error (``…_error``) and number of seeds (``…_seeds``), then ``difference``
        (second - first), its ``standard_error`` and ``pairing``: ``by seed`` or ``none``.

    Raises:
        InputError: a column is missing, or the runs have no measure in common.
    """
    groups = [dict(iter(seed_values(*run).groupby(KEYS, sort=False))) for run in (first, second)]
    common = [key for key in groups[0] if key in groups[1]]
    if not common:
        raise InputError(
            "the two runs have no measure of a condition in common; compare runs with the same"
            " names of data sets, networks and conditions"
        )
    rows = [
        dict(zip(KEYS, key, strict=True)) | _row(groups[0][key], groups[1][key]) for key in common
    ]
    return pd.DataFrame(rows)


def _row(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Any]:
    values = [rows.set_index("seed")["value"].dropna().sort_index() for rows in (first, second)]
    paired = values[0].index.equals(values[1].index)
    errors = [float(mean_over_seeds(series.to_numpy()).error) for series in values]
    if paired:
        difference, error, _ = mean_over_seeds(paired_differences(values[1], values[0]))
    else:
        difference, error = values[1].mean() - values[0].mean(), float(np.hypot(*errors))
    row = {"family": first["family"].iloc[0], "unit": first["unit"].iloc[0]}
    for name, series, own in zip(("first", "second"), values, errors, strict=True):
        row |= {name: series.mean(), f"{name}_error": own, f"{name}_seeds": len(series)}
    row |= {"difference": difference, "standard_error": error}
    return row | {"pairing": "by seed" if paired else "none"}


def run_tables(found: pd.DataFrame, names: tuple[str, str]) -> Text:
    """Return a table of text of each data set and network, with its caption.

    Args:
        found: rows of `compare_runs`.
        names: what the two runs are called.
    """
    tables = []
    for (dataset, network), rows in found.groupby(["dataset", "network"], sort=False):
        by_measure = dict(iter(rows.groupby("measure", sort=False)))
        shown = measures_of(rows, "evaluation", "sharpness", "training")
        ordered = (row for measure in shown for row in by_measure[measure].itertuples())
        caption = f"{network} on {dataset}. {CAPTION}"
        tables.append(captioned([_text(row, names) for row in ordered], caption))
    return tables


def _text(row: tuple, names: tuple[str, str]) -> dict[str, str]:
    difference = format_estimate(row.difference, row.standard_error)
    if row.difference == 0 and not row.standard_error > 0:
        difference = "equal"
    elif abs(row.difference) >= MARKED * row.standard_error:
        difference = f"**{difference}**"
    return {
        "Measure": describe(row.measure, row.family, row.unit).column_label,
        "Condition": row.condition,
        names[0]: format_estimate(row.first, row.first_error),
        names[1]: format_estimate(row.second, row.second_error),
        "Difference": difference,
        "Seeds": ", ".join(dict.fromkeys([str(row.first_seeds), str(row.second_seeds)])),
    }
