"""Effective robustness, and the tables and figures of further test sets."""

import numpy as np
import pandas as pd
import pytest
from refusals import refused
from scipy import special

from minimascope.analysis import shifted, unseen
from minimascope.analysis.render import markdown
from minimascope.plots.risk_coverage import plot as plot_risks
from minimascope.plots.shifted import plot

SLOPE, INTERCEPT, N = 0.8, -0.5, 10**9


def accuracies(residual: float = 0.0) -> pd.DataFrame:
    """Return six networks on a line, those of the condition ``odd`` above it by a residual."""
    rows = []
    for seed, (condition, clean) in enumerate(
        [("base", 0.7), ("base", 0.8), ("base", 0.9), ("odd", 0.75), ("odd", 0.85), ("odd", 0.95)]
    ):
        expected = special.expit(INTERCEPT + SLOPE * special.logit(clean))
        odd = residual if condition == "odd" else 0
        numbers = {"accuracy": expected + odd, "clean_accuracy": clean, "ece": 0.1, "nll": 1.0}
        counts = {"n": N, "clean_n": N, "classes": 10}
        run = {"dataset": "d", "network": "net", "condition": condition, "seed": seed}
        rows.append({**run, "set": "thick", **numbers, **counts})
    return pd.DataFrame(rows)


def values(rows: pd.DataFrame, untrained: tuple[int, ...] = ()) -> pd.DataFrame:
    found = rows[["dataset", "network", "condition", "seed"]]
    return found.assign(trained=[row not in untrained for row in range(len(found))])


def test_networks_on_a_line_have_no_effective_robustness():
    rows = accuracies()
    means, points = shifted.shifted_tables(rows, values(rows))
    assert means["slope"].tolist() == pytest.approx([SLOPE] * 2, rel=1e-6)
    assert means["intercept"].tolist() == pytest.approx([INTERCEPT] * 2, rel=1e-6)
    assert points["effective_robustness"].abs().max() < 1e-4
    assert means["n_networks"].tolist() == [6, 6]


def test_effective_robustness_is_the_distance_from_the_line_of_all_networks_that_trained():
    rows = accuracies(0.05)
    untrained = (3, 4, 5)
    _, points = shifted.shifted_tables(rows, values(rows, untrained))
    # The line is through the others alone.
    odd = points[points["condition"] == "odd"]
    assert odd["effective_robustness"].to_numpy() == pytest.approx([5, 5, 5], abs=1e-4)
    means, points = shifted.shifted_tables(rows, values(rows))
    x, y = special.logit(rows["clean_accuracy"]), special.logit(rows["accuracy"])
    design = np.column_stack([np.ones(6), x])
    fit = np.linalg.lstsq(design, y, rcond=None)[0]
    expected = 100 * (rows["accuracy"] - special.expit(design @ fit))
    assert points["effective_robustness"].to_numpy() == pytest.approx(expected, abs=1e-4)
    by_condition = means.set_index("condition")["effective_robustness"]
    assert by_condition["odd"] == pytest.approx(expected[3:].mean(), abs=1e-4)


def test_two_networks_have_no_line_and_one_that_is_always_right_is_on_it():
    rows = accuracies().iloc[:2]
    means, _ = shifted.shifted_tables(rows, values(rows))
    assert means["effective_robustness"].isna().all()
    assert "No line" in markdown(shifted.text(means))
    assert shifted.empirical_logit(np.array([1.0]), np.array([9])) == pytest.approx(np.log(19))


@pytest.mark.parametrize(("right", "n"), [(0, 60), (54, 60), (10, 10), (1, 1)])
def test_networks_of_one_accuracy_are_on_their_line_however_few_the_samples(right, n):
    rows = accuracies().assign(accuracy=right / n, n=n)
    means, points = shifted.shifted_tables(rows, values(rows))
    assert points["effective_robustness"].abs().max() < 1e-9
    # The two conditions, and then the lines.
    dots = plot(points, means, CONDITIONS, "d").axes[0].lines[:2]
    heights = np.concatenate([dot.get_ydata() for dot in dots])
    assert len(heights) == 6
    assert heights == pytest.approx(means["intercept"].iloc[0])


def test_a_set_of_classes_that_the_test_split_lacks_has_no_line():
    rows = accuracies().assign(clean_accuracy=np.nan, clean_n=0)
    means, points = shifted.shifted_tables(rows, values(rows))
    assert means["slope"].isna().all()
    assert points["effective_robustness"].isna().all()
    assert means["n_networks"].tolist() == [0, 0]
    assert means["accuracy"].notna().all()
    assert "No line" in markdown(shifted.text(means))


def test_one_sample_of_one_class_is_in_the_singular():
    rows = accuracies().assign(accuracy=1.0, n=1, classes=1)
    means, _ = shifted.shifted_tables(rows, values(rows))
    assert "thick, for d: 1 sample of 1 class, 3 seeds." in markdown(shifted.text(means))


def test_a_table_names_what_it_lacks():
    rows = accuracies()
    with refused("shifted: no column 'accuracy'"):
        shifted.shifted_tables(rows.drop(columns="accuracy"), values(rows))


def scores() -> pd.DataFrame:
    rows = []
    for seed, auroc in enumerate([0.8, 0.9, 0.1]):
        run = {"dataset": "d", "network": "net", "condition": "base", "seed": seed}
        numbers = {"auroc": auroc, "aupr": 0.7, "fpr95": 0.5, "n": 30, "n_unseen": 10}
        rows += [
            {**run, "set": "far", "score": score, **numbers} for score in ("entropy", "energy")
        ]
    return pd.DataFrame(rows)


def test_scores_of_unseen_classes_are_means_over_the_seeds_that_trained():
    rows = scores()
    models = rows.drop_duplicates("seed")
    found = unseen.unseen_table(rows, values(models, (2,)))
    assert found["auroc"].tolist() == pytest.approx([0.85, 0.85])
    assert found["auroc_error"].tolist() == pytest.approx([0.05, 0.05])
    assert found["n_seeds"].tolist() == [2, 2]
    text = markdown(unseen.text(found))
    assert "AUROC, entropy" in text
    assert "85.0 ± 5.0" in text
    assert "10 samples, against 30 of the test split (75 %)" in text


CONDITIONS = pd.DataFrame(
    {"network": "net", "condition": ["base", "odd"], "base_condition": ["base", "odd"]}
)


def test_the_figure_has_a_panel_for_each_set_with_its_line():
    rows = accuracies(0.05)
    rows = pd.concat([rows, rows.assign(set="slanted")])
    means, points = shifted.shifted_tables(rows, values(rows).drop_duplicates())
    figure = plot(points, means, CONDITIONS, "d")
    assert [axes.get_title() for axes in figure.axes] == [
        f"{name}\nslope {means['slope'].iloc[0]:.2f}" for name in ("thick", "slanted")
    ]
    line = figure.axes[0].lines[-2]
    slope = np.diff(line.get_ydata())[0] / np.diff(line.get_xdata())[0]
    assert slope == pytest.approx(means["slope"].iloc[0])
    lost = points.assign(trained=False)
    assert plot(lost, means, CONDITIONS, "d").get_label()


def test_a_network_that_is_always_right_is_drawn_where_the_line_counts_it():
    rows = accuracies().assign(n=50, clean_n=80)
    rows.loc[2, "accuracy"] = 1.0
    means, points = shifted.shifted_tables(rows, values(rows))
    axes = plot(points, means, CONDITIONS, "d").axes[0]
    drawn = np.concatenate([line.get_xydata() for line in axes.lines[:-2]])
    # Half a sample more right and half a sample more wrong.
    assert drawn[:, 1].max() == pytest.approx(np.log(50.5 / 0.5))
    assert drawn[drawn[:, 1].argmax(), 0] == pytest.approx(np.log(72.5 / 8.5))


def test_curves_of_risk_end_at_the_test_error():
    run = {"dataset": "d", "network": "net", "condition": "base"}
    rows = pd.DataFrame(
        [
            {**run, "seed": seed, "coverage": coverage, "risk": coverage * error}
            for seed, error in enumerate([0.1, 0.3])
            for coverage in (0.5, 1.0)
        ]
    )
    axes = plot_risks(rows, CONDITIONS, "d", "net").axes[0]
    assert axes.lines[0].get_ydata().tolist() == pytest.approx([10, 20])


def test_the_test_error_at_the_end_of_a_curve_of_risk_has_a_whole_dot():
    run = {"dataset": "d", "network": "net", "condition": "base", "seed": 0}
    shares = np.arange(1, 21) / 20
    rows = pd.DataFrame([{**run, "coverage": share, "risk": share / 10} for share in shares])
    [line] = plot_risks(rows, CONDITIONS, "d", "net").axes[0].lines
    first, step = line.get_markevery()
    assert line.get_xdata()[first::step].tolist() == pytest.approx([20, 40, 60, 80, 100])
    assert not line.get_clip_on()
