"""Figure: the training loss between networks of the same seed."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from .landscape import draw_contours, loss_norm
from .style import COLOURS, GREY, HALF_PAGE, scale_axis, select, styled

COLUMNS = 3
PANEL = 1.9  # inches


@styled()
def plot(interpolation: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a panel for each line and each plane between networks.

    On lines, thin curves are seeds and the thick one is their mean; dots are the networks
    themselves. Planes are those of the smallest seed, in units of Euclidean distance.

    Args:
        interpolation: a row for each point, with columns ``seed``, ``path``, ``x``, ``y`` (NaN on
            lines), ``loss`` (nats) and ``model``, the network that is exactly there, if any.
        dataset: whose rows are drawn.
        network: whose rows are drawn.
    """
    rows = select(interpolation, dataset, network)
    paths = dict(list(rows.groupby("path", sort=False)))
    columns = min(COLUMNS, len(paths))
    lines = -(-len(paths) // columns)
    size = (max(HALF_PAGE, (PANEL + 0.3) * columns), PANEL * lines + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(f"{network} on {dataset}")
    panels = list(figure.subplots(lines, columns, squeeze=False).flat)
    for axes, (path, points) in zip(panels, paths.items(), strict=False):
        if points["y"].isna().all():
            _draw_line(axes, points)
        else:
            _draw_plane(figure, axes, points[points["seed"] == points["seed"].min()])
        axes.set_title(path.replace(" – ", " –\n") if points["y"].notna().any() else path)
    for spare in panels[len(paths) :]:
        spare.remove()
    return figure


def _draw_line(axes: Axes, points: pd.DataFrame) -> None:
    losses = points.pivot(index="x", columns="seed", values="loss")
    axes.plot(losses.index, losses, color=GREY, linewidth=0.5)
    axes.plot(losses.index, losses.mean(axis=1), color=COLOURS[0])
    ends = points[points["model"].notna()].groupby("x")["loss"].mean()
    axes.plot(ends.index, ends, linestyle="none", marker="o", color="black", markersize=3)
    names = points.dropna(subset="model").drop_duplicates("x").set_index("x")["model"]
    axes.set_xticks(list(names.index), list(names), rotation=20, ha="right")
    scale_axis(axes.yaxis, losses.to_numpy().ravel(), usually_log=True)
    axes.set_ylabel("Training loss (nats)")


def _draw_plane(figure: Figure, axes: Axes, points: pd.DataFrame) -> None:
    grid = points[points["model"].isna()]
    surface = grid.pivot(index="x", columns="y", values="loss")
    norm = loss_norm({"plane": surface})
    draw_contours(axes, surface, norm)
    for row in points[points["model"].notna()].itertuples():
        axes.plot(row.x, row.y, marker="o", color="white", markeredgecolor="black")
        above, right = row.y > np.mean(surface.columns), row.x > np.mean(surface.index)
        axes.annotate(
            row.model,
            (row.x, row.y),
            (0, 5 if above else -5),
            textcoords="offset points",
            ha="right" if right else "left",
            va="bottom" if above else "top",
            color="white",
        )
    axes.set(aspect="equal", xlabel="Distance", ylabel="Distance")
    figure.colorbar(ScalarMappable(norm, "viridis"), ax=axes, label="Training loss (nats)")
