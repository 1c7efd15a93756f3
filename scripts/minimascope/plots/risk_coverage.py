"""Figure: how often networks err among the samples of which they are surest."""

import pandas as pd
from matplotlib.figure import Figure

from ..analysis.numbers import count_seeds
from .looks import study_looks
from .style import HALF_PAGE, draw_range, new_figure, select

SIZE = (HALF_PAGE, 2.6)  # inches
MARKED = 4  # shares of coverage from one dot to the next


def plot(
    risk_coverage: pd.DataFrame, conditions: pd.DataFrame, dataset: str, network: str
) -> Figure:
    """Return the risk–coverage curves of conditions: mean over seeds, and their range as a band.

    A network answers the share of test samples of which it is surest (coverage); its risk is the
    error among these. At 100 % it is the test error. Lower is better.

    Args:
        risk_coverage: columns ``dataset``, ``network``, ``condition``, ``seed``, ``coverage`` and
            ``risk``.
        conditions: of the whole study.
    """
    rows = select(risk_coverage, dataset, network)
    rows = rows.assign(coverage=100 * rows["coverage"], risk=100 * rows["risk"])
    looks = study_looks(conditions)
    seeds = count_seeds(rows.groupby("condition")["seed"].nunique())
    figure = new_figure(f"{network} on {dataset}, {seeds}", *SIZE, looks.handles(lines=True))
    axes = figure.subplots()
    for condition, own in rows.groupby("condition", sort=False):
        # Marked up to the test error, and whole where the risk is 0 and at the end.
        marks = {"markevery": (MARKED - 1, MARKED), "clip_on": False}
        draw_range(axes, own.groupby("coverage")["risk"], looks.of[condition].line, **marks)
    axes.set(xlabel="Coverage (%)", ylabel="Risk (%)", xlim=(0, 100))
    axes.set_ylim(bottom=0)
    return figure
