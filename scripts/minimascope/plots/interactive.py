"""A page with loss surfaces that a reader can turn."""

import math
from html import escape

import pandas as pd
import plotly.graph_objects as go
from matplotlib.colors import LogNorm

from .landscape import first_surfaces, loss_norm

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
    buttons = [
        {
            "label": condition,
            "method": "update",
            "args": [{"visible": [other == condition for other in surfaces]}],
        }
        for condition in surfaces
    ]
    title = f"{network} on {dataset}"
    logarithmic = isinstance(norm, LogNorm)
    bounds = [norm.vmin, norm.vmax]
    heights = {
        "title": {"text": "Training loss (nats)"},
        "type": "log" if logarithmic else "linear",
        "range": [math.log10(bound) for bound in bounds] if logarithmic else bounds,
    }
    figure.update_layout(
        title={"text": title, "x": 0.02},
        updatemenus=[{"buttons": buttons, "x": 0.02, "y": 1, "xanchor": "left"}],
        scene={
            "xaxis": {"title": {"text": "First direction"}},
            "yaxis": {"title": {"text": "Second direction"}},
            "zaxis": heights,
            "camera": {"eye": {"x": 1.6, "y": 1.6, "z": 1.1}},
        },
        margin={"l": 0, "r": 0, "t": 60, "b": 0},
    )
    return figure


def page(landscape: pd.DataFrame, dataset: str, network: str) -> str:
    """Return the same as an HTML page that needs no other file.

    Raises:
        InputError: there are no surfaces of this network.
    """
    html = surfaces_figure(landscape, dataset, network).to_html(
        full_html=False,
        include_plotlyjs=True,
        div_id="landscape",
        config={"responsive": True, "displaylogo": False},
    )
    return PAGE.format(title=escape(f"{network} on {dataset}"), figure=html)
