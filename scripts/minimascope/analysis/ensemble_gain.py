"""Does diversity or flatness of its members go with how much an ensemble gains?"""

import pandas as pd

from .correlations import DECIMALS, RESAMPLES, correlate, groups
from .measure_names import measures_of
from .model_table import CONDITION, require
from .tables import PAIR_MEASURES, at_minima

COLUMNS = [
    "dataset",
    "network",
    "kind",
    "predictor",
    "gain_of",
    "statistic",
    "value",
    "lower",
    "upper",
    "p_value",
    "n",
    "note",
]
DIVERSITY, SHARPNESS = "diversity", "sharpness"


def predictors_of(summary: pd.DataFrame) -> dict[str, str]:
    """Return what a gain may go with, by name: measures of diversity, then of sharpness."""
    rows = at_minima(summary)
    pairs = [name for name in PAIR_MEASURES if name in set(rows["measure"])]
    sharpness = measures_of(rows, "sharpness")
    return dict.fromkeys(pairs, DIVERSITY) | dict.fromkeys(sharpness, SHARPNESS)


def gains_table(ensembles: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each condition: gains of its ensemble, diversity and sharpness of members.

    Args:
        ensembles: rows of `ensembles.ensemble_table`.
        summary: rows of `tables.summarise`; measures of pairs are means over pairs of members,
            those of sharpness over members.

    Returns:
        Columns ``dataset``, ``network`` and ``condition``; for each measure that an ensemble has
        ``gain_<measure>``, and for each predictor one of its name; both with ``…_error``, NaN
        where there is none.

    Raises:
        InputError: a column is missing.
    """
    require(ensembles, [*CONDITION, "measure", "gain", "gain_error"], "ensembles")
    require(summary, [*CONDITION, "view", "family", "measure", "mean", "sem"], "summary")
    rows = at_minima(summary)
    rows = rows[rows["measure"].isin(predictors_of(summary))]
    gains = ensembles.assign(measure="gain_" + ensembles["measure"])
    wide = _wide(gains, "gain", "gain_error").join(_wide(rows, "mean", "sem"))
    return wide.reset_index()


def gain_correlations(
    ensembles: pd.DataFrame, summary: pd.DataFrame, resamples: int = RESAMPLES
) -> pd.DataFrame:
    """Return correlations of predictors with gains over the conditions of each network, and all.

    See `correlations.correlate`. Of a condition there is one ensemble, so that n is the number of
    conditions, times networks where these are taken together.

    Args:
        ensembles: see `gains_table`.
        summary: likewise.
        resamples: of the bootstrap.

    Returns:
        Data frame with the columns `COLUMNS`.
    """
    table = gains_table(ensembles, summary)
    kinds = predictors_of(summary)
    rows = []
    for (dataset, network), group in groups(table):
        for gain_of in ensembles.loc[ensembles["dataset"] == dataset, "measure"].unique():
            for predictor, kind in kinds.items():
                values = group[predictor]
                # Means of the same shares in another order differ by less, which breaks ties.
                values = values.round(DECIMALS) if kind == DIVERSITY else values
                names = (predictor, "gain")
                found = correlate(values, group[f"gain_{gain_of}"], resamples, names)
                origin = {"dataset": dataset, "network": network, "kind": kind}
                origin |= {"predictor": predictor, "gain_of": gain_of}
                rows += [origin | row for row in found]
    return pd.DataFrame(rows, columns=COLUMNS)


def _wide(rows: pd.DataFrame, value: str, error: str) -> pd.DataFrame:
    """Return a column for each measure and its error, indexed by condition in order."""
    order = pd.MultiIndex.from_frame(rows[CONDITION].drop_duplicates())
    cells = rows.set_index([*CONDITION, "measure"])
    values = cells[value].unstack().reindex(order)
    return values.join(cells[error].unstack().reindex(order).add_suffix("_error"))
