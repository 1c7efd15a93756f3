"""Does diversity or flatness of its members go with how much an ensemble gains? Also as text."""

import pandas as pd

from .correlations import (
    ALL_NETWORKS,
    DECIMALS,
    cells,
    correlate,
    groups,
    to_read,
    without_intervals,
)
from .evidence import LEVEL
from .measure_names import describe, measures_of
from .model_table import CONDITION, require
from .numbers import MISSING, format_estimate
from .render import Text, captioned, in_blocks
from .summary import PAIR_MEASURES
from .tables import at_minima

COLUMNS = [
    *("dataset", "network", "kind", "predictor", "gain_of", "statistic"),
    *("value", "lower", "upper", "p_value", "n", "note"),
]
DIVERSITY, SHARPNESS = "diversity", "sharpness"
GAIN_CAPTION = (
    "Ensembles: the probabilities of the networks of all seeds, averaged (n: networks). Members:"
    " mean ± standard error over seeds, and the best of them. Gain: how much better the ensemble is"
    " than its members on average, positive where it is better, ± standard error over test samples"
    " (paired bootstrap), for these very networks. The gain of the Brier score is at the same time"
    " the variance of the members' probabilities around their mean (Krogh & Vedelsby 1995): it"
    " cannot be negative, nor can that of the NLL."
)
CORRELATION_CAPTION = (
    "Does diversity or flatness of the members go with the gain of their ensemble? Spearman's rank"
    f" correlation over conditions: value, {100 * LEVEL:.0f} % interval and two-sided p-value, not"
    " adjusted for the number of correlations; n: ensembles, one of each condition. Both take"
    " conditions as independent, which those with the same seeds are not quite. Diversity and gain"
    " are measured on the same test samples, and so share some of their noise."
)
POOLED_CAPTION = (
    " Over all networks, a difference between networks looks like a correlation, and interval and"
    " p-value say nothing about other networks."
)
LEFT_OUT = " Left out: ensembles with a member that did not train, {}."


def predictors_of(summary: pd.DataFrame) -> dict[str, str]:
    """Return what a gain may go with, by name: measures of diversity, then of sharpness."""
    rows = at_minima(summary)
    pairs = [name for name in PAIR_MEASURES if name in set(rows["measure"])]
    sharpness = measures_of(rows, "sharpness")
    return dict.fromkeys(pairs, DIVERSITY) | dict.fromkeys(sharpness, SHARPNESS)


def gains_table(ensembles: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each condition: gains of its ensemble, diversity and sharpness of members.

    Measures of pairs are means over pairs of members, those of sharpness over members.

    Returns:
        Columns ``dataset``, ``network``, ``condition`` and ``n_untrained`` (members that did not
        train); for each measure that an ensemble has ``gain_<measure>``, and for each predictor one
        of its name; both with ``…_error``, NaN where there is none.

    Raises:
        InputError: a column is missing.
    """
    require(ensembles, [*CONDITION, "measure", "gain", "gain_error"], "ensembles")
    columns = [*CONDITION, "view", "family", "measure", "mean", "sem", "n_untrained"]
    require(summary, columns, "summary")
    rows = at_minima(summary)
    untrained = rows.groupby(CONDITION)["n_untrained"].max()
    rows = rows[rows["measure"].isin(predictors_of(summary))]
    gains = ensembles.assign(measure="gain_" + ensembles["measure"])
    wide = _wide(gains, "gain", "gain_error").join(_wide(rows, "mean", "sem"))
    wide.insert(0, "n_untrained", untrained)
    return wide.reset_index()


def gain_correlations(ensembles: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return correlations of predictors with gains over the conditions of each network, and all.

    See `correlations.correlate`. Of a condition there is one ensemble, so that n is the number of
    conditions, times networks where these are taken together. Ensembles with a member that did not
    train are left out.
    """
    table = gains_table(ensembles, summary)
    table = table[table["n_untrained"] == 0]
    kinds = predictors_of(summary)
    rows = []
    for (dataset, network), group in groups(table):
        for gain_of in ensembles.loc[ensembles["dataset"] == dataset, "measure"].unique():
            for predictor, kind in kinds.items():
                values = group[predictor]
                # Means of the same shares in another order differ by less, which breaks ties.
                values = values.round(DECIMALS) if kind == DIVERSITY else values
                names = (predictor, "gain")
                found = correlate(values, group[f"gain_{gain_of}"], names)
                origin = {"dataset": dataset, "network": network, "kind": kind}
                rows.append(origin | {"predictor": predictor, "gain_of": gain_of} | found)
    return pd.DataFrame(rows, columns=COLUMNS)


def _wide(rows: pd.DataFrame, value: str, error: str) -> pd.DataFrame:
    """Return a column for each measure and its error, indexed by condition in order."""
    order = pd.MultiIndex.from_frame(rows[CONDITION].drop_duplicates())
    cells = rows.set_index([*CONDITION, "measure"])
    values = cells[value].unstack().reindex(order)
    return values.join(cells[error].unstack().reindex(order).add_suffix("_error"))


def text(ensembles: pd.DataFrame, summary: pd.DataFrame, found: pd.DataFrame) -> Text:
    """Return the ensembles of each network, then the `gain_correlations` of each data set."""
    gains = gains_table(ensembles, summary).set_index(CONDITION)
    disagreement = gains.get("prediction_disagreement")
    tables = [
        _ensemble_table(rows, *names, disagreement)
        for names, rows in ensembles.groupby(["dataset", "network"], sort=False)
    ]
    lost = (gains["n_untrained"] > 0).groupby(level="dataset").sum()
    by_dataset = found.groupby("dataset", sort=False)
    return [*tables, *(_gain_table(rows, name, lost[name]) for name, rows in by_dataset)]


def _ensemble_table(
    ensembles: pd.DataFrame, dataset: str, network: str, disagreement: pd.Series | None
) -> pd.DataFrame:
    table = []
    for condition, rows in ensembles.groupby("condition", sort=False):
        by_measure = {row.measure: row for row in rows.itertuples()}
        accuracy, place = by_measure["test_accuracy"], (dataset, network, condition)
        cells = {"Condition": condition, "n": accuracy.members}
        if disagreement is not None:
            cells["Disagreement"] = format_estimate(disagreement[place])
        cells |= {
            "Accuracy of members": format_estimate(accuracy.members_mean, accuracy.members_error),
            "of the best": format_estimate(accuracy.best_member),
            "of the ensemble": format_estimate(accuracy.ensemble),
        }
        gains = {_gain_label(row): _gain(row) for row in by_measure.values()}
        table.append(cells | gains)
    text = captioned(pd.DataFrame(table).fillna(MISSING), f"{network} on {dataset}. {GAIN_CAPTION}")
    return in_blocks(text)


def _gain_label(row: tuple) -> str:
    name = describe(row.measure, "evaluation", row.unit)
    unit = "pp" if _scale(row) != 1 or row.unit == "percent" else ""
    return f"Gain, {name.label.removeprefix('Test ')}{f' ({unit})' if unit else ''}"


def _gain(row: tuple) -> str:
    return format_estimate(_scale(row) * row.gain, _scale(row) * row.gain_error)


def _scale(row: tuple) -> int:
    # Fractions as percentage points.
    return 100 if row.unit == "fraction" else 1


def _gain_table(found: pd.DataFrame, dataset: str, lost: int) -> pd.DataFrame | str:
    found = to_read(found)
    left_out = LEFT_OUT.format(lost) if lost else ""
    if line := without_intervals(found, dataset, "ensemble_gain"):
        return f"{line}{left_out}"
    rows = [
        {
            "Network": row.network,
            "Gain of": describe(row.gain_of).label,
            "Predictor": describe(row.predictor, _family(row.kind)).label,
            "Kind": row.kind,
            **cells(row),
        }
        for row in found.itertuples()
    ]
    pooled = POOLED_CAPTION if found["network"].eq(ALL_NETWORKS).any() else ""
    return captioned(rows, f"{dataset}: {CORRELATION_CAPTION}{pooled}{left_out}")


def _family(kind: str) -> str:
    return kind if kind == SHARPNESS else "evaluation"
