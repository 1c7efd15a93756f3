"""Which conditions of a study printed tables speak of."""

import pandas as pd

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
