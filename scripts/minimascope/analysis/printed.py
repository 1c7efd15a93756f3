"""Which conditions of a study printed tables speak of, and what these say beside ours."""

import pandas as pd

from .agreement import compare, order_of_controls, printed_values

KEYS = ["dataset", "network", "control", "rho"]


def runs_in_print(conditions: pd.DataFrame) -> pd.DataFrame:
    """Return the conditions that have a printed counterpart, as `agreement.compare` takes them.

    A cell of a sweep has one if it differs from its control in nothing but SAM's radius.

    Args:
        conditions: rows of `conditions.condition_rows`, as read from a file.
    """
    rows = conditions[conditions["printed_dataset"].notna() & conditions["like_control"]]
    rho = rows["sam.rho"].astype(float) if "sam.rho" in rows else float("nan")
    # Controls come before cells, which may repeat them.
    rows = rows.assign(rho=rho, own=rows["condition"] == rows["control"])
    return rows.sort_values("own", ascending=False, kind="stable").drop_duplicates(KEYS)


def agreement_tables(
    summary: pd.DataFrame, conditions: pd.DataFrame, *printed: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return every printed cell beside ours (`agreement.compare`), and `order_of_controls`.

    Args:
        summary: rows of `tables.summarise`.
        conditions: rows of `conditions.condition_rows`, as read from a file.
        *printed: tables in print, as `agreement.printed_values` takes them.
    """
    values = pd.concat(map(printed_values, printed))
    cells = compare(summary, runs_in_print(conditions), values)
    return cells, order_of_controls(cells)
