"""Tables of the networks that learn toy functions."""

import math

import pandas as pd

from ..toy.functions import toy_function
from .collect import Documents
from .numbers import count_seeds, format_estimate, format_number
from .render import Text, captioned, in_blocks

COLUMNS = [
    *("function", "seed", "at", "value", "epoch", "train_loss", "test_loss", "gap"),
    *("radius", "sharpness", "standard_error", "sharpness_signed", "standard_error_signed"),
    *("noise_floor", "hessian_top_eigenvalue", "hessian_residual", "hessian_trace"),
    *("samples", "points", "seconds"),
]
# What a network was kept at, and of which there are means over seeds.
PLACE = ["function", "at", "value"]
QUANTITIES = (
    *("epoch", "train_loss", "test_loss", "gap", "sharpness"),
    *("hessian_top_eigenvalue", "hessian_trace"),
)
COUNT = "seeds"
GEOMETRY_CAPTION = (
    "Difference: published minus computed. Agrees: the computed value rounds to the three published"
    " decimals, or to the published six significant figures, which some are padded from."
)


def fits_table(documents: Documents) -> pd.DataFrame:
    """Return the rows of all documents of ``toy_sharpness``: one for each network and radius.

    A loss that a network never reached has one row, without a radius.
    """
    rows = [row for document in documents.values() for row in document["rows"]]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.astype({"epoch": "Int64", "samples": "Int64", "points": "Int64"})


def summarise_fits(table: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard error over seeds, a row for each function, place and radius.

    The standard error is the sample standard deviation (n - 1) over √n, NaN for a single seed;
    that of sharpness holds the scatter of the perturbations, too. ``seeds`` counts the networks
    that got there; where none did, there is no row.
    """
    reached = table.dropna(subset="epoch").astype({"epoch": float})
    groups = reached.groupby([*PLACE, "radius"], sort=False)
    summary = groups["seed"].count().rename(COUNT).to_frame()
    for name in QUANTITIES:
        summary[name] = groups[name].mean()
        summary[f"{name}_sem"] = groups[name].std() / summary[COUNT].map(math.sqrt)
    return summary.reset_index()


def text(summary: pd.DataFrame) -> Text:
    """Return the summary of `summarise_fits` for readers: a row for each function and place."""
    rows = []
    for (function, at, value), group in summary.groupby(PLACE, sort=False):
        first = group.iloc[0]
        place = f"epoch {value:g}" if at == "epoch" else f"loss ≤ {value:g}"
        cells = {
            "Kept at": f"{toy_function(function).label}, {place}",
            "Seeds": f"{first[COUNT]}",
            # Every network kept at an epoch is kept at the same one.
            "Epoch": f"{value:g}" if at == "epoch" else _estimate(first, "epoch"),
            "Training loss": _estimate(first, "train_loss"),
            "Test loss": _estimate(first, "test_loss"),
        }
        for _, row in group.iterrows():
            cells[f"S, ρ = {row['radius']:g}"] = _estimate(row, "sharpness")
        cells["Largest eigenvalue"] = _estimate(first, "hessian_top_eigenvalue")
        cells["Trace"] = _estimate(first, "hessian_trace")
        rows.append(cells)
    caption = (
        f"Networks that learn toy functions, mean ± standard error over"
        f" {count_seeds(summary[COUNT])}. Losses are mean squared errors; S is the SAM-sharpness of"
        " the training loss at radius ρ; eigenvalue and trace are those of its Hessian. An epoch is"
        " one step on all training points. A loss stands"
        " for the first epoch that reaches it, and Seeds counts the networks that do."
    )
    return [in_blocks(captioned(rows, caption))]


def geometry_text(table: pd.DataFrame) -> Text:
    """Return the rows of `toy_geometry.compare_toy_geometry`, which needs torch, for readers."""
    rows = [
        {
            "Function": row.function.replace("_", " "),
            "Minimum": f"({_short(row.minimum_x)}, {_short(row.minimum_y)})",
            "Quantity": row.quantity.replace("_", " "),
            "Published": format_number(row.published, ".7g"),
            "Computed": format_number(row.computed, ".7g"),
            "Difference": format_number(row.difference, ".1e") if row.difference else "0",
            "Agrees": _agrees(row),
        }
        for row in table.itertuples()
    ]
    return [captioned(rows, GEOMETRY_CAPTION)]


def _short(number: float) -> str:
    return format_number(number, "g")


def _agrees(row: tuple) -> str:
    if row.agrees_as_published:
        return "to its decimals"
    return "to six figures" if row.agrees_six_significant else "**no**"


def _estimate(row: pd.Series, name: str) -> str:
    return format_estimate(row[name], row[f"{name}_sem"])
