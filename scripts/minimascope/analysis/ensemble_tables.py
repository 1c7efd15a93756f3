"""Ensembles beside their members, and what goes with their gain, as tables to read."""

import pandas as pd

from .correlation_tables import STATISTICS, captioned, correlation_cell, joined
from .correlations import LEVEL, RESAMPLES
from .ensemble_gain import SHARPNESS, gains_table
from .measure_names import describe
from .numbers import MISSING, format_estimate
from .render import Text

DISAGREEMENT = "prediction_disagreement"
GAIN_CAPTION = (
    "Ensembles: the probabilities of the networks of all seeds, averaged (n: networks). Members:"
    " mean ± standard error over seeds, and the best of them. Gain: how much better the ensemble is"
    " than its members on average, positive where it is better, ± standard error over test samples"
    " (paired bootstrap), for these very networks. The gain of the Brier score is at the same time"
    " the variance of the members' probabilities around their mean (Krogh & Vedelsby 1995): it"
    " cannot be negative, nor can that of the NLL."
)
CORRELATION_CAPTION = (
    "Does diversity or flatness of the members go with the gain of their ensemble? Correlation over"
    f" conditions: value, {100 * LEVEL:.0f} % bootstrap interval (percentile, {RESAMPLES:,}"
    " resamples of conditions) and two-sided p-value, not adjusted for the number of correlations;"
    " n: ensembles. Over all networks, a difference between networks looks like a correlation."
    " Diversity and gain are measured on the same test samples, and so share some of their noise."
)


def text(ensembles: pd.DataFrame, summary: pd.DataFrame, found: pd.DataFrame) -> Text:
    """Return the ensembles of each network, then what goes with their gain.

    Args:
        ensembles: rows of `ensembles.ensemble_table`.
        summary: rows of `tables.summarise`.
        found: rows of `ensemble_gain.gain_correlations`.
    """
    tables = ensemble_tables(ensembles, gains_table(ensembles, summary))
    return [*tables, *gain_correlation_tables(found)]


def ensemble_tables(ensembles: pd.DataFrame, gains: pd.DataFrame) -> list[pd.DataFrame]:
    """Return a table of each network on each data set: a row per condition, with caption.

    Args:
        ensembles: rows of `ensembles.ensemble_table`.
        gains: rows of `ensemble_gain.gains_table`.
    """
    disagreement = gains.set_index(["dataset", "network", "condition"]).get(DISAGREEMENT)
    return [
        _ensemble_table(rows, *names, disagreement)
        for names, rows in ensembles.groupby(["dataset", "network"], sort=False)
    ]


def gain_correlation_tables(found: pd.DataFrame) -> list[pd.DataFrame]:
    """Return a table of each data set: a row per network, predictor and gain, with caption.

    Args:
        found: rows of `ensemble_gain.gain_correlations`.
    """
    return [_gain_table(rows, name) for name, rows in found.groupby("dataset", sort=False)]


def _ensemble_table(
    ensembles: pd.DataFrame, dataset: str, network: str, disagreement: pd.Series
) -> pd.DataFrame:
    table = []
    for condition, rows in ensembles.groupby("condition", sort=False):
        by_measure = {row.measure: row for row in rows.itertuples()}
        accuracy = by_measure["test_accuracy"]
        cells = {
            "Condition": condition,
            "n": accuracy.members,
            "Disagreement": format_estimate(disagreement[dataset, network, condition]),
            "Accuracy of members": format_estimate(accuracy.members_mean, accuracy.members_error),
            "of the best": format_estimate(accuracy.best_member),
            "of the ensemble": format_estimate(accuracy.ensemble),
        }
        gains = {_gain_label(row): _gain(row) for row in by_measure.values()}
        table.append(cells | gains)
    caption = f"{network} on {dataset}. {GAIN_CAPTION}"
    return captioned(pd.DataFrame(table).fillna(MISSING), "Condition", caption)


def _gain_label(row: tuple) -> str:
    name = describe(row.measure, "evaluation", row.unit)
    unit = "pp" if _scale(row) != 1 or row.unit == "percent" else ""
    return f"Gain, {name.label.removeprefix('Test ')}{f' ({unit})' if unit else ''}"


def _gain(row: tuple) -> str:
    return format_estimate(_scale(row) * row.gain, _scale(row) * row.gain_error)


def _scale(row: tuple) -> int:
    # Fractions as percentage points.
    return 100 if row.unit == "fraction" else 1


def _gain_table(found: pd.DataFrame, dataset: str) -> pd.DataFrame:
    rows = []
    keys = ["network", "kind", "predictor", "gain_of"]
    for (network, kind, predictor, gain_of), group in found.groupby(keys, sort=False):
        cells = {row.statistic: correlation_cell(row) for row in group.itertuples()}
        family = kind if kind == SHARPNESS else "evaluation"
        names = {
            "Network": network,
            "Gain of": describe(gain_of, "evaluation", "1").label,
            "Predictor": describe(predictor, family, "1").label,
            "Kind": kind,
        }
        values = {STATISTICS[name]: cells[name] for name in ("spearman", "kendall")}
        rows.append(names | values | {"n": group["n"].iloc[0], "Note": joined(group["note"])})
    return captioned(pd.DataFrame(rows), "Network", f"{dataset}: {CORRELATION_CAPTION}")
