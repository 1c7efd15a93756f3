"""Figure: the training loss between networks of the same seed."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from ..analysis.numbers import format_estimate
from .landscape import COLOURS as COLOUR_MAP
from .landscape import draw_contours, label_bar, loss_norm
from .scales import draw_axis, is_logarithmic
from .style import GREY, HALF_PAGE, PAGE, balanced, new_figure, select

LINE, PLANE = (2.4, 2.2), (3.8, 3.2)  # inches, of a panel


def plot(interpolation: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a panel for each line and each plane between networks.

    On lines, thin curves are seeds and the thick one is their mean; dots are the networks
    themselves, and the title has barrier and instability, mean ± standard error over seeds.
    Planes are those of the smallest seed, in units of Euclidean distance; losses of more than
    three times the largest of their networks' share one colour.

    Args:
        interpolation: a row for each point, with columns ``seed``, ``path``, ``x``, ``y`` (NaN on
            lines), ``loss`` (nats), ``barrier`` and ``instability`` (nats; of the line, NaN on
            planes) and ``model``, the network that is exactly there, if any.
    """
    rows = select(interpolation, dataset, network)
    paths = dict(list(rows.groupby("path", sort=False)))
    planes = {path: points for path, points in paths.items() if points["y"].notna().any()}
    lines = {path: points for path, points in paths.items() if path not in planes}
    kinds = [
        (found, draw, panel)
        for found, draw, panel in ((lines, _draw_line, LINE), (planes, _draw_plane, PLANE))
        if found
    ]
    most = [int(PAGE / panel[0]) for *_, panel in kinds]
    width = max(
        panel[0] * balanced(len(found), n) for n, (found, _, panel) in zip(most, kinds, strict=True)
    )
    columns = [max(1, int(width / panel[0])) for *_, panel in kinds]
    heights = [
        panel[1] * math.ceil(len(found) / n)
        for n, (found, _, panel) in zip(columns, kinds, strict=True)
    ]
    figure = new_figure(f"{network} on {dataset}", max(HALF_PAGE, width), sum(heights) + 0.3)
    parts = figure.subfigures(len(kinds), height_ratios=heights, squeeze=False)[:, 0]
    for part, n, (found, draw, _) in zip(parts, columns, kinds, strict=True):
        panels = part.subplots(math.ceil(len(found) / n), n, squeeze=False)
        for axes, (path, points) in zip(panels.flat, found.items(), strict=False):
            draw(axes, points)
            title = path.replace(" – ", " –\n", 1) if len(path) > 20 else path
            axes.set_title("\n".join([title, *_heights(points)]))
        for spare in list(panels.flat)[len(found) :]:
            spare.remove()
    return figure


def _heights(points: pd.DataFrame) -> list[str]:
    """Return a line's barrier and instability as lines of a title; nothing for a plane."""
    of_seeds = points.groupby("seed")[["barrier", "instability"]].first().dropna()
    return [
        f"{name} {format_estimate(values.mean(), values.sem())} nats"
        for name, values in of_seeds.items()
        if len(values)
    ]


def _cap(points: pd.DataFrame) -> float:
    """Return the largest loss worth a colour: far beyond the networks it grows without bound."""
    return 3 * points.loc[points["model"].notna(), "loss"].max()


def _draw_line(axes: Axes, points: pd.DataFrame) -> None:
    losses = points.pivot(index="x", columns="seed", values="loss")
    axes.plot(losses.index, losses, color=GREY, linewidth=0.5)
    axes.plot(losses.index, losses.mean(axis=1), color="black")
    ends = points[points["model"].notna()].groupby("x")["loss"].mean()
    axes.plot(ends.index, ends, linestyle="none", marker="o", color="black", markersize=3)
    names = points.dropna(subset="model").drop_duplicates("x").set_index("x")["model"]
    axes.set_xticks(list(names.index), list(names), rotation=20, ha="right")
    between = losses.loc[0:1].to_numpy().ravel()
    draw_axis(axes.yaxis, "Training loss (nats)", between, is_logarithmic(between, usually=True))
    axes.set_ylim(top=3 * between.max())


def _draw_plane(axes: Axes, points: pd.DataFrame) -> None:
    points = points[points["seed"] == points["seed"].min()]
    grid = points[points["model"].isna()]
    surface = grid.pivot(index="x", columns="y", values="loss").clip(upper=_cap(points))
    norm = loss_norm({"plane": surface})
    draw_contours(axes, surface, norm)
    for row in points[points["model"].notna()].itertuples():
        axes.plot(row.x, row.y, marker="o", color="white", markeredgecolor="black")
        box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.7, "linewidth": 0}
        place = {"textcoords": "offset points", "ha": "center", "va": "bottom", "bbox": box}
        axes.annotate(row.model, (row.x, row.y), (0, 6), **place)
    axes.set(aspect="equal", xlabel="Distance", ylabel="Distance")
    bar = axes.figure.colorbar(ScalarMappable(norm, COLOUR_MAP), ax=axes, extend="max")
    label_bar(bar, norm)
