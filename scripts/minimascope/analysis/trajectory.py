"""Measures along trainings: of the weights on the way, and where conditions part."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from .collect import RUN, Documents, rows_of
from .differences import mean_over_seeds, paired_differences, t_interval
from .measure_name import COMPARED
from .measure_names import measures_of
from .model_table import require
from .numbers import MISSING, count_seeds, format_estimate
from .render import Text, captioned, in_blocks
from .tables import NETWORK, at_minima

OF_MOMENT = ["moment", "epoch", "step", "learning_rate"]
OF_VALUE = ["measure", "value", "unit", "n", "standard_error", "noise_floor", "converged"]
SNAPSHOT_COLUMNS = [*RUN, "view", "family", *OF_MOMENT, *OF_VALUE]
COLUMNS = [*RUN, "view", "family", *OF_MOMENT, "train_loss", "trained", *OF_VALUE]
SUMMARY_COLUMNS = [
    *("dataset", "network", "condition", "view", "family", "measure", "unit", "moment", "epoch"),
    *("mean", "sem", "lowest", "highest", "n_seeds"),
]
PARTING_COLUMNS = [
    *("dataset", "network", "condition", "baseline", "family", "measure", "unit", "first"),
    *("for_good", "last", "difference", "lower", "upper", "n_moments", "n_seeds"),
]
EDGE = "edge_of_stability"
# What the optimiser's steps can bear, which is no property of a network.
THRESHOLDS = ("stability_threshold", "small_batch_threshold")
EDGE_COLUMNS = {
    "hessian_top_eigenvalue": "Largest eigenvalue",
    "preconditioned_top_eigenvalue": "Preconditioned",
    "stability_threshold": "Threshold",
    "edge_ratio": "Ratio",
    "critical_sharpness": "Critical sharpness",
    "batch_sharpness": "Batch sharpness",
    "small_batch_threshold": "Threshold of small batches",
}
ABOUT_PARTINGS = (
    "When conditions part from their baseline: 5 (2) is the epoch from which on the 95 % interval"
    " of the difference, paired by seed, excludes zero up to the last moment, on the same side, and"
    " in brackets the first moment at which it excludes zero at all. Intervals are not adjusted for"
    " the number of moments, {} here, or of measures: a first one is easily there by chance. Of"
    " networks that trained in the end."
)
NOTHING_PARTS = (
    "Where conditions part is not known: that takes a baseline, and two seeds or more whose"
    " networks trained under it and under another condition."
)
ABOUT_EDGE = (
    "At the last moment that was kept: mean over seeds ± standard error. Ratio: the eigenvalue that"
    " decides over the threshold, 1 at the edge of stability. Of the loss in evaluation mode."
)
UNTRAINED = " Networks that did not train count here, too."


def snapshot_table(documents: Documents) -> pd.DataFrame:
    """Return the measures of all weights on the way, one row per number.

    Columns are `SNAPSHOT_COLUMNS`: ``moment`` is its name, ``epoch`` how many epochs were done,
    whole or not, and ``learning_rate`` that of the last step.

    Args:
        documents: of families along trainings, by the path they were read from.

    Raises:
        InputError: a document says nothing about snapshots; names its path.
    """

    def rows(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        about = document["run"] | {key: document[key] for key in ("view", "family")}
        for snapshot in document["snapshots"]:
            moment = {key: snapshot[key] for key in OF_MOMENT}
            for row in snapshot["measures"]:
                yield about | moment | row

    found = rows_of(documents, rows, "document of measures along a training")
    return found.reindex(columns=SNAPSHOT_COLUMNS)


def trajectory_tables(
    snapshots: pd.DataFrame,
    measures: pd.DataFrame,
    history: pd.DataFrame,
    conditions: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the measures along each training up to its end, over seeds, and where conditions part.

    Args:
        snapshots: see `snapshot_table`.
        measures: of the finished networks, with column ``trained``.
        history: losses and accuracies by epoch.
        conditions: with ``baseline``, what each is compared with.

    Returns:
        Data frames with the columns `COLUMNS`, `SUMMARY_COLUMNS` (mean over seeds with its standard
        error, and their range) and `PARTING_COLUMNS`. The training loss of a row is
        measured at the same weights where that was asked for, and otherwise the mean over the steps
        of the epoch.
    """
    require(measures, [*RUN, "trained"], "measures")
    along = _of_one_family(at_minima(snapshots))
    trained = measures[[*RUN, "trained"]].drop_duplicates(RUN)
    along = pd.concat([along, _finals(along, measures, history)])
    along = along.merge(trained, on=RUN, how="left")
    along = along.assign(train_loss=_losses(along, history))[COLUMNS]
    partings = pd.DataFrame(_partings(along, conditions), columns=PARTING_COLUMNS)
    return along.reset_index(drop=True), _summary(along), partings


def _of_one_family(rows: pd.DataFrame) -> pd.DataFrame:
    """Return each measure of a run by one family: that with the most moments.

    Another may measure it on other samples, or more exactly, so that a line through both would
    have kinks. Of equals, eigenvalues are those that stand beside the threshold of stability.
    """
    moments = rows.groupby([*RUN, "measure", "family"])["moment"].transform("nunique")
    rank = 2 * moments + ((rows["family"] == EDGE) & rows["measure"].isin(EDGE_COLUMNS))
    highest = rank.groupby([rows[key] for key in (*RUN, "measure")]).transform("max")
    return rows[rank == highest].drop_duplicates([*RUN, "moment", "measure"])


def _summary(along: pd.DataFrame) -> pd.DataFrame:
    keys = SUMMARY_COLUMNS[: SUMMARY_COLUMNS.index("mean")]
    values = along.groupby(keys, sort=False)["value"]
    found = values.agg(mean="mean", sem="sem", lowest="min", highest="max", n_seeds="count")
    return found.reset_index()[SUMMARY_COLUMNS]


def _finals(along: pd.DataFrame, measures: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of finished networks, where their last epoch is none of those kept."""
    ends = history.groupby(RUN, sort=False)[["epoch", "learning_rate"]].last().reset_index()
    kept = pd.MultiIndex.from_frame(along[[*RUN, "measure", "epoch"]])
    wanted = along["measure"].unique()
    finals = at_minima(measures)[lambda rows: rows["measure"].isin(wanted)]
    finals = finals.merge(ends, on=RUN).assign(moment="final", step=np.nan)
    ended = pd.MultiIndex.from_frame(finals[[*RUN, "measure", "epoch"]])
    return finals[~ended.isin(kept)].reindex(columns=SNAPSHOT_COLUMNS)


def _losses(along: pd.DataFrame, history: pd.DataFrame) -> np.ndarray:
    place = [*RUN, "epoch"]
    measured = along[along["measure"] == "train_loss"].drop_duplicates(place)
    there = measured.set_index(place)["value"]
    by_epoch = history.set_index(place)["train_loss"]
    rows = pd.MultiIndex.from_frame(along[place].astype({"epoch": float}))
    found = [
        series.set_axis(series.index.set_levels(series.index.levels[-1].astype(float), level=-1))
        .reindex(rows)
        .to_numpy()
        for series in (there, by_epoch)
        if len(series)
    ]
    return pd.DataFrame(found).bfill().iloc[0].to_numpy() if found else np.full(len(along), np.nan)


def _partings(along: pd.DataFrame, conditions: pd.DataFrame) -> Iterator[dict[str, Any]]:
    compared = along[along["trained"].astype(bool) & ~along["measure"].isin(THRESHOLDS)]
    keys = ["dataset", "network", "measure"]
    baselines = conditions.set_index(["dataset", "network", "condition"])["baseline"]
    for names, rows in compared.groupby(keys, sort=False):
        tables = {
            condition: own.pivot(index="seed", columns="epoch", values="value")
            for condition, own in rows.groupby("condition", sort=False)
        }
        about = dict(zip(keys, names, strict=True)) | rows.iloc[0][["family", "unit"]].to_dict()
        for condition, own in tables.items():
            baseline = baselines.get((*names[:2], condition))
            if baseline in tables:
                found = _parting(own, tables[baseline])
                if found:
                    yield about | {"condition": condition, "baseline": baseline} | found


def _parting(own: pd.DataFrame, baseline: pd.DataFrame) -> dict[str, Any] | None:
    """Return where seeds × epochs of a condition part from those of its baseline."""
    seeds = own.index.intersection(baseline.index)
    epochs = own.columns.intersection(baseline.columns)
    if len(seeds) < 2 or not len(epochs):
        return None
    pairs = (frame.loc[seeds, epochs].to_numpy() for frame in (own, baseline))
    estimate = mean_over_seeds(paired_differences(*pairs))
    lower, upper = t_interval(*estimate)
    side = np.where(lower > 0, 1, np.where(upper < 0, -1, 0))
    apart = np.flatnonzero(side)
    # Of all moments from which on none is on another side, or on none.
    lasting = len(side) - np.argmin(np.append((side == side[-1])[::-1], False))
    return {
        "first": epochs[apart[0]] if len(apart) else np.nan,
        "for_good": epochs[lasting] if side[-1] else np.nan,
        "last": epochs[-1],
        "difference": estimate.value[-1],
        "lower": lower[-1],
        "upper": upper[-1],
        "n_moments": len(epochs),
        # A measure can be there at some moments of a training alone, as critical sharpness is.
        "n_seeds": int(estimate.df[-1]) + 1,
    }


def text(partings: pd.DataFrame, trajectory: pd.DataFrame) -> Text:
    """Return where conditions part, and how near to the edge of stability trainings end."""
    parted = [_parted(rows) for _, rows in partings.groupby(NETWORK, sort=False)]
    return [*_edges(trajectory), *(parted or [NOTHING_PARTS])]


def _parted(rows: pd.DataFrame) -> pd.DataFrame:
    """Return for each condition and measure of a network when it parts from its baseline."""
    dataset, network = rows[NETWORK].iloc[0]
    names = measures_of(rows, *COMPARED)
    parted = rows.set_index(["condition", "measure"])[["first", "for_good"]]
    cells = [
        {"Condition": condition}
        | {
            name.label: _when(*parted.loc[condition, measure])
            for measure, name in names.items()
            if (condition, measure) in parted.index
        }
        for condition in rows["condition"].unique()
    ]
    most, seeds = rows["n_moments"].max(), count_seeds(rows["n_seeds"])
    about = f"{network} on {dataset}, {seeds}. {ABOUT_PARTINGS.format(most)}"
    table = captioned(cells, about).fillna(MISSING)
    return in_blocks(table)


def _when(first: float, for_good: float) -> str:
    """Return ``5 (2)``: apart for good from epoch 5 on, and for the first time at epoch 2."""
    if np.isnan(first):
        return "never"
    return f"{'not' if np.isnan(for_good) else f'{for_good:g}'} ({first:g})"


def _edges(trajectory: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield for each network a table with the last moment of each condition."""
    rows = trajectory[trajectory["family"] == EDGE]
    rows = rows[rows["measure"].isin(EDGE_COLUMNS)]
    last = rows[rows["epoch"] == rows.groupby(RUN)["epoch"].transform("max")]
    for (dataset, network), of_network in last.groupby(NETWORK, sort=False):
        cells = []
        for condition, own in of_network.groupby("condition", sort=False):
            values = dict(iter(own.groupby("measure")["value"]))
            cells.append(
                {"Condition": condition, "Epoch": f"{own['epoch'].max():g}"}
                | {
                    label: format_estimate(*mean_over_seeds(values[name].to_numpy())[:2])
                    for name, label in EDGE_COLUMNS.items()
                    if name in values
                }
            )
        seeds = count_seeds(of_network.groupby("condition")["seed"].nunique())
        about = ABOUT_EDGE if of_network["trained"].astype(bool).all() else ABOUT_EDGE + UNTRAINED
        yield captioned(cells, f"{network} on {dataset}, {seeds}. {about}").fillna(MISSING)
