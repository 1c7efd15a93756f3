"""Two runs side by side: two studies, or one study run twice."""

from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from .differences import mean_over_seeds, paired_differences
from .measure_name import COMPARED
from .measure_names import describe, measures_of
from .numbers import format_estimate
from .render import Text, captioned
from .summary import VALUE_COLUMNS, seed_values
from .tables import NOT_CONVERGED, UNTRAINED, at_minima

KEYS = ["dataset", "network", "measure", "condition"]
# What the table ``measures`` of a run has.
COLUMNS = [*VALUE_COLUMNS, "view", "standard_error", "converged"]
# Differences of at least this many standard errors are marked.
MARKED = 2
CAPTION = (
    "Mean ± standard error over seeds of both, and the second minus the first: paired by seed where"
    " both have the same seeds, so that their errors are those of the differences; otherwise of"
    " independent means. Equal: the same values to twelve digits. Bold: at least"
    f" {MARKED} standard errors apart, which about one in twenty is by chance, more with few seeds."
)
MARKS = {
    UNTRAINED: "the network of at least one seed did not train (tables/trained of its study).",
    NOT_CONVERGED: "in at least one seed the solver stopped before all had converged, so that the"
    " outermost eigenvalue may be missing; or, of attacks, gradients are masked.",
}


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
        mean, standard error (``…_error``), number of seeds (``…_seeds``), of networks that did not
        train (``…_untrained``) and of values whose solver did not converge (``…_unconverged``),
        then ``difference`` (second - first), its ``standard_error`` and ``pairing``: ``by seed`` or
        ``none``.

    Raises:
        InputError: a column is missing, or the runs have no measure in common.
    """
    groups = [dict(iter(_values(*run).groupby(KEYS, sort=False))) for run in (first, second)]
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


def _values(measures: pd.DataFrame, disagreement: pd.DataFrame) -> pd.DataFrame:
    """Return the `seed_values` of a run, and whether each converged."""
    values = seed_values(measures, disagreement)
    keys = [*KEYS, "seed"]
    stopped = pd.MultiIndex.from_frame(at_minima(measures).query("not converged")[keys])
    return values.assign(converged=~pd.MultiIndex.from_frame(values[keys]).isin(stopped))


def _row(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Any]:
    values = [rows.set_index("seed")["value"].dropna().sort_index() for rows in (first, second)]
    paired = values[0].index.equals(values[1].index)
    errors = [float(mean_over_seeds(series.to_numpy()).error) for series in values]
    if paired:
        difference, error, _ = mean_over_seeds(paired_differences(values[1], values[0]))
    else:
        difference, error = values[1].mean() - values[0].mean(), float(np.hypot(*errors))
    row = {"family": first["family"].iloc[0], "unit": first["unit"].iloc[0]}
    for name, rows, series, own in zip(
        ("first", "second"), (first, second), values, errors, strict=True
    ):
        row |= {name: series.mean(), f"{name}_error": own, f"{name}_seeds": len(series)}
        row[f"{name}_untrained"] = int((~rows["trained"]).sum())
        row[f"{name}_unconverged"] = int((~rows["converged"]).sum())
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
        shown = measures_of(rows, *COMPARED)
        ordered = (row for measure in shown for row in by_measure[measure].itertuples())
        texts = [_text(row, names) for row in ordered]
        shown = "".join(text[name] for text in texts for name in names)
        marks = [f"{mark}: {meaning}" for mark, meaning in MARKS.items() if mark in shown]
        caption = " ".join([f"{network} on {dataset}. {CAPTION}", *marks])
        tables.append(captioned(texts, caption))
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
        names[0]: _marked(row, "first"),
        names[1]: _marked(row, "second"),
        "Difference": difference,
        "Seeds": ", ".join(dict.fromkeys([str(row.first_seeds), str(row.second_seeds)])),
    }


def _marked(row: tuple, run: str) -> str:
    """Return the estimate of a run with its marks."""
    estimate = format_estimate(getattr(row, run), getattr(row, f"{run}_error"))
    doubts = {UNTRAINED: f"{run}_untrained", NOT_CONVERGED: f"{run}_unconverged"}
    return " ".join([estimate, *(mark for mark, name in doubts.items() if getattr(row, name))])
