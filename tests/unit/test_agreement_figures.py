"""Figures of agreement: with published values, and of measures about the order of conditions."""

import math

import numpy as np
import pandas as pd
import pytest
from agreement_cases import NEW, OLD
from figure_cases import (
    RUN,
    colour_of,
    figure_of,
    names,
    plain_conditions,
    published_cells,
    written,
)

from minimascope.analysis.agreement import order_of_conditions
from minimascope.analysis.trends import rank_agreement


def agreement(cells):
    tables = {"agreement": cells, "agreement_order": order_of_conditions(cells)}
    return figure_of(
        "agreement", tables | {"conditions": plain_conditions(cells["condition"].unique())}
    )


def test_agreement_has_a_panel_per_source_and_metric_with_values():
    cells = published_cells()
    axes = agreement(cells).axes
    titles = [each.get_title() for each in axes]
    assert len(titles) == 4
    assert all("\nρ = 1.00 [" in title and title.endswith("\nn = 5") for title in titles)
    assert sum(OLD in title for title in titles) == 2
    scales = {title.split("\n")[0]: a.get_xscale() for title, a in zip(titles, axes, strict=True)}
    assert scales == {"Test accuracy": "linear", "SAM-sharpness, published": "log"}
    assert [each.get_yscale() for each in axes] == [each.get_xscale() for each in axes]
    [first, _] = agreement(cells[cells["source"] == NEW]).axes
    assert first.get_title() == "Test accuracy\nρ = 1.00 [0.31, 1.00]\nn = 5"


def test_agreement_shows_ours_over_published_with_both_errors_and_hollow_where_uncertain():
    cells = published_cells()
    axes = agreement(cells).axes[0]
    rows = cells[(cells["source"] == NEW) & (cells["metric"] == "test_accuracy")]
    for bars, cell in zip(axes.containers, rows.itertuples(), strict=True):
        marker, _, (across, up) = bars.lines
        assert (marker.get_xdata()[0], marker.get_ydata()[0]) == (cell.published, cell.ours)
        [(start, end)] = across.get_segments()
        assert end[0] - start[0] == pytest.approx(2 * cell.published_sem)
        [(start, end)] = up.get_segments()
        assert end[1] - start[1] == pytest.approx(2 * cell.ours_sem)
        hollow = marker.get_markerfacecolor() == "none"
        assert hollow == (cell.published_condition == "baseline_sam")
    assert len({colour_of(bars.lines[0]) for bars in axes.containers}) == 6
    [identity] = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert list(identity.get_xdata()) == list(identity.get_ydata()) == list(axes.get_xlim())
    assert axes.get_xlim() == axes.get_ylim()


def test_agreement_of_a_single_seed_and_of_a_single_condition():
    cells = published_cells().assign(ours_sem=math.nan)
    agreement(cells).draw_without_rendering()
    one = cells[(cells["published_condition"] == "baseline") & (cells["metric"] == "test_accuracy")]
    figure = agreement(one)
    assert "ρ" not in figure.axes[0].get_title()
    figure.draw_without_rendering()


# Orders of measures

MEASURES = ["fisher_rao_norm", "own_measure", "test_accuracy", "test_nll"]


def orders_of(conditions: int) -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=(conditions, len(MEASURES)))
    means = pd.DataFrame(values, columns=MEASURES).assign(**RUN)
    means["own_measure"] = -means["fisher_rao_norm"] + 0.1 * values[:, 1]
    return rank_agreement(means, MEASURES)


def test_the_title_says_on_lines_of_its_own_what_the_intervals_are_and_only_where_there_are_any():
    figure = figure_of("rank_agreement", {"rank_agreement": orders_of(8)})
    figure.draw_without_rendering()
    first, _, rest = figure.get_suptitle().partition("above the diagonal: ")
    assert " ".join(first.split()).endswith("means of 8 conditions")
    assert first.endswith("\n")
    assert "not adjusted for the number of pairs" in " ".join(rest.split())
    assert "surely" not in figure.get_suptitle()
    title = figure._suptitle.get_window_extent()
    assert figure.bbox.x0 < title.x0 < title.x1 < figure.bbox.x1
    few = figure_of("rank_agreement", {"rank_agreement": orders_of(4)})
    assert "diagonal" not in few.get_suptitle()


def test_orders_of_conditions_are_below_the_diagonal_and_ends_of_intervals_above():
    table = orders_of(8)
    found = table.set_index(["first", "second"])
    axes = figure_of("rank_agreement", {"rank_agreement": table}).axes[0]
    # Of evaluations those of the main table.
    assert names(axes.get_yticklabels()) == ["Fisher–Rao norm", "own_measure", "Test accuracy"]
    matrix = axes.images[0].get_array().filled(np.nan)
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    for column in range(3):
        assert np.isnan(matrix[column, column])
        for row in range(column + 1, 3):
            order = found.loc[(MEASURES[column], MEASURES[row])]
            assert matrix[row, column] == order["value"]
            assert texts[column, row] == f"{order['value']:.1f}".replace("-", "−")
    sure = found.loc[("fisher_rao_norm", "own_measure")]
    assert sure["upper"] < 0
    assert matrix[0, 1] == sure["upper"]
    # The intervals of the others hold zero.
    assert np.isnan(matrix[:2, 2]).all()
    assert len(texts) == 4
    # Between the measures of sharpness and the evaluation.
    assert axes.lines[0].get_ydata()[0] == 1.5


def test_one_condition_has_no_order():
    one = pd.DataFrame([{**RUN, "fisher_rao_norm": 1.0, "test_accuracy": 0.5}])
    table = rank_agreement(one, ["fisher_rao_norm", "test_accuracy"])
    figure = figure_of("rank_agreement", {"rank_agreement": table})
    assert "too few conditions for an order" in written(figure)
