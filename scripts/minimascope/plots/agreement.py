"""Figure: our means against published ones."""

import math
import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..analysis.agreement import NOT_RUN, OTHER_VIEW, UNCERTAIN
from ..analysis.agreement_text import condition_label
from ..analysis.measure_names import MEASURES
from .looks import Look, study_looks
from .models import correlation
from .scales import is_logarithmic, scale_axis, with_power
from .style import GREY, balanced, notice, panel_grid, select

PANEL = (2.4, 2.5)  # inches
MARGIN = 0.08  # around the values, as a share of their range


def plot(
    agreement: pd.DataFrame,
    agreement_order: pd.DataFrame,
    conditions: pd.DataFrame,
    dataset: str,
    network: str,
) -> Figure:
    """Return a figure with a panel for each published metric that the study has values of.

    A marker is a condition, our mean over the published one with both standard errors; it is
    hollow where the published value is in doubt. On the dashed line the two are equal. Titles give
    Spearman's ρ between the two with its interval, and the source where there
    are several. Axes are logarithmic where that is usual for the metric, or its values on the data
    set span more than two decades. Without any value the figure says so.

    Args:
        agreement: result of `analysis.agreement.compare`.
        agreement_order: result of `analysis.agreement.order_of_conditions`.
        conditions: of the whole study.
    """
    of_all = select(agreement, dataset, required=False)
    of_all = of_all[~of_all["verdict"].isin([NOT_RUN, OTHER_VIEW])]
    cells = of_all[of_all["network"] == network]
    title = f"{network} on {dataset}"
    if cells.empty:
        return notice(title, "no published values to compare with")
    cells = cells.assign(
        label=list(map(condition_label, cells["published_condition"], cells["rho"]))
    )
    looks = study_looks(conditions).of
    panels = dict(list(cells.groupby(["source", "metric"], sort=False)))
    order = select(agreement_order, dataset, network, required=False)
    orders = {(row["source"], row["metric"]): correlation(row) for _, row in order.iterrows()}
    named = cells.drop_duplicates("label")
    named = zip(named["label"], named["condition"], strict=True)
    handles = [Line2D([], [], **looks[condition].dots, label=label) for label, condition in named]
    handles += _key(cells)
    figure, grid = panel_grid(
        title, len(panels), balanced(len(panels)), PANEL, handles, margins=(0.3, 0.8)
    )
    several = cells["source"].nunique() > 1
    for axes, ((source, metric), values) in zip(grid, panels.items(), strict=True):
        everywhere = (
            of_all.loc[of_all["metric"] == metric, ["published", "ours"]].to_numpy().ravel()
        )
        # A metric's measure as published is called a diagnostic, and these have no usual scale.
        logarithmic = is_logarithmic(everywhere, MEASURES[metric].log_axis)
        _draw(axes, values, looks, logarithmic)
        name = textwrap.fill(MEASURES[values["measure"].iloc[0]].column_label, 26)
        of_both = orders.get((source, metric), "")
        axes.set_title("\n".join(filter(None, [name, *[source] * several, of_both])))
    return figure


def _key(cells: pd.DataFrame) -> list[Line2D]:
    """Return the legend's entries besides the conditions."""
    equal = Line2D([], [], color=GREY, linestyle="--", linewidth=0.8, label="equal")
    look = {"color": GREY, "marker": "o", "linestyle": "none", "markerfacecolor": "none"}
    hollow = Line2D([], [], **look, label="published value in doubt")
    return [equal, hollow] if (cells["verdict"] == UNCERTAIN).any() else [equal]


def _draw(axes: Axes, cells: pd.DataFrame, looks: Mapping[str, Look], logarithmic: bool) -> None:
    for cell in cells.itertuples():
        look = looks[cell.condition]
        axes.errorbar(
            cell.published,
            cell.ours,
            xerr=cell.published_sem,
            yerr=None if math.isnan(cell.ours_sem) else cell.ours_sem,
            **look.dots,
            markersize=4.5,
            markerfacecolor="none" if cell.verdict == UNCERTAIN else look.colour,
            elinewidth=0.8,
        )
    both = np.concatenate([cells["published"], cells["ours"]])
    for axis, label in ((axes.xaxis, "Published"), (axes.yaxis, "Ours")):
        axis.set_label_text(with_power(label, scale_axis(axis, both, logarithmic)))
    limits = _limits(cells, logarithmic)
    axes.plot(limits, limits, color=GREY, linestyle="--", linewidth=0.8, zorder=0)
    axes.set(xlim=limits, ylim=limits, box_aspect=1)


def _limits(cells: pd.DataFrame, logarithmic: bool) -> tuple[float, float]:
    """Return limits for both axes that hold all values and their errors."""
    values = np.concatenate([cells["published"], cells["ours"]])
    errors = np.nan_to_num(np.concatenate([cells["published_sem"], cells["ours_sem"]]))
    low, high = values - errors, values + errors
    if logarithmic:
        low = np.where(low > 0, low, values)
        low, high = np.log10(low), np.log10(high)
    margin = MARGIN * (high.max() - low.min()) or 1.0
    ends = low.min() - margin, high.max() + margin
    return tuple(10.0**end for end in ends) if logarithmic else ends
