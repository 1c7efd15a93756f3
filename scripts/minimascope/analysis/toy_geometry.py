"""Our numbers beside those in print."""

from typing import Any

import pandas as pd

from ..errors import InputError
from ..toy.curvature import hessian_geometry

MINIMUM = ["function", "minimum_x", "minimum_y"]
QUANTITIES = ["condition_number", "hessian_trace", "hessian_determinant", "max_eigenvalue"]
COLUMNS = [
    *MINIMUM,
    "quantity",
    "printed",
    "computed",
    "difference",
    "agrees_as_printed",
    "agrees_six_significant",
    "note",
]
DECIMALS = 3
SIGNIFICANT_FIGURES = 6

PADDED = (
    f"The printed figure is the value to {SIGNIFICANT_FIGURES} significant figures,"
    f" padded with zeros to {DECIMALS} decimals."
)
DIFFERENT = "The printed figure is not the value, neither at its decimals nor at six figures."


def compare_toy_geometry(printed: pd.DataFrame) -> pd.DataFrame:
    """Compare printed Hessian geometry of toy functions with the exact values.

    The values belong to the minima as they are stated, six decimals for Himmelblau's.

    Args:
        printed: a row per minimum, with columns ``function``, ``minimum_x``, ``minimum_y`` and
            the four quantities of `hessian_geometry`; a figure that is missing is left out.

    Returns:
        A row per figure, with columns ``function``, ``minimum_x``, ``minimum_y``, ``quantity``,
        ``printed``, ``computed``, ``difference`` (printed - computed), ``agrees_as_printed``
        (rounded to the three decimals of print, the computed value is the printed one),
        ``agrees_six_significant`` (it is when first rounded to six significant figures) and
        ``note`` (why a figure does not agree as printed, otherwise empty).

    Raises:
        InputError: if a column is missing or holds no numbers, or a function is unknown.
    """
    rows = []
    for row in _numeric(printed).to_dict("records"):
        minimum = {column: row[column] for column in MINIMUM}
        computed = hessian_geometry(*minimum.values())
        rows += [
            {**minimum, "quantity": quantity, **_compare(row[quantity], computed[quantity])}
            for quantity in QUANTITIES
            if not pd.isna(row[quantity])
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _numeric(printed: pd.DataFrame) -> pd.DataFrame:
    for column in MINIMUM + QUANTITIES:
        if column not in printed:
            raise InputError(f"printed toy geometry: no column '{column}'; add it")
    table = printed[MINIMUM + QUANTITIES].copy()
    for column in table.columns.drop("function"):
        try:
            table[column] = pd.to_numeric(table[column]).astype("float64")
        except (TypeError, ValueError) as error:
            raise InputError(
                f"printed toy geometry: column '{column}': {error}; give numbers only"
            ) from error
    return table


def _compare(printed: float, computed: float) -> dict[str, Any]:
    to_figures = float(f"{computed:.{SIGNIFICANT_FIGURES}g}")
    agrees_as_printed = round(computed, DECIMALS) == printed
    agrees_six_significant = round(to_figures, DECIMALS) == printed
    note = ""
    if not agrees_as_printed:
        note = PADDED if to_figures == printed else DIFFERENT
    return {
        "printed": printed,
        "computed": computed,
        "difference": printed - computed,
        "agrees_as_printed": agrees_as_printed,
        "agrees_six_significant": agrees_six_significant,
        "note": note,
    }
