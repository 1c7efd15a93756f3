"""Figures of landscapes, spectra and the loss between networks."""

import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import LogNorm

from minimascope.errors import InputError
from minimascope.plots import interactive, interpolation, landscape, spectrum
from minimascope.plots.style import save_svg

RUN = {"dataset": "d", "network": "n"}
CONDITIONS = ("baseline", "sam", "augmentation")


def landscape_frame(conditions=CONDITIONS, seeds=(0, 1), views=("clean",), steepness=4.0):
    axis, line = np.linspace(-0.25, 0.25, 5), np.linspace(-0.25, 0.25, 7)
    parts = []
    for index, condition in enumerate(conditions):
        for seed in seeds:
            for view in views:
                for direction_seed in (42, 43):
                    sharp = steepness * (index + 1) * (1 + 0.1 * seed + (view != "clean"))
                    x, y = (grid.ravel() for grid in np.meshgrid(axis, axis, indexing="ij"))
                    origin = {**RUN, "condition": condition, "seed": seed, "view": view}
                    origin["direction_seed"] = direction_seed
                    loss = 0.1 + sharp * (x**2 + 2 * y**2)
                    parts.append(pd.DataFrame({**origin, "x": x, "y": y, "loss": loss}))
                    loss = 0.1 + sharp * line**2
                    parts.append(pd.DataFrame({**origin, "x": line, "y": np.nan, "loss": loss}))
    return pd.concat(parts, ignore_index=True)


def hessian_frame(conditions=CONDITIONS, seeds=(0, 1)):
    parts = []
    for index, condition in enumerate(conditions):
        for seed in seeds:
            origin = {**RUN, "condition": condition, "seed": seed, "view": "clean"}
            top = {"quantity": "eigenvalue", "value": [10.0 + index, 5.0, -1.0], "residual": 1e-5}
            top["converged"] = condition != "sam"
            parts.append(pd.DataFrame({**origin, **top}))
            for probe in (0, 1):
                node = {"quantity": "node", "probe": probe, "value": [0.0, 4.0, 9.0]}
                parts.append(pd.DataFrame({**origin, **node, "weight": [0.9, 0.09, 0.01]}))
    return pd.concat(parts, ignore_index=True)


def interpolation_frame(seeds=(0, 1)):
    x = np.linspace(-0.25, 1.25, 7)
    parts = []
    for seed in seeds:
        origin = {**RUN, "seed": seed}
        ends = [{0.0: "initial", 1.0: "baseline"}.get(value) for value in x.round(9)]
        line = {"path": "initial – baseline", "x": x, "y": np.nan, "loss": 2.3 - x, "model": ends}
        line["barrier"] = 0.5 + seed
        parts.append(pd.DataFrame({**origin, **line}))
        grid = np.array([(a, b) for a in range(3) for b in range(3)], dtype=float)
        plane = {"path": "initial – baseline – sam", "x": grid[:, 0], "y": grid[:, 1]}
        parts.append(pd.DataFrame({**origin, **plane, "loss": 1 + grid.sum(1), "model": None}))
        corners = {"x": [0.5, 1.5, 1.0], "y": [0.5, 0.5, 1.5], "loss": 1.0}
        names = {"path": plane["path"], "model": ["initial", "baseline", "sam"]}
        parts.append(pd.DataFrame({**origin, **corners, **names}))
    return pd.concat(parts, ignore_index=True)


FIGURES = {
    "contours": lambda: landscape.contours(landscape_frame(), "d", "n"),
    "surfaces": lambda: landscape.surfaces(landscape_frame(), "d", "n"),
    "lines": lambda: landscape.lines(landscape_frame(), "d", "n"),
    "spectrum": lambda: spectrum.plot(hessian_frame(), "d", "n"),
    "interpolation": lambda: interpolation.plot(interpolation_frame(), "d", "n"),
}


def panels(figure):
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_equal_tables_give_equal_bytes_and_no_setting_stays_changed(draw):
    before = dict(mpl.rcParams)
    assert save_svg(draw()) == save_svg(draw())
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", ["contours", "surfaces", "spectrum"])
def test_there_is_a_panel_for_each_condition(name):
    drawn = panels(FIGURES[name]())
    assert [axes.get_title() for axes in drawn] == list(CONDITIONS)


def test_all_panels_share_one_scale_and_the_colour_bar_has_a_unit():
    figure = FIGURES["contours"]()
    scales = {
        (artist.norm.vmin, artist.norm.vmax)
        for axes in panels(figure)
        for artist in axes.collections
        if artist.norm.vmin is not None
    }
    losses = landscape_frame().query("seed == 0 and direction_seed == 42").dropna().loss
    assert len(scales) == 1
    assert scales.pop() == pytest.approx((losses.min(), losses.max()))
    bar = next(axes for axes in figure.axes if axes.get_label() == "<colorbar>")
    assert bar.get_ylabel() == "Training loss (nats)"
    heights = {axes.get_zlim() for axes in panels(FIGURES["surfaces"]())}
    assert len(heights) == 1


def test_losses_over_more_than_a_decade_are_shown_on_a_logarithmic_scale():
    steep = landscape.first_surfaces(landscape_frame(steepness=40), "d", "n")
    assert isinstance(landscape.loss_norm(steep), LogNorm)
    gentle = landscape.first_surfaces(landscape_frame(steepness=1), "d", "n")
    assert not isinstance(landscape.loss_norm(gentle), LogNorm)


def test_a_surface_keeps_its_axes():
    surface = landscape.first_surfaces(landscape_frame(), "d", "n")["baseline"]
    assert surface.loc[0.25, 0.0] == pytest.approx(0.1 + 4 * 0.0625)
    assert surface.loc[0.0, 0.25] == pytest.approx(0.1 + 8 * 0.0625)


def test_clean_views_of_trained_networks_are_shown():
    frame = landscape_frame(("baseline", "initial"), views=("clean", "augmented"))
    found = landscape.first_surfaces(frame, "d", "n")
    assert list(found) == ["baseline"]
    clean = landscape.first_surfaces(landscape_frame(("baseline",)), "d", "n")
    pd.testing.assert_frame_equal(found["baseline"], clean["baseline"])


def test_lines_are_means_over_seeds_and_directions():
    (axes,) = FIGURES["lines"]().axes
    drawn = axes.get_lines()[1].get_ydata()
    rows = landscape_frame().query("condition == 'sam'")
    expected = rows[rows["y"].isna()].groupby("x")["loss"].mean()
    np.testing.assert_allclose(drawn, expected)


def test_the_density_of_a_spectrum_integrates_to_one():
    nodes = pd.DataFrame({"value": [0.0, 2.0], "weight": [0.7, 0.3]})
    points = np.linspace(-3, 5, 4001)
    density = spectrum.smoothed_density(nodes, points, 0.1)
    assert np.trapezoid(density, points) == pytest.approx(1, rel=1e-6)
    assert np.trapezoid(density * points, points) == pytest.approx(0.6, rel=1e-6)


def test_a_spectrum_may_have_eigenvalues_or_a_density_alone():
    frame = hessian_frame()
    for quantity in ("eigenvalue", "node"):
        figure = spectrum.plot(frame[frame.quantity == quantity], "d", "n")
        assert len(panels(figure)) == 3


def test_eigenvalues_of_a_solver_that_stopped_early_are_crosses():
    for axes in panels(FIGURES["spectrum"]()):
        markers = {line.get_marker() for line in axes.lines if len(line.get_xdata()) == 6}
        assert markers == ({"x"} if axes.get_title() == "sam" else {"|"})


def test_the_networks_on_a_line_and_a_plane_are_named():
    line, plane = panels(FIGURES["interpolation"]())
    assert [label.get_text() for label in line.get_xticklabels()] == ["initial", "baseline"]
    assert line.get_ylabel() == "Training loss (nats)"
    assert line.get_title() == "initial – baseline\nbarrier 1.00 ± 0.50 nats"
    assert "barrier" not in plane.get_title()
    assert {text.get_text() for text in plane.texts} == {"initial", "baseline", "sam"}


def test_planes_alone_are_drawn_without_a_barrier():
    frame = interpolation_frame()
    (plane,) = panels(interpolation.plot(frame[frame["barrier"].isna()], "d", "n"))
    assert plane.get_title() == "initial –\nbaseline – sam"


def test_what_a_study_did_not_compute_is_said():
    frame = landscape_frame()
    with pytest.raises(InputError, match="no lines of n on d"):
        landscape.lines(frame.dropna(subset="y"), "d", "n")
    with pytest.raises(InputError, match="no surfaces of n on d"):
        landscape.contours(frame[frame["y"].isna()], "d", "n")


def test_the_interactive_page_needs_no_other_file_and_is_the_same_each_time():
    text = interactive.page(landscape_frame(), "d", "n")
    assert text == interactive.page(landscape_frame(), "d", "n")
    assert not re.search(r"<(?:script|link|img)[^>]*(?:src|href)=", text)
    assert text.count("plotly.js v") == 1
    assert "width=device-width" in text
    assert all(f'"label":"{condition}"' in text for condition in CONDITIONS)


def test_the_interactive_page_escapes_names():
    frame = landscape_frame().assign(network="<b>")
    assert "<title><b>" not in interactive.page(frame, "d", "<b>")
