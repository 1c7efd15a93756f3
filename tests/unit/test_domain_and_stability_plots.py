"""Figures of accuracy in each domain, and of sharpness along many directions."""

import math

import numpy as np
import pytest
from model_frames import (
    SCENES,
    boxes_of,
    domains_frame,
    figure_of,
    legend_of,
    models_frame,
    points_of,
    read_again,
    stability_frame,
    stability_order_frame,
    tables,
    written,
)

from minimascope.plots import domains

# Domains


def test_domains_stand_in_natural_order_those_of_the_training_data_first():
    figure = figure_of("domains")
    labels = [[label.get_text() for label in axes.get_xticklabels()] for axes in figure.axes]
    assert labels == [["B", "C", "A2", "A10"], ["lyon", "milan"]]
    assert [axes.get_xlabel() for axes in figure.axes] == ["Domain", "City"]


def test_domains_are_set_apart_by_background_name_and_mean():
    models = models_frame()
    frame = domains_frame(models)
    first, cities = figure_of("domains", tables(models)).axes
    means = frame.groupby("name")["accuracy"].mean()
    inside, outside = means[["B", "C"]].mean(), means[["A2", "A10"]].mean()
    assert [text.get_text() for text in first.texts] == [
        f"in-domain\nmean {inside:.2f}",
        f"out-of-domain\nmean {outside:.2f}",
    ]
    lines = [line.get_xydata().tolist() for line in first.lines if line.get_linestyle() == "--"]
    assert lines == [
        [[-0.5, pytest.approx(inside)], [1.5, pytest.approx(inside)]],
        [[1.5, pytest.approx(outside)], [3.5, pytest.approx(outside)]],
    ]
    [shade] = first.patches
    assert (shade.get_x(), shade.get_width()) == (1.5, 2)
    assert not cities.texts
    assert not cities.patches


def test_points_are_the_models_of_each_domain():
    models = models_frame()
    frame = domains_frame(models)
    for axes in figure_of("domains", tables(models)).axes:
        drawn = np.concatenate(list(points_of(axes).values()))
        for place, label in enumerate(axes.get_xticklabels()):
            values = frame.loc[frame["name"] == label.get_text(), "accuracy"]
            near = np.abs(drawn[:, 0] - place) <= 0.25
            assert sorted(drawn[near, 1]) == pytest.approx(sorted(values))
            assert boxes_of(axes)[place] == pytest.approx(values.median())


@pytest.mark.parametrize("seen", [True, False])
def test_data_without_cities_or_without_one_kind_of_domain(seen):
    frame = read_again(domains_frame(models_frame(), cities=()))
    [axes] = domains.plot(frame[frame["seen"] == seen], SCENES).axes
    [text] = axes.texts
    assert text.get_text().startswith("in-domain" if seen else "out-of-domain")
    assert len(axes.patches) == (not seen)


def test_a_single_model_has_a_point_in_each_domain():
    frame = domains_frame(models_frame().iloc[:1]).replace({"name": {"B": 7, "C": 10}})
    figure = domains.plot(read_again(frame), SCENES)
    assert figure.get_suptitle() == "scenes, 1 model"
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["7", "10", "A2", "A10"]
    figure.draw_without_rendering()


# Stability


def test_models_stand_in_the_order_of_their_variation_over_what_the_pairs_suffice_for():
    models = models_frame()
    first, second, _ = figure_of("stability", tables(models)).axes
    table = stability_frame(models)
    points, enough = first.lines
    assert points.get_ydata() == pytest.approx(100 * np.sort(table["cv"]))
    assert list(points.get_xdata()) == list(range(1, 65))
    assert enough.get_ydata() == pytest.approx(np.full(64, 5 * math.sqrt(10)))
    steps, measured = second.lines
    shares = dict(zip(steps.get_xdata(), steps.get_ydata(), strict=True))
    assert shares[table["pairs_needed"].max()] == 1
    middle = table["pairs_needed"].median()
    heights = steps.get_ydata()[steps.get_xdata() <= middle]
    assert heights.max() == (table["pairs_needed"] <= middle).mean()
    assert list(measured.get_xdata()) == [10, 10]
    assert second.get_title() == "Pairs for a standard error of 5 %"


def test_tau_is_drawn_over_the_number_of_pairs_with_a_band_of_the_splits():
    models = models_frame()
    table = stability_order_frame(models)
    axes = figure_of("stability", tables(models)).axes[2]
    for line, kind in zip(axes.lines, ("first", "split_half"), strict=True):
        rows = table[table["kind"] == kind]
        assert line.get_xydata() == pytest.approx(rows[["pairs", "tau"]].to_numpy())
    band = axes.collections[1].get_paths()[0].vertices
    halves = table[table["kind"] == "split_half"]
    assert band[:, 1].min() == pytest.approx(halves["tau_low"].min())
    assert band[:, 1].max() == pytest.approx(halves["tau_high"].max())


def test_three_pairs_have_no_halves():
    models = models_frame()
    order = stability_order_frame(models, 3)
    frames = {
        "stability": stability_frame(models, 3),
        "stability_order": order[order["kind"] == "first"],
    }
    figure = figure_of("stability", frames)
    assert legend_of(figure) == ["pairs that were measured", "first pairs against all"]
    assert figure.get_suptitle() == "scenes, 64 models, 3 pairs of directions each"


def test_an_order_that_is_not_known_says_why():
    models = models_frame().iloc[:2]
    order = stability_order_frame(models, note="fewer than 3 models").assign(tau=np.nan)
    frames = {"stability": stability_frame(models), "stability_order": read_again(order)}
    figure = figure_of("stability", frames)
    assert [text.get_text() for text in figure.axes[2].texts] == ["fewer than 3 models"]
    figure.draw_without_rendering()


def test_one_pair_of_directions_has_no_variation():
    models = models_frame()
    frames = {
        "stability": read_again(stability_frame(models, 1)),
        "stability_order": read_again(stability_order_frame(models, 1)),
    }
    assert "no variation over pairs of directions" in written(figure_of("stability", frames))
