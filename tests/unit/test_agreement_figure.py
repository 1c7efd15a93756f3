"""The figure of our means over the printed ones."""

import io
import math

import numpy as np
import pandas as pd
import pytest
from agreement_cases import (
    CONTROL_NAMES,
    NEW,
    OLD,
    printed_rows,
    run_rows,
    summary_rows,
)
from matplotlib.colors import to_hex
from matplotlib.image import imread

from minimascope.analysis.agreement import compare, order_of_controls
from minimascope.plots.agreement import plot
from minimascope.plots.style import save_png, save_svg


def figure_cells():
    metrics = {
        "test_accuracy": ("test_accuracy", "0.7{}0"),
        "sam_sharpness": ("sam_sharpness_published", "{}.00e-0{}"),
        "generalisation_gap": ("generalisation_gap", "{}.0"),
    }
    printed, ours = [], []
    for metric, (measure, form) in metrics.items():
        for i, control in enumerate(CONTROL_NAMES, 1):
            mean = form.format(i, 7 - i)
            uncertain = "true" if control == "baseline_sam" else "false"
            printed += [(control, metric, mean, mean, s, uncertain) for s in (NEW, OLD)]
            if metric != "generalisation_gap":
                ours.append((control, measure, float(mean) * 1.1, float(mean) * 0.2, 3))
    cells = compare(summary_rows(*ours), run_rows(), printed_rows(*printed))
    return pd.read_csv(io.StringIO(cells.to_csv(index=False)))  # as the workflow stores them


def drawn(cells):
    return plot(cells, order_of_controls(cells), dataset="our_cifar", network="our_resnet")


def test_figure_has_a_panel_per_source_and_metric_with_values():
    cells = figure_cells()
    titles = [axes.get_title() for axes in drawn(cells).axes]
    assert len(titles) == 4
    assert all(title.endswith("τ = 1.00") for title in titles)
    assert sum(OLD in title for title in titles) == 2
    assert not any("Generalisation" in title for title in titles)
    [first, _] = drawn(cells[cells["source"] == NEW]).axes
    assert first.get_title() == "Test accuracy\nτ = 1.00"


def test_figure_shows_ours_over_print_with_both_errors_and_hollow_uncertain_print():
    cells = figure_cells()
    axes = drawn(cells).axes[0]
    rows = cells[(cells["source"] == NEW) & (cells["metric"] == "test_accuracy")]
    for bars, cell in zip(axes.containers, rows.itertuples(), strict=True):
        marker, _, (across, up) = bars.lines
        assert (marker.get_xdata()[0], marker.get_ydata()[0]) == (cell.printed, cell.ours)
        [(start, end)] = across.get_segments()
        assert end[0] - start[0] == pytest.approx(2 * cell.printed_sem)
        [(start, end)] = up.get_segments()
        assert end[1] - start[1] == pytest.approx(2 * cell.ours_sem)
        hollow = marker.get_markerfacecolor() == "none"
        assert hollow == (cell.control == "baseline_sam")
    assert len({to_hex(bars.lines[0].get_color()) for bars in axes.containers}) == 6
    [identity] = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert list(identity.get_xdata()) == list(identity.get_ydata()) == list(axes.get_xlim())
    assert axes.get_xlim() == axes.get_ylim()


def test_figure_uses_logarithmic_axes_for_both_values_where_the_metric_does():
    scales = {
        axes.get_title().split("\n")[0]: (axes.get_xscale(), axes.get_yscale())
        for axes in drawn(figure_cells()).axes
    }
    assert scales == {
        "Test accuracy": ("linear", "linear"),
        "SAM-sharpness, published": ("log", "log"),
    }


def test_figure_is_the_same_each_time_and_inside_its_edges():
    cells = figure_cells()
    assert save_svg(drawn(cells)) == save_svg(drawn(cells))
    image = imread(io.BytesIO(save_png(drawn(cells), 100)))[:, :, :3]
    edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert (edges == 1).all()


def test_figure_of_a_single_seed_and_of_nothing():
    cells = figure_cells().assign(ours_sem=math.nan)
    drawn(cells).draw_without_rendering()
    one = cells[(cells["control"] == "baseline") & (cells["metric"] == "test_accuracy")]
    assert drawn(one).axes[0].get_title().endswith("τ = n.a.")
    drawn(one).draw_without_rendering()
    nothing = drawn(cells[cells["metric"] == "generalisation_gap"])
    assert nothing.texts[-1].get_text() == "no values to compare with print"
    assert not nothing.axes
