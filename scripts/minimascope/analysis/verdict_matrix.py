"""Claims × networks, with a verdict in each cell."""

import pandas as pd

from .claim import ALL_DATASETS
from .correlations import ALL_NETWORKS

# More networks than this are rows, and the claims columns: a page has room for six claims.
MOST_COLUMNS = 4


def verdict_matrix(found: pd.DataFrame) -> pd.DataFrame:
    """Return the verdicts with claims as rows and networks as columns; many networks are rows.

    Verdicts on all networks together have their own column, unless there is only one network.

    Args:
        found: rows of `claims.claims`; texts that are empty may be missing.

    Returns:
        Data frame of text, in which each cell is a verdict or empty.
    """
    places = [_place(row, found) for row in found.itertuples()]
    cells = found.assign(place=places).pivot(index="claim", columns="place", values="verdict")
    claims = dict(zip(found["claim"], found["statement"], strict=True))
    cells = cells.reindex(index=list(claims), columns=list(dict.fromkeys(places))).fillna("")
    cells.index = [f"{number}. {claims[number]}" for number in cells.index]
    matrix = cells.rename_axis(index="Claim", columns=None)
    if len(matrix.columns) > MOST_COLUMNS:
        matrix = matrix.T.rename_axis(index="Network")
    matrix.attrs["labels"] = True
    return matrix


def _place(row: tuple, found: pd.DataFrame) -> str:
    """Return the network of a row, with what else tells it from the others."""
    everywhere = row.dataset == ALL_DATASETS
    here = (everywhere | (found["dataset"] == row.dataset)) & (found["source"] == row.source)
    names = found.loc[here & (found["network"] != ALL_NETWORKS), "network"].unique()
    network = row.network
    if network == ALL_NETWORKS:
        network = names[0] if len(names) == 1 else "all networks"
    where = "all data sets" if everywhere else row.dataset
    dataset = f" on {where}" if found["dataset"].nunique() > 1 else ""
    source = f"{row.source}: " if found["source"].nunique() > 1 else ""
    baselines = found.loc[found["network"] != ALL_NETWORKS, "baseline"].nunique()
    baseline = f" ({row.baseline})" if baselines > 1 else ""
    return f"{source}{network}{dataset}{baseline}"
