"""Do networks of several kinds predict better together than as many of one kind? Also as text."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from scipy import stats

from ..evaluation.ensembles import AND
from .collect import Documents, document_rows
from .evidence import LEVEL
from .measure_names import describe
from .numbers import MISSING, format_estimate, format_number
from .render import Text, captioned, in_blocks
from .wording import counted

COLUMNS = [
    *("dataset", "condition", "view", "measure", "unit", "protocol", "networks", "members"),
    *("seeds", "n", "ensemble", "ensemble_error", "members_mean", "best_members"),
    *("best_members_network", "gain", "gain_error", "one_network", "best_ensembles"),
    *("best_ensembles_network", "advantage", "advantage_error", "seconds"),
]
ADVANTAGE_COLUMNS = [
    *("dataset", "networks", "measure", "unit", "conditions", "left_out"),
    *("gain", "advantage", "lower", "upper", "p_value"),
]
CAPTION = (
    "Ensembles over {networks} ({members} members, the networks of one seed), mean over"
    " {seeds}. One network: ensembles of {members} seeds of one network, mean over networks. Both"
    " are made of the same models. Advantage: how much better the first are than the second,"
    " positive where they are better, ± standard error over test samples (paired bootstrap), for"
    " these very models. The best network was chosen after looking at the test data."
)
ALONE = (
    " There are fewer seeds than networks, so there is no ensemble of one network that is as large."
)
ADVANTAGE_CAPTION = (
    "Over conditions: how much better ensembles over networks are than their members (gain), and"
    f" than ensembles as large of one network (advantage), with its {100 * LEVEL:.0f} % interval"
    " and two-sided p-value (Student's t over conditions, not adjusted for the number of measures)."
    " Conditions share seeds and test samples, so they are not quite independent."
)
LEFT_OUT = " Left out, since a network did not train: "


def gathered(documents: Documents) -> pd.DataFrame:
    """Return a row for each data set, condition and measure (see `evaluation.network_ensembles`).

    Raises:
        InputError: a document lacks what every one has; names its path.
    """

    def rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [{name: row[name] for name in COLUMNS} for row in document["rows"]]

    return document_rows(documents, rows, "document of ensembles over networks")[COLUMNS]


def advantages(found: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Return the mean gain and advantage of each data set and measure over conditions.

    The interval and the p-value are those of Student's t; NaN for fewer than two conditions or
    without ensembles of one network. Conditions in which one of the networks did not train, with
    any seed, are left out, and named in ``left_out``.
    """
    keys, rows = ["dataset", "networks", "measure", "unit"], []
    untrained = summary[summary["n_untrained"] > 0]
    for names, group in found.groupby(keys, sort=False):
        lost = untrained[untrained["dataset"] == names[0]]
        lost = set(lost.loc[lost["network"].isin(names[1].split(AND)), "condition"])
        left_out = [name for name in group["condition"] if name in lost]
        group = group[~group["condition"].isin(lost)]
        values = group["advantage"].dropna()
        row = dict(zip(keys, names, strict=True)) | {"conditions": len(group)}
        row |= {"left_out": ", ".join(left_out)}
        row |= {"gain": group["gain"].mean(), "advantage": values.mean()}
        if len(values) > 1:
            test = stats.ttest_1samp(values, 0)
            interval = test.confidence_interval(LEVEL)
            row |= {"lower": interval.low, "upper": interval.high, "p_value": test.pvalue}
        rows.append(row)
    return pd.DataFrame(rows, columns=ADVANTAGE_COLUMNS)


def text(found: pd.DataFrame, means: pd.DataFrame) -> Text:
    """Return the ensembles of each data set, each with its `advantages`."""
    keys = ["dataset", "networks"]
    by_networks = dict(iter(means.groupby(keys, sort=False)))
    return [
        table
        for names, rows in found.groupby(keys, sort=False)
        for table in (_ensembles(rows), _advantages(by_networks[names]))
    ]


def _advantages(means: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {
            "Evaluation": _label(row),
            "Conditions": row.conditions,
            "Gain": format_estimate(_scale(row) * row.gain),
            "Advantage": format_estimate(_scale(row) * row.advantage),
            "Interval": _interval(row),
            "p": format_number(row.p_value, ".2g"),
        }
        for row in means.itertuples()
    ]
    first = means.fillna({"left_out": ""}).iloc[0]
    left_out = f"{LEFT_OUT}{first.left_out}." if first.left_out else ""
    return captioned(rows, f"{first.dataset}. {ADVANTAGE_CAPTION}{left_out}")


def _ensembles(found: pd.DataFrame) -> pd.DataFrame:
    table = []
    for condition, rows in found.groupby("condition", sort=False):
        by_measure = {row.measure: row for row in rows.itertuples()}
        row = by_measure["test_accuracy"]
        best = _named(row.best_ensembles, row.best_ensembles_network)
        cells = {
            "Condition": condition,
            "Accuracy of members": format_estimate(row.members_mean),
            "of the best network": _named(row.best_members, row.best_members_network),
            "of ensembles of one network": format_estimate(row.one_network),
            "of ensembles of the best network": best,
            "of ensembles over networks": format_estimate(row.ensemble, row.ensemble_error),
        }
        advantages = {
            f"Advantage, {_label(row)}": format_estimate(
                _scale(row) * row.advantage, _scale(row) * row.advantage_error
            )
            for row in by_measure.values()
        }
        table.append(cells | advantages)
    first = found.iloc[0]
    seeds = counted(first.seeds, "seed")
    caption = CAPTION.format(networks=first.networks, members=first.members, seeds=seeds)
    caption += ALONE if found["advantage"].isna().all() else ""
    filled = pd.DataFrame(table).fillna(MISSING)
    return in_blocks(captioned(filled, f"{first.dataset}. {caption}"))


def _named(value: float, network: object) -> str:
    return MISSING if pd.isna(value) else f"{format_estimate(value)} ({network})"


def _label(row: tuple) -> str:
    label = describe(row.measure, "evaluation", row.unit).label.removeprefix("Test ")
    return f"{label} (pp)" if row.unit in ("fraction", "percent") else label


def _scale(row: tuple) -> int:
    # Fractions as percentage points.
    return 100 if row.unit == "fraction" else 1


def _interval(row: tuple) -> str:
    if pd.isna(row.lower):
        return MISSING
    ends = (format_estimate(_scale(row) * end) for end in (row.lower, row.upper))
    return f"[{', '.join(ends)}]"
