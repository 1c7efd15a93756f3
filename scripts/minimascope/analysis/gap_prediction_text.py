"""What readers see of how well measures predict the gap: a row for each measure."""

from collections.abc import Mapping

import pandas as pd

from .environments import BASE
from .evidence import LEVEL
from .gap_prediction import ALL_AXES, MEAN, MOST, TAU, WORST
from .measure_names import describe
from .numbers import MISSING, format_interval, format_number
from .predictors import SHARPNESS
from .render import Text, captioned

CAPTION = (
    "whether measures of the trained network predict its generalisation gap, over pairs of networks"
    " of one seed that differ in one setting. Sign error: share of seeds in which the network with"
    " the larger measure (of margins: the smaller one) has the smaller gap; 0.5 is a coin, 1 always"
    " wrong. An environment is one pair of conditions; worst: the environment with the largest sign"
    " error, 9 in 10: what so many environments do not exceed. Pairs whose gaps differ by less than"
    " the choice of test samples makes them differ count for nothing here, nor do environments in"
    " which most do. τ: granulated Kendall's"
    " τ, the mean over the other settings and seeds, along each setting and over all. [ ]:"
    f" {100 * LEVEL:.0f} % interval over seeds as independent units: exact binomial ones of all"
    " environments at once for the worst and 9 in 10, Student's t for the mean and τ; none where"
    " all seeds agree. tables/gap_prediction.csv has each environment."
)
COIN = 0.5
WORDS = {BASE: "condition", "optimizer.lr": "learning rate"}
NO_PAIRS = "no two conditions that trained differ in one setting alone."


def text(found: pd.DataFrame) -> Text:
    """Return a table for each network on each data set, its most robust measures first.

    Args:
        found: rows of `gap_prediction.gap_prediction`.
    """
    if found.empty:
        return [f"Nothing to predict: {NO_PAIRS}"]
    groups = found.groupby(["dataset", "network"], sort=False)
    return [_table(rows, f"{network} on {dataset}") for (dataset, network), rows in groups]


def ordered(found: pd.DataFrame) -> list[str]:
    """Return the measures of a network, those first whose worst environments are the least bad.

    Of equal ones the smaller 9 in 10 comes first, then the smaller mean.
    """
    over_all = found[found["axis"] == ALL_AXES]
    table = over_all.pivot(index="measure", columns="statistic", values="value")
    table = table.reindex(over_all["measure"].unique())
    return list(table.sort_values([WORST, MOST, MEAN], kind="stable").index)


def axes_of(found: pd.DataFrame) -> list[str]:
    """Return the settings that pairs of a network differ in, the condition first."""
    names = (axis for axis in found["axis"].unique() if axis != ALL_AXES)
    return sorted(names, key=lambda axis: axis != BASE)


def axis_in_words(axis: str) -> str:
    """Return a setting as readers know it.

    >>> axis_in_words("optimizer.lr"), axis_in_words("sam.rho"), axis_in_words("batch_size")
    ('learning rate', 'sam rho', 'batch size')
    """
    return WORDS.get(axis, axis.replace(".", " ").replace("_", " "))


def _table(found: pd.DataFrame, title: str) -> pd.DataFrame:
    axes, rows = axes_of(found), []
    for measure in ordered(found):
        own = found[found["measure"] == measure]
        by_place = {(row.statistic, row.axis): row for row in own.itertuples()}
        kind = own["kind"].iloc[0]
        row = {
            "Measure": describe(measure, SHARPNESS).label,
            "Kind": kind,
            "Sign error, worst": _shown(by_place, WORST),
            "Worst environment": _pair(by_place[WORST, ALL_AXES]),
            "9 in 10": _shown(by_place, MOST),
            "Mean": _shown(by_place, MEAN),
            "τ": _shown(by_place, TAU),
        }
        taus = [by_place.get((TAU, axis)) for axis in axes] if len(axes) > 1 else []
        row |= {
            f"τ, {axis_in_words(axis)}": format_number(tau.value, ".2f") if tau else MISSING
            for axis, tau in zip(axes, taus, strict=False)
        }
        rows.append(row)
    worst = found[(found["statistic"] == WORST) & (found["axis"] == ALL_AXES)]
    counts = (
        f" Environments: {_most(worst, 'n_environments')}, pairs {_most(worst, 'n_pairs')}, and"
        f" {_most(worst, 'in_noise')} within noise."
    )
    return captioned(rows, f"{title}: {CAPTION}{counts}{_distinguished(worst)}")


def _distinguished(worst: pd.DataFrame) -> str:
    """Return of how many measures it is sure in the worst environment that they are no coin."""
    known = worst[worst["value"].notna()]
    alike = ~((known["upper"] < COIN) | (known["lower"] > COIN))
    if known.empty or not alike.any():
        return ""
    if alike.all():
        return (
            " No measure can be told from a coin in its worst environment: all intervals hold 0.5,"
            " or there are none. So the order of the rows says nothing."
        )
    return (
        f" In the worst environment {int(alike.sum())} of {len(known)} measures cannot be told from"
        " a coin: their intervals hold 0.5, or there are none."
    )


def _most(rows: pd.DataFrame, column: str) -> int:
    return int(rows[column].max())


def _shown(by_place: Mapping[tuple[str, str], tuple], statistic: str) -> str:
    row = by_place.get((statistic, ALL_AXES))
    if row is None or pd.isna(row.value):
        return MISSING
    if pd.isna(row.lower):
        return format_number(row.value, ".2f")
    return format_interval(row.value, row.lower, row.upper, ".2f")


def _pair(row: tuple) -> str:
    """Return the conditions of the worst environment, if the measure is wrong anywhere."""
    return f"{row.first}, {row.second}" if row.value > 0 else MISSING
