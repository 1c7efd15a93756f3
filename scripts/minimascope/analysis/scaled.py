"""Calibration before and after one temperature for all logits, and errors of the surest."""

import pandas as pd

from .model_table import CONDITION, require
from .numbers import count_seeds, format_estimate, span
from .render import Text, captioned
from .tables import NETWORK, at_minima

MEASURES = {
    "temperature": "Temperature",
    "test_ece": "ECE",
    "test_ece_scaled": "ECE, scaled",
    "test_nll": "NLL (nats)",
    "test_nll_scaled": "NLL, scaled (nats)",
    "aurc": "AURC",
}
COLUMNS = [*CONDITION, "measure", "mean", "sem", "n_seeds", "converged", "unit", "n"]
ABOUT = (
    "± is the standard error over seeds. Temperature: the number that logits are divided by for the"
    " least NLL; above 1 a network is over-confident. The test split is cut into two random halves;"
    " each is scaled by the temperature of the other, and the temperature is the geometric mean of"
    " both. ECE and NLL before and after are of all test samples. AURC: the error among the samples"
    " of which a network is surest, mean over how many it answers; temperature leaves it almost as"
    " it is."
)
AT_BOUNDS = "no temperature is best in at least one seed: it is at the end of its range, 0.01 … 100"


def scaled_table(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a summary that are about confidence, on test data.

    Args:
        summary: rows of `summary.summarise`.

    Raises:
        InputError: a column is missing.
    """
    require(summary, COLUMNS, "summary")
    rows = at_minima(summary)
    return rows[rows["measure"].isin([*MEASURES])][COLUMNS]


def text(found: pd.DataFrame) -> Text:
    """Return a table for each network, and how to read them."""
    networks = found.groupby(NETWORK, sort=False)
    return [*(_table(rows, *names) for names, rows in networks), ABOUT]


def _table(rows: pd.DataFrame, dataset: str, network: str) -> pd.DataFrame:
    shown = []
    for condition, own in rows.groupby("condition", sort=False):
        own = own.set_index("measure")
        line = {"Condition": condition}
        for name, label in MEASURES.items():
            if name in own.index:
                line[label] = format_estimate(*own.loc[name, ["mean", "sem"]])
        line["Note"] = "" if own["converged"].all() else AT_BOUNDS
        shown.append(line)
    samples = f"{span(rows['n'].astype(int))} test samples"
    return captioned(shown, f"{network} on {dataset}, {count_seeds(rows['n_seeds'])}, {samples}.")
