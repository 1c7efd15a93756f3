"""Figure: sharpness and generalisation gap of each minimum against its training loss."""

import textwrap

import pandas as pd
from matplotlib.figure import Figure

from ..analysis.measure_names import MEASURES, measures_of
from ..analysis.tables import at_minima
from ..errors import InputError
from .style import (
    condition_handles,
    condition_styles,
    panel_grid,
    scale_axis,
    select,
    set_log_where_positive,
)

PANEL = (1.9, 1.8)  # inches
COLUMNS = 3
GAP = "generalisation_gap"
LOSS = "train_loss"


def plot(measures: pd.DataFrame, conditions: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a panel for each measure of sharpness and one for the gap, over the training loss.

    A dot is a model; colour and marker are the control that it was trained under, whatever a
    sweep varied besides. The training loss is logarithmic (Figure 1 of Mason-Williams et al.
    2026).

    Raises:
        InputError: the models have no training loss.
    """
    rows = at_minima(select(measures, dataset, network))
    names = measures_of(rows, "sharpness") | {GAP: MEASURES[GAP]}
    models = rows.pivot(index=["condition", "seed"], columns="measure", values="value")
    if LOSS not in models:
        raise InputError(
            f"figures: {network} on {dataset} has no training loss; set sharpness.forward to {{}}"
        )
    of = select(conditions, dataset, network).set_index("condition")["control"]
    controls = pd.Series(models.index.get_level_values("condition").map(of), models.index)
    # In the order of the measures, as in all figures.
    styles = condition_styles(of[rows["condition"].unique()].unique())
    handles = condition_handles(styles, lines=False)
    title = f"{network} on {dataset}: {len(models)} minima"
    figure, panels = panel_grid(title, len(names), COLUMNS, PANEL, handles)
    for axes, (measure, name) in zip(panels, names.items(), strict=True):
        for control, style in styles.items():
            x, y = models.loc[controls == control, [LOSS, measure]].to_numpy().T
            axes.plot(x, y, **style.dots, markersize=3, markeredgewidth=0, alpha=0.7)
        set_log_where_positive(axes.xaxis, models[LOSS])
        scale_axis(axes.yaxis, models[measure], name.log_axis)
        axes.set_ylabel(textwrap.fill(name.axis_label, 24))
        axes.set_xlabel(MEASURES[LOSS].axis_label)
    figure.align_ylabels()
    return figure
