"""Figure: where trainings run, on their principal directions, and the loss around them."""

import pandas as pd
from matplotlib.figure import Figure

from ..analysis.tables import at_minima
from .landscape import MARGINS, draw_colour_bar, draw_contours, loss_label, loss_norm
from .style import COLOURS, balanced, panel_grid, select, wrap_name

PANEL = (2.4, 2.2)  # inches


def plot(path: pd.DataFrame, conditions: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return for each condition the path of its first seed, and contours of the loss in its plane.

    The path begins at the square and ends at the cross, where its network lies in the plane.

    Args:
        path: a row for each point of a grid, and for each moment; of `analysis.curves.path`.
        conditions: of the whole study, in whose order panels come.
    """
    surfaces, paths = first_paths(path, dataset, network)
    order = [name for name in conditions["condition"].unique() if name in surfaces]
    norm = loss_norm(surfaces)
    title = f"{network} on {dataset}, seed {path['seed'].min()}"
    columns = balanced(len(order))
    figure, panels = panel_grid(title, len(order), columns, PANEL, margins=MARGINS)
    for axes, condition in zip(panels, order, strict=True):
        draw_contours(axes, surfaces[condition], norm)
        moments = paths[condition]
        axes.plot(moments["x"], moments["y"], color=COLOURS[1], marker="o", markersize=2, lw=1)
        axes.plot(*moments[["x", "y"]].iloc[0], color=COLOURS[1], marker="s", markersize=4)
        axes.plot(*moments[["x", "y"]].iloc[-1], color="white", marker="+", markersize=6)
        axes.set_title(wrap_name(condition))
        shares = moments.iloc[0][["share_x", "share_y"]]
        axes.set_xlabel(f"First direction, {100 * shares['share_x']:.0f} %")
        axes.set_ylabel(f"Second, {100 * shares['share_y']:.0f} %")
    draw_colour_bar(figure, panels, norm, loss_label(select(path, dataset, network)))
    return figure


def first_paths(
    path: pd.DataFrame, dataset: str, network: str
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Return the surface (rows x, columns y) and the path of the first seed of each condition."""
    rows = at_minima(select(path, dataset, network))
    surfaces, paths = {}, {}
    for condition, points in rows.groupby("condition", sort=False):
        own = points[points["seed"] == points["seed"].min()]
        grid = own[own["moment"].isna()]
        surfaces[condition] = grid.pivot(index="x", columns="y", values="loss")
        paths[condition] = own[own["moment"].notna()]
    return surfaces, paths
