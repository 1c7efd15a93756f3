"""The comparison with print as tables to read."""

import math

import pandas as pd

from .agreement import DIFFERS, USUAL_RHO, verdict_counts
from .html import page, paragraph, table_html
from .measure_names import MEASURES
from .tables import MISSING, format_estimate
from .tables import to_markdown as table_markdown

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


def to_markdown(cells: pd.DataFrame, order: pd.DataFrame) -> str:
    """Return counts of verdicts, the order of controls and all cells in Markdown."""
    tables = map(table_markdown, _tables(cells, order))
    notes = [f"{note}\n" for note in _note_paragraphs(cells)]
    return "\n".join([*tables, *notes]) or f"{NOTHING}\n"


def to_html(cells: pd.DataFrame, order: pd.DataFrame) -> str:
    """Return what `to_markdown` does as one HTML page."""
    tables = [
        part
        for table in _tables(cells, order)
        for part in (table_html(table), paragraph(table.attrs["caption"]))
    ]
    return page(*(tables or [paragraph(NOTHING)]), *map(paragraph, _note_paragraphs(cells)))


def _tables(cells: pd.DataFrame, order: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the tables as text, those without rows left out."""
    names = {"source": "Source", "dataset": "Data set", "network": "Network"}
    ranks = order.assign(
        metric=order["metric"].map(lambda metric: MEASURES[metric].label),
        tau=[_number(tau, ".2f") for tau in order["tau"]],
        p=[_number(p, ".3f") for p in order["p"]],
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
        "Table": cells["table"],
        "Data set": cells["dataset"],
        "Network": cells["network"],
        "Control": map(control_label, cells["control"], cells["rho"]),
        "Condition": cells["condition"],
        "Measure": [MEASURES[measure].column_label for measure in cells["measure"]],
        "View": cells["view"],
        "Print": map(format_estimate, cells["printed"], cells["printed_sem"]),
        "Ours": map(format_estimate, cells["ours"], cells["ours_sem"]),
        "Seeds": cells["n_seeds"],
        "z": [_number(z, "+.1f") for z in cells["z"]],
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


def _note_paragraphs(cells: pd.DataFrame) -> list[str]:
    return [f"Note {number}: {note}." for note, number in _note_numbers(cells).items()]


def _number(value: float, form: str) -> str:
    return MISSING if math.isnan(value) else f"{value:{form}}".replace("-", "−")
