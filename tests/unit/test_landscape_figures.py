"""Figures of landscapes, spectra and the loss between networks."""

import re

import numpy as np
import pandas as pd
import pytest
from figure_cases import (
    CONDITIONS,
    RUN,
    eigenvectors_frame,
    figure_of,
    hessian_frame,
    interpolation_frame,
    labels,
    landscape_frame,
    names,
)
from matplotlib.colors import LogNorm

from minimascope.analysis.barriers import KINDS
from minimascope.errors import InputError
from minimascope.plots import interactive, landscape, spectrum

NAMES = list(CONDITIONS[:3])


def draw(name, **changes):
    tables = {
        "landscape": landscape_frame(),
        "landscape_eigenvectors": eigenvectors_frame(),
        "hessian": hessian_frame(),
        "interpolation": interpolation_frame(),
    }
    return figure_of(name, tables | changes)


def panels(figure):
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


@pytest.mark.parametrize(
    "name",
    ["landscape_contours", "landscape_surfaces", "landscape_eigenvectors", "spectrum"],
)
def test_there_is_a_panel_for_each_condition(name):
    assert labels(panels(draw(name)), "title") == NAMES


def test_all_panels_share_one_scale_and_the_colour_bar_has_a_unit():
    figure = draw("landscape_contours")
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
    heights = {axes.get_zlim() for axes in panels(draw("landscape_surfaces"))}
    assert len(heights) == 1


@pytest.mark.parametrize(("lowest", "logarithmic"), [(0.1, True), (0.0, False)])
def test_losses_are_shown_on_a_logarithmic_scale_unless_one_is_zero(lowest, logarithmic):
    frame = landscape_frame()
    found = landscape.first_surfaces(frame.assign(loss=frame["loss"] - 0.1 + lowest), **RUN)
    assert isinstance(landscape.loss_norm(found), LogNorm) == logarithmic


def test_a_surface_keeps_its_axes():
    surface = landscape.first_surfaces(landscape_frame(), **RUN)["baseline"]
    assert surface.loc[0.25, 0.0] == pytest.approx(0.1 + 4 * 0.0625)
    assert surface.loc[0.0, 0.25] == pytest.approx(0.1 + 8 * 0.0625)


def test_clean_views_of_trained_networks_are_shown():
    frame = landscape_frame(("baseline", "initial"), views=("clean", "augmented"))
    found = landscape.first_surfaces(frame, **RUN)
    assert list(found) == ["baseline"]
    clean = landscape.first_surfaces(landscape_frame(("baseline",)), **RUN)
    pd.testing.assert_frame_equal(found["baseline"], clean["baseline"])


def test_axes_along_eigenvectors_have_their_eigenvalues_and_the_prediction_is_dashed():
    drawn = panels(draw("landscape_eigenvectors"))
    expected = [f"Eigenvector, λ = {value}" for value in ("4.00", "5.00", "6.00")]
    assert [axes.get_xlabel() for axes in drawn] == expected
    assert {axes.get_ylabel() for axes in drawn} == {"Eigenvector, λ = 2.00"}
    for axes in drawn:
        _, losses, predicted = axes.collections
        assert all(dashes for _, dashes in predicted.get_linestyle())
        # Along the first axis x⁴ comes on top, so that the loss reaches a level sooner.
        level = predicted.levels[len(predicted.levels) // 2]
        wide, narrow = (
            lines.get_paths()[list(lines.levels).index(level)].vertices[:, 0].max()
            for lines in (predicted, losses)
        )
        assert wide > narrow


def test_lines_are_means_over_seeds_and_directions():
    (axes,) = draw("landscape_lines").axes
    rows = landscape_frame().query(f"condition == '{NAMES[1]}'")
    groups = rows[rows["y"].isna()].groupby("x")["loss"]
    np.testing.assert_allclose(axes.get_lines()[1].get_ydata(), groups.mean())
    band = axes.collections[1].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (groups.min().min(), groups.max().max())


def test_the_density_of_a_spectrum_integrates_to_one():
    nodes = pd.DataFrame({"value": [0.0, 2.0], "weight": [0.7, 0.3]})
    points = np.linspace(-3, 5, 4001)
    density = spectrum.smoothed_density(nodes, points, 0.1)
    assert np.trapezoid(density, points) == pytest.approx(1, rel=1e-6)
    assert np.trapezoid(density * points, points) == pytest.approx(0.6, rel=1e-6)


@pytest.mark.parametrize("quantity", ["eigenvalue", "node"])
def test_a_spectrum_may_have_eigenvalues_or_a_density_alone(quantity):
    frame = hessian_frame()
    assert len(panels(draw("spectrum", hessian=frame[frame.quantity == quantity]))) == 3


def test_eigenvalues_of_a_solver_that_stopped_early_are_crosses():
    for axes in panels(draw("spectrum")):
        markers = {line.get_marker() for line in axes.lines if len(line.get_xdata()) == 6}
        assert markers == ({"x"} if axes.get_title() == NAMES[1] else {"|"})


def test_the_networks_on_a_line_and_a_plane_are_named():
    figure = draw("interpolation")
    line, plane = panels(figure)
    assert names(line.get_xticklabels()) == ["initial", "baseline"]
    assert line.get_ylabel() == "Training loss (nats)"
    heights = "barrier 1.00 ± 0.50\ninstability 2.00 ± 0.50"
    assert line.get_title() == f"initial – baseline\n{heights}"
    assert figure.get_suptitle() == "resnet18 on cifar10, barriers in nats"
    assert set(names(plane.texts)) == {"initial", "baseline", "sam"}


def test_kinds_of_paths_are_told_apart():
    figure = draw("interpolation", interpolation=interpolation_frame(kinds=KINDS))
    line, _ = panels(figure)
    heights = [
        "barrier 1.00 ± 0.50",
        "instability 2.00 ± 0.50",
        "matched 1.00 ± 0.50",
        "curve 1.00 ± 0.50",
    ]
    assert line.get_title().splitlines() == ["initial – baseline", *heights]
    (legend,) = figure.legends
    assert names(legend.texts) == [text.capitalize() for text in KINDS.values()]
    looks = {(each.get_color(), each.get_linestyle()) for each in legend.get_lines()}
    drawn = {(each.get_color(), each.get_linestyle()) for each in line.get_lines()}
    assert len(looks) == 3
    assert looks < drawn


def test_all_lines_share_a_scale_on_which_each_is_seen():
    low, high = interpolation_frame(), interpolation_frame()
    low["loss"] = 1e-4 + low["loss"] / 1e3
    frame = pd.concat([low[low.y.isna()], high[high.y.isna()].assign(path="initial – sam")])
    first, second = panels(draw("interpolation", interpolation=frame))
    assert first.get_ylim() == second.get_ylim()
    between = frame.loc[frame["x"].between(0, 1), "loss"]
    assert first.get_ylim()[0] < between.min() < between.max() < first.get_ylim()[1]
    assert (first.get_ylabel(), second.get_ylabel()) == ("Training loss (nats)", "")


def test_planes_alone_are_drawn_without_a_barrier():
    frame = interpolation_frame()
    figure = draw("interpolation", interpolation=frame[frame["barrier"].isna()])
    (plane,) = panels(figure)
    assert figure.get_suptitle() == "resnet18 on cifar10"
    assert plane.get_title() == "initial –\nbaseline – sam"


def test_what_a_study_did_not_compute_is_said():
    frame = landscape_frame()
    with pytest.raises(InputError, match="no lines of resnet18 on cifar10"):
        draw("landscape_lines", landscape=frame.dropna(subset="y"))
    with pytest.raises(InputError, match="no surfaces of resnet18 on cifar10"):
        draw("landscape_contours", landscape=frame[frame["y"].isna()])


def turnable(frame, dataset, network):
    return interactive.page(interactive.surfaces_figure(frame, dataset, network))


def test_the_interactive_page_needs_no_other_file_and_is_the_same_each_time():
    text = turnable(landscape_frame(), **RUN)
    assert text == turnable(landscape_frame(), **RUN)
    assert not re.search(r"<(?:script|link|img)[^>]*(?:src|href)=", text)
    assert text.count("plotly.js v") == 1
    assert "width=device-width" in text
    assert all(f'"label":"{condition}"' in text for condition in NAMES)


def test_the_interactive_page_escapes_names():
    frame = landscape_frame().assign(network="<b>")
    assert "<title><b>" not in turnable(frame, "cifar10", "<b>")
