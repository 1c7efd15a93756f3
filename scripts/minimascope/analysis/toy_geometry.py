"""The curvature of toy functions at their minima beside the published one."""

from typing import Any

import pandas as pd

from ..toy.curvature import hessian_geometry
from .published import numeric

MINIMUM = ["function", "minimum_x", "minimum_y"]
QUANTITIES = ["condition_number", "hessian_trace", "hessian_determinant", "max_eigenvalue"]
COLUMNS = [
    *(*MINIMUM, "quantity", "published", "computed", "difference"),
    *("agrees_as_published", "agrees_six_significant", "note"),
]
DECIMALS = 3
SIGNIFICANT_FIGURES = 6
PADDED = (
    f"The published figure is the value to {SIGNIFICANT_FIGURES} significant figures,"
    f" padded with zeros to {DECIMALS} decimals."
)
DIFFERENT = "The published figure is not the value, neither at its decimals nor at six figures."


def compare_toy_geometry(published: pd.DataFrame) -> pd.DataFrame:
    """Compare published Hessian geometry of toy functions with the exact values.

    The values belong to the minima as they are stated, six decimals for Himmelblau's.

    Args:
        published: a row per minimum, with columns ``function``, ``minimum_x``, ``minimum_y`` and
            the four quantities of `hessian_geometry`; a figure that is missing is left out.

    Returns:
        A row per figure with the columns `COLUMNS`: ``difference`` is published - computed,
        ``agrees_as_published`` whether the computed value rounds to the three published decimals,
        ``agrees_six_significant`` whether it does when first rounded to six significant figures,
        and ``note`` why a figure does not agree as published, otherwise empty.

    Raises:
        InputError: if a column is missing or holds no numbers, or a function is unknown.
    """
    rows = []
    table = numeric(published, [*MINIMUM[1:], *QUANTITIES], "published toy geometry")
    for row in table.to_dict("records"):
        minimum = {column: row[column] for column in MINIMUM}
        computed = hessian_geometry(*minimum.values())
        rows += [
            {**minimum, "quantity": quantity, **_compare(row[quantity], computed[quantity])}
            for quantity in QUANTITIES
            if not pd.isna(row[quantity])
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _compare(published: float, computed: float) -> dict[str, Any]:
    to_figures = float(f"{computed:.{SIGNIFICANT_FIGURES}g}")
    agrees = round(computed, DECIMALS) == published
    note = "" if agrees else PADDED if to_figures == published else DIFFERENT
    return {
        "published": published,
        "computed": computed,
        "difference": published - computed,
        "agrees_as_published": agrees,
        "agrees_six_significant": round(to_figures, DECIMALS) == published,
        "note": note,
    }
