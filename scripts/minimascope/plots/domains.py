"""Figure: the accuracy of all models in each domain and each city."""

import re

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis.numbers import format_number, span
from .models import count_models, draw_boxes, spread
from .style import (
    HALF_PAGE,
    NEUTRAL,
    label_height,
    new_figure,
    notice,
    rotate_labels,
    select,
)

NAME = 0.36  # inches for each domain
MARGIN = 0.6  # inches beside a panel
HEIGHT = 2.0  # inches of a panel without the names below it
LABELS = {"domain": "Domain", "city": "City"}
# By whether the training data has the domain.
PARTS = {True: "in-domain", False: "out-of-domain"}
SHADE = "#EEEEEE"


def plot(domains: pd.DataFrame, dataset: str) -> Figure:
    """Return box plots of accuracy in each domain, and in each city where the data name it.

    Domains that the training data has (in-domain) stand left, the others (out-of-domain) right
    on grey, each in natural order. Points are models, boxes as in the figure of
    hyper-parameters. Dashed lines are means over the domains of a part, each domain counting the
    same. Without any domain or city the figure says so.
    """
    rows = select(domains, dataset, required=False)
    if rows.empty:
        return notice(dataset, "the data name no domains")
    panels = {kind: rows[rows["kind"] == kind] for kind in LABELS if (rows["kind"] == kind).any()}
    names = {kind: ordered(panel) for kind, panel in panels.items()}
    width = max(HALF_PAGE, MARGIN + NAME * max(map(len, names.values())))
    height = 0.5 + sum(HEIGHT + label_height(of_kind) for of_kind in names.values())
    models = len(rows[["network", "condition", "seed"]].drop_duplicates())
    figure = new_figure(f"{dataset}, {count_models(models)}", width, height)
    grid = figure.subplots(len(panels), squeeze=False, sharey=True).flat
    for axes, (kind, panel) in zip(grid, panels.items(), strict=True):
        _draw(axes, panel, names[kind])
        axes.set(xlabel=LABELS[kind] + _samples(panel), ylabel="Test accuracy (fraction)")
    return figure


def _samples(rows: pd.DataFrame) -> str:
    """Return how many test samples each domain has; published tables do not say it."""
    return f" ({span(rows['n'])} test samples each)" if "n" in rows else ""


def ordered(rows: pd.DataFrame) -> list[str]:
    """Return the names of domains, those in the training data first, S2 before S10."""
    unseen = rows["seen"].eq(False).fillna(False)
    names = {str(name): bool(late) for name, late in zip(rows["name"], unseen, strict=True)}
    return sorted(names, key=lambda name: (names[name], _natural(name)))


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Return a key that sorts numbers within names by their value, words without case."""
    parts = re.findall(r"\d+|\D+", name)
    return [
        (not part.isdigit(), int(part) if part.isdigit() else 0, part.lower()) for part in parts
    ]


def _draw(axes: Axes, rows: pd.DataFrame, names: list[str]) -> None:
    """Draw the models of each domain, and what its parts are called and reach on average."""
    positions = rows["name"].astype(str).map({name: i for i, name in enumerate(names)})
    draw_boxes(axes, rows["accuracy"], positions)
    rotate_labels(axes, names)
    if rows["seen"].isna().all():
        _draw_points(axes, positions, rows["accuracy"])
        return
    for seen, label in PARTS.items():
        part = rows["seen"].eq(seen)
        if part.any():
            places, accuracy = positions[part], rows.loc[part, "accuracy"]
            _draw_points(axes, places, accuracy)
            ends = places.min() - 0.5, places.max() + 0.5
            if not seen:
                axes.axvspan(*ends, color=SHADE, linewidth=0, zorder=0)
            mean = accuracy.groupby(places).mean().mean()
            axes.plot(ends, [mean, mean], color="black", linestyle="--", linewidth=1)
            axes.annotate(
                f"{label}\nmean {format_number(mean, '.2f')}",
                (sum(ends) / 2, 1),
                xycoords=axes.get_xaxis_transform(),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                va="bottom",
            )


def _draw_points(axes: Axes, positions: pd.Series, accuracy: pd.Series) -> None:
    axes.plot(
        spread(accuracy, positions),
        accuracy,
        linestyle="none",
        marker="o",
        markersize=3,
        markeredgewidth=0,
        color=NEUTRAL,
        alpha=0.6,
        zorder=3,
    )
