"""Figure: how much of the variance of sharpness and accuracy each hyper-parameter explains."""

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..analysis.measure_names import describe
from ..analysis.numbers import format_number
from .models import FACTORS, shown_measures
from .style import GREY, NEUTRAL, notice, panel_grid, select

COLUMNS = 3
PANEL = 2.5  # inches wide
NAMES = 1.1  # inches for the names of the factors
ROW = 0.36  # inches for each factor
BAR = 0.36  # of the distance between factors
# Of each kind of share: its name, colour, and place above (-) or below the factor's middle.
KINDS = {
    "one-way": ("factor alone (one-way)", NEUTRAL, -BAR / 2),
    "joint": ("in the joint model", "#BBBBBB", BAR / 2),
}
TOTALS = {"model": "All factors", "residual": "Residual"}


def plot(variance_shares: pd.DataFrame, dataset: str) -> Figure:
    """Return bars of the share of variance that each factor explains, a panel per response.

    Responses are ln sharpness and accuracies, those of the box plots. A factor has two bars: its
    share if it is the only one in the model (one-way η²), and its share beside the others in the
    joint model. Below stand the share of all factors together and the residual. Shares of
    different factors overlap or fall short of the total where the design is not balanced. Where
    there is no share, the reason stands in its place; without any, the figure says so.
    """
    rows = select(variance_shares, dataset, required=False)
    rows = rows[(rows["n"] > 0) & rows["kind"].isin(KINDS)]
    found = set(rows["factor"])
    names = {key: label for key, label in (FACTORS | TOTALS).items() if key in found}
    sharpness, accuracies = shown_measures(rows["response"])
    responses = [*sharpness, *accuracies]
    if not responses:
        return notice(dataset, "no hyper-parameter varies")
    handles = [Patch(color=colour, label=label) for label, colour, _ in KINDS.values()]
    size, margins = (PANEL, ROW * len(names) + 0.55), (NAMES, 0.53)
    figure, grid = panel_grid(dataset, len(responses), COLUMNS, size, handles, margins, sharey=True)
    for axes, response in zip(grid, responses, strict=True):
        _draw(axes, rows[rows["response"] == response], names)
    for axes in grid[-COLUMNS:]:
        axes.set_xlabel("Share of variance")
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, names: dict[str, str]) -> None:
    """Draw the shares of one response."""
    places = {factor: i for i, factor in enumerate(names)}
    for row in rows[rows["factor"].isin(places)].itertuples():
        _, colour, offset = KINDS[row.kind]
        y = places[row.factor] + (0 if row.factor in TOTALS else offset)
        place = {"xytext": (2, 0), "textcoords": "offset points", "va": "center"}
        if pd.isna(row.value):
            reason = str(row.note).partition(" with ")[0]
            axes.annotate(reason, (0, y), **place, color=NEUTRAL)
        else:
            axes.barh(y, row.value, BAR, color=colour)
            axes.annotate(
                format_number(row.value, ".2f"), (max(row.value, 0), y), **place, color="black"
            )
    first = rows.iloc[0]
    label = describe(first["response"], "sharpness", "1").label
    logarithm = ", logarithm" if first["scale"] == "ln" else ""
    axes.set_title(textwrap.fill(f"{label}{logarithm}, n = {first['n']:.0f}", 36))
    axes.set_yticks(range(len(names)), names.values())
    axes.set(xlim=(0, 1.2), ylim=(len(names) - 0.5, -0.5), xticks=[0, 0.5, 1])
    if set(TOTALS) & set(names):
        axes.axhline(len(names) - len(set(TOTALS) & set(names)) - 0.5, color=GREY, linewidth=0.6)
