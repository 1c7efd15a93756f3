"""The figure of effects shows what the table of statistics holds."""

import io

import numpy as np
import pandas as pd
import pytest
from plot_frames import CONDITIONS, RUN, disagreement_frame, measures_frame

from minimascope.analysis.statistics import statistics
from minimascope.analysis.summary import seed_values
from minimascope.plots.effects import plot
from minimascope.plots.style import save_svg


@pytest.fixture(scope="module")
def table():
    baselines = [None, *["baseline"] * (len(CONDITIONS) - 1)]
    conditions = pd.DataFrame({**RUN, "condition": CONDITIONS, "baseline": baselines})
    found = statistics(seed_values(measures_frame(), disagreement_frame()), conditions)
    return pd.read_csv(io.StringIO(found.to_csv(index=False)))


def panel(figure, title):
    (axes,) = (axes for axes in figure.axes if axes.get_title() == title)
    return axes


def test_a_dot_is_the_difference_in_percent_of_the_baseline(table):
    axes = panel(plot(table, **RUN), "Test accuracy")
    rows = table[table["measure"] == "test_accuracy"]
    dots = [container.lines[0].get_xdata()[0] for container in axes.containers]
    np.testing.assert_allclose(dots, 100 * rows["difference"] / rows["baseline_mean"])
    names = [label.get_text().replace("\n", "") for label in axes.get_yticklabels()]
    assert names == list(rows["condition"])


def test_a_dot_is_hollow_where_the_interval_holds_zero(table):
    axes = panel(plot(table, **RUN), "Prediction disagreement")
    rows = table[table["measure"] == "prediction_disagreement"]
    hollow = [container.lines[0].get_markerfacecolor() == "none" for container in axes.containers]
    assert hollow == list(rows["lower"] * rows["upper"] <= 0)
    assert any(hollow)


def test_large_differences_have_a_logarithmic_axis(table):
    figure = plot(table, **RUN)
    assert panel(figure, "Fisher–Rao norm").get_xscale() == "symlog"
    assert panel(figure, "Test accuracy").get_xscale() == "linear"


def test_one_seed_has_dots_without_intervals(table):
    columns = ["lower", "upper", "standard_error"]
    alone = table.assign(n=1, **dict.fromkeys(columns, np.nan))
    assert save_svg(plot(alone, **RUN)).startswith(b"<?xml")


def test_without_a_baseline_the_figure_says_so(table):
    texts = [text.get_text() for text in plot(table.iloc[:0], **RUN).texts]
    assert "no conditions are compared with a baseline" in texts
