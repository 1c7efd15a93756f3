"""Figure: sharpness and generalisation gap of each network against its training loss."""

import pandas as pd
from matplotlib.figure import Figure

from ..analysis.measure_names import MEASURES, measures_of
from ..analysis.tables import at_minima
from ..errors import InputError
from .looks import draw_untrained, study_looks, untrained_handles
from .models import count_models
from .scales import draw_axis, log_measures
from .style import balanced, finite, panel_grid, select

PANEL = (2.4, 2.1)  # inches
GAP = "generalisation_gap"
LOSS = "train_loss"


def plot(
    measures: pd.DataFrame,
    conditions: pd.DataFrame,
    dataset: str,
    network: str,
) -> Figure:
    """Return a panel for each measure of sharpness and one for the gap, over the training loss.

    A dot is a model, its colour and marker the condition; models that did not train are hollow
    and grey. The training loss is logarithmic (Figure 1 of Mason-Williams et al. 2026, which shows
    augmented data). Loss and gap are of the view of the data that sharpness is of.

    Raises:
        InputError: the models have no training loss.
    """
    of_all = at_minima(select(measures, dataset))
    rows = select(of_all, dataset, network)
    names = measures_of(finite(rows), "sharpness") | {GAP: MEASURES[GAP]}
    models = rows.pivot(
        index=["condition", "seed", "trained"], columns="measure", values="value"
    ).reset_index()
    if LOSS not in models:
        raise InputError(
            f"figures: {network} on {dataset} has no training loss; set sharpness.forward to {{}}"
        )
    looks, logarithmic = study_looks(conditions), log_measures(of_all[of_all["trained"]])
    handles = [*looks.handles(), *untrained_handles(models)]
    title = f"{network} on {dataset}, {count_models(len(models))}"
    loss = measures_of(rows, "training")[LOSS].axis_label
    figure, panels = panel_grid(title, len(names), balanced(len(names)), PANEL, handles)
    for axes, (measure, name) in zip(panels, names.items(), strict=True):
        for condition, own in models[models["trained"]].groupby("condition", sort=False):
            look = looks.of[condition].dots
            axes.plot(own[LOSS], own[measure], **look, markersize=4.5, mew=0, alpha=0.85)
        lost = models[~models["trained"]]
        draw_untrained(axes, lost[LOSS], lost[measure])
        draw_axis(axes.xaxis, loss, models[LOSS], LOSS in logarithmic, 30)
        draw_axis(axes.yaxis, name.axis_label, models[measure], measure in logarithmic, 24)
    figure.align_ylabels()
    return figure
