"""A page with loss surfaces that a reader can turn."""

import math
from collections.abc import Mapping
from html import escape

import pandas as pd
import plotly.graph_objects as go
from matplotlib.colors import LogNorm

from .landscape import first_surfaces, loss_label, loss_norm
from .path import first_paths
from .style import select

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body {{ margin: 0 }} #landscape {{ height: 96vh !important }}</style>
{figure}
</html>
"""


def surfaces_figure(landscape: pd.DataFrame, dataset: str, network: str) -> go.Figure:
    """Return a figure with a surface for each condition.

    The surfaces are those of `landscape.contours`, on one scale of heights and colours; a menu
    chooses the condition.

    Raises:
        InputError: there are no surfaces of this network.
    """
    surfaces = first_surfaces(landscape, dataset, network)
    label = loss_label(select(landscape, dataset, network))
    axes = ("First direction", "Second direction", label)
    return _turnable(surfaces, f"{network} on {dataset}", axes)


def _turnable(
    surfaces: Mapping[str, pd.DataFrame],
    title: str,
    axes: tuple[str, str, str],
    paths: Mapping[str, pd.DataFrame] | None = None,
) -> go.Figure:
    """Return a figure of surfaces by condition, and of the paths over them where there are any."""
    norm = loss_norm(surfaces)
    figure = go.Figure()
    for index, (condition, surface) in enumerate(surfaces.items()):
        losses = surface.T.to_numpy()
        figure.add_surface(
            x=surface.index.to_list(),
            y=surface.columns.to_list(),
            z=losses.tolist(),
            surfacecolor=norm(losses).tolist(),
            name=condition,
            visible=index == 0,
            cmin=0,
            cmax=1,
            colorscale="Viridis",
            showscale=False,
        )
    for index, (condition, path) in enumerate((paths or {}).items()):
        figure.add_scatter3d(
            x=path["x"].to_list(),
            y=path["y"].to_list(),
            z=path["loss"].to_list(),
            text=path["moment"].to_list(),
            name=condition,
            visible=index == 0,
            mode="lines+markers",
            marker={"size": 3, "color": "#D55E00"},
            line={"width": 4, "color": "#D55E00"},
            showlegend=False,
        )
    drawn = [*surfaces, *(paths or ())]
    buttons = [
        {
            "label": condition,
            "method": "update",
            "args": [{"visible": [other == condition for other in drawn]}],
        }
        for condition in surfaces
    ]
    logarithmic = isinstance(norm, LogNorm)
    bounds = [norm.vmin, norm.vmax]
    heights = {
        "title": {"text": axes[2]},
        "type": "log" if logarithmic else "linear",
        "range": [math.log10(bound) for bound in bounds] if logarithmic else bounds,
    }
    figure.update_layout(
        title={"text": title, "x": 0.02},
        updatemenus=[{"buttons": buttons, "x": 0.02, "y": 1, "xanchor": "left"}],
        scene={
            "xaxis": {"title": {"text": axes[0]}},
            "yaxis": {"title": {"text": axes[1]}},
            "zaxis": heights,
            "camera": {"eye": {"x": 1.6, "y": 1.6, "z": 1.1}},
        },
        margin={"l": 0, "r": 0, "t": 60, "b": 0},
    )
    return figure


def path_figure(path: pd.DataFrame, dataset: str, network: str) -> go.Figure:
    """Return the planes around paths of `path.plot` as surfaces, with the paths over them."""
    surfaces, paths = first_paths(path, dataset, network)
    label = loss_label(select(path, dataset, network))
    axes = ("First principal direction", "Second principal direction", label)
    return _turnable(surfaces, f"{network} on {dataset}", axes, paths)


def page(figure: go.Figure) -> str:
    """Return a figure as an HTML page that needs no other file."""
    html = figure.to_html(
        full_html=False,
        include_plotlyjs=True,
        div_id="landscape",
        config={"responsive": True, "displaylogo": False},
    )
    return PAGE.format(title=escape(figure.layout.title.text), figure=html)
