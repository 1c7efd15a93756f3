"""The comparison with print as tables to read."""

import math

import pandas as pd

from .agreement import DIFFERS, USUAL_RHO, verdict_counts
from .measure_names import MEASURES
from .numbers import format_estimate, format_number
from .render import Text

COUNTS_CAPTION = (
    "Printed values of the networks of this study, and how many of ours agree. z is our mean minus"
    " the printed one over the standard error of that difference. Agrees: at most 2 standard errors"
    " (|z| ≤ 2); differs: more; print uncertain: a printed digit or its place is in doubt; not run:"
    " this study has no such value. About 5 % of values that agree would differ by chance, more"
    " with few seeds, whose standard errors are uncertain themselves. The two papers print many of"
    " the same measurements, which are not evidence twice."
)
ORDER_CAPTION = (
    "Whether the controls come in the printed order: Kendall's τ-b between printed means and ours"
    " (1: the same order, −1: the reverse) over the controls that have both, without uncertain"
    " print and sweeps of ρ, and its two-sided p-value, which is at least 1/3 for three controls"
    " and 1/12 for four."
)
CELLS_CAPTION = (
    "Mean ± standard error; z as above. Printed errors are brought from the deviation with n to"
    " that with n − 1, and hold the rounding of print. A single seed of ours, without an error, is"
    " given the deviation over the printed seeds. Values of controls with augmentation are on"
    " augmented data, as in print, where the view says so. Test ECE is the published one,"
    " with a bin of its own for confidence 1. The Fisher–Rao norm of 2025 has the factor L + 1 = 6"
    " for every network. SAM-sharpness is the published one, with data shuffled and augmented anew"
    " for every perturbation. Relative flatness is the published one, a sum over mini-batches that"
    " grows with the number of training samples. The printed error of the prediction disagreement"
    " takes ordered pairs of seeds as independent; ours is a jackknife over models. Print"
    " evaluated the augmentation controls of Tiny ImageNet on augmented test images."
)
NOTHING = "No printed value belongs to a network of this study."


def control_label(control: str, rho: float) -> str:
    """Return a printed control's name, with its ρ where that is not the usual one."""
    return control if math.isnan(rho) or rho == USUAL_RHO else f"{control}, ρ = {rho:g}"


def text(cells: pd.DataFrame, order: pd.DataFrame) -> Text:
    """Return counts of verdicts, the order of controls, all cells and their notes.

    Args:
        cells: rows of `agreement.compare`.
        order: rows of `agreement.order_of_controls`.
    """
    notes = [f"Note {number}: {note}." for note, number in _note_numbers(cells).items()]
    return [*_tables(cells, order), *notes] or [NOTHING]


def _tables(cells: pd.DataFrame, order: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the tables as text, those without rows left out."""
    names = {"source": "Source", "dataset": "Data set", "network": "Network"}
    ranks = order.assign(
        metric=order["metric"].map(lambda metric: MEASURES[metric].label),
        tau=[format_number(tau, ".2f") for tau in order["tau"]],
        p=[format_number(p, ".3f") for p in order["p"]],
    ).rename(columns={"metric": "Metric", "controls": "Controls", "tau": "τ"})
    tables = [(verdict_counts(cells), COUNTS_CAPTION), (ranks, ORDER_CAPTION)]
    tables = [(table.rename(columns=names).set_index("Source"), text) for table, text in tables]
    tables.append((_cells_table(cells), CELLS_CAPTION))
    for table, caption in tables:
        table.attrs["caption"] = caption
    return [table for table, _ in tables if len(table)]


def _cells_table(cells: pd.DataFrame) -> pd.DataFrame:
    numbers = _note_numbers(cells)
    columns = {
        "Source": cells["source"],
        "Table": map(_table_number, cells["table"]),
        "Data set": cells["dataset"],
        "Network": cells["network"],
        "Control": map(control_label, cells["control"], cells["rho"]),
        "Condition": cells["condition"],
        "Measure": [MEASURES[measure].column_label for measure in cells["measure"]],
        "View": cells["view"],
        "Print": map(format_estimate, cells["printed"], cells["printed_sem"]),
        "Ours": map(format_estimate, cells["ours"], cells["ours_sem"]),
        "Seeds": cells["n_seeds"],
        "z": [format_number(z, "+.1f") for z in cells["z"]],
        "Verdict": cells["verdict"].replace(DIFFERS, f"**{DIFFERS}**"),
        "Note": [numbers.get(note, "") for note in cells["note"]],
    }
    table = pd.DataFrame({name: list(column) for name, column in columns.items()})
    return table.fillna("").set_index("Source")


def _note_numbers(cells: pd.DataFrame) -> dict[str, int]:
    """Return the number of each note, in order of appearance."""
    return {
        note: i for i, note in enumerate(dict.fromkeys(filter(None, cells["note"].dropna())), 1)
    }


def _table_number(table: str | float) -> str:
    """Return the number of a printed table, which read from a file is a float, and NaN for none."""
    return table if isinstance(table, str) else "" if math.isnan(table) else f"{table:g}"
