"""Which networks trained: the one definition, and what readers see of it.

A network trained if it fits the labels of its training data and does not lie on a steep slope.
docs/measures.md has the reasons for the thresholds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from .collect import RUN
from .numbers import format_estimate, format_number
from .render import Text, captioned, joined
from .tables import NETWORK, at_minima

# Of the family forward.
NEEDED = (*("train_accuracy", "train_loss", "train_gradient_norm", "squared_weight_norm"),)
# The loss of guessing: of a cross-entropy, and of squared errors.
GUESSING = ("train_label_entropy", "train_label_impurity")
# How far parameters are moved along the gradient, as a share of their own length.
STEP = 0.01


@dataclass(frozen=True)
class Limit:
    """What a threshold of a study (`analysis.trained`) limits, and what it asks for in words."""

    column: str
    words: str
    at_least: bool = False

    def kept(self, table: pd.DataFrame, threshold: float) -> pd.Series:
        """Return which rows keep the threshold; one without a value does not."""
        values = table[self.column]
        return values >= threshold if self.at_least else values <= threshold


LIMITS = {
    "train_accuracy": Limit("train_accuracy", "a training accuracy of at least {}", True),
    "train_loss": Limit("loss_share", "a training loss of at most {} of the loss of guessing"),
    "gradient_norm": Limit(
        "gradient_share",
        f"a gradient along which {100 * STEP:g} % of the parameters' length changes the loss, to"
        " first order, by at most {} of the loss of guessing",
    ),
}
SHOWN = {
    "Training accuracy": "train_accuracy",
    "Training loss ({})": "train_loss",
    "Loss, of guessing": "loss_share",
    "Gradient norm": "train_gradient_norm",
    "Change along it, of guessing": "gradient_share",
}
COLUMNS = [
    *(*RUN, "train_accuracy", "train_loss", "loss_share", "train_gradient_norm"),
    *("gradient_share", "loss_unit", "trained", "failed"),
    *(f"{name}_threshold" for name in LIMITS),
]
NOT_MEASURED = (
    "Whether the networks trained is not judged, since the family forward is not measured: set"
    " sharpness.forward to {} to have it judged."
)
SWITCHED_OFF = "Whether the networks trained is not judged: analysis.trained has no threshold."
WHAT_GUESSING_IS = (
    "The loss of guessing is that of a network which knows how frequent each class is, and nothing"
    " else: of a cross-entropy the entropy of the training labels, of squared errors half their"
    " Gini impurity."
)


def with_trained(measures: pd.DataFrame, thresholds: Mapping[str, float | None]) -> pd.DataFrame:
    """Return measures with a column ``trained``: whether the network of a row trained.

    It is true as well of what is not judged: initial weights, and all networks of a study
    without the family forward.

    Args:
        measures: rows of `collect.tidy`.
        thresholds: ``train_accuracy`` (the least share of labels that is right), ``train_loss``
            (the largest loss, as a share of the loss of guessing) and ``gradient_norm`` (the
            largest change of the loss along the gradient, as a share of the same; see
            `trained_table`). None switches one off.
    """
    judged = trained_table(measures, thresholds=thresholds)
    failing = pd.MultiIndex.from_frame(judged.loc[~judged["trained"].astype(bool), RUN])
    return measures.assign(trained=~pd.MultiIndex.from_frame(measures[RUN]).isin(failing))


def trained_table(
    measures: pd.DataFrame, *, thresholds: Mapping[str, float | None]
) -> pd.DataFrame:
    """Return how the training of each network ended, and whether that counts as trained.

    ``loss_share`` is the training loss L as a share of the loss of guessing H, of a cross-entropy
    the entropy of the training labels (1 minus it is the pseudo-R² of McFadden 1974), of squared
    errors half their Gini impurity; both are in ``loss_unit``. ``gradient_share`` is
    0.01 ‖θ‖ ‖∂L/∂θ‖ / H, the first-order change of the loss when the parameters θ move by 1 % of
    their length along its gradient, as a share of the same; it stays the same where all
    parameters, or all losses, are scaled. ``failed`` names the thresholds that are not kept. A
    value that is NaN keeps none. Of several views of the data all are of the one that
    `tables.at_minima` chooses: the clean one, if it is measured.

    Args:
        measures: rows of `collect.tidy`.
        thresholds: see `with_trained`.

    Returns:
        Data frame with the columns `COLUMNS`, a row per network, without the initial weights; no
        rows where the family forward is not measured.
    """
    rows = at_minima(measures)
    rows = rows[rows["measure"].isin([*NEEDED, *GUESSING])]
    if not {*NEEDED}.issubset(rows["measure"]):
        return pd.DataFrame(columns=COLUMNS).astype({"trained": bool})
    order = pd.MultiIndex.from_frame(rows[RUN].drop_duplicates())
    table = rows.pivot(index=RUN, columns="measure", values="value").loc[order].reset_index()
    guessing = table.reindex(columns=[*GUESSING]).bfill(axis=1).iloc[:, 0]
    units = rows[rows["measure"] == "train_loss"].set_index(RUN)["unit"]
    table["loss_unit"] = units.loc[order].to_numpy()
    change = STEP * table["squared_weight_norm"] ** 0.5 * table["train_gradient_norm"]
    table["loss_share"], table["gradient_share"] = table["train_loss"] / guessing, change / guessing
    wanted = {name: value for name, value in thresholds.items() if value is not None}
    missed = pd.DataFrame(
        {name: ~LIMITS[name].kept(table, value) for name, value in wanted.items()}, table.index
    )
    failed = [", ".join(missed.columns[row]) for row in missed.to_numpy(dtype=bool)]
    limits = {f"{name}_threshold": thresholds[name] for name in LIMITS}
    return table.assign(trained=~missed.any(axis=1), failed=failed, **limits)[COLUMNS]


def text(found: pd.DataFrame) -> Text:
    """Return the networks of a `trained_table` that did not train, or that all did, in a line.

    Networks whose losses are in different units come one after the other.
    """
    if found.empty:
        return [NOT_MEASURED]
    limits = {name: found[f"{name}_threshold"].iloc[0] for name in LIMITS}
    required = [
        LIMITS[name].words.format(format_number(value, "g"))
        for name, value in limits.items()
        if value > 0
    ]
    if not required:
        return [SWITCHED_OFF]
    return [
        _all_trained(own, unit) if own["trained"].all() else _failing(own, unit, required)
        for unit, own in found.groupby("loss_unit", sort=False)
    ]


def _failing(found: pd.DataFrame, unit: str, required: Sequence[str]) -> pd.DataFrame:
    failing = found[~found["trained"]]
    caption = (
        f"Networks that did not train: {len(failing)} of {len(found)}. To count as trained, a"
        f" network needs {', '.join(required)} (analysis.trained). {WHAT_GUESSING_IS}"
    )
    keys = [*NETWORK, "condition"]
    seeds = found.groupby(keys)["seed"].count()
    rows = [
        {
            "Condition": names[-1],
            "Network": " on ".join(names[1::-1]),
            "Seeds": f"{len(group)} of {seeds[names]}",
            **{label.format(unit): _range(group[column]) for label, column in SHOWN.items()},
            "Missed": joined(group["failed"]),
        }
        for names, group in failing.groupby(keys, sort=False)
    ]
    return captioned(rows, caption)


def _all_trained(found: pd.DataFrame, unit: str) -> str:
    networks = f"All {len(found)} networks" if len(found) > 1 else "The network"
    return (
        f"{networks} trained: training accuracy at least"
        f" {format_estimate(found['train_accuracy'].min())}, training loss at most"
        f" {format_estimate(found['train_loss'].max())} {unit}"
        f" ({format_estimate(found['loss_share'].max())} of the loss of guessing), gradient norm"
        f" at most {format_estimate(found['train_gradient_norm'].max())} {unit} per unit."
    )


def _range(values: pd.Series) -> str:
    ends = dict.fromkeys(map(format_estimate, (values.min(), values.max())))
    return "–".join(ends)
