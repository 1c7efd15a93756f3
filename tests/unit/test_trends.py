"""Slopes against NumPy and statsmodels, Simpson's paradox, and orders of measures."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from table_frames import measure_rows, pair_rows

from minimascope.analysis.render import html, markdown
from minimascope.analysis.smallest_difference import SmallestDifference
from minimascope.analysis.summary import summary_tables
from minimascope.analysis.trends import (
    COLUMNS,
    ORDER_COLUMNS,
    condition_means,
    rank_agreement,
    slope,
    slope_difference,
    text,
    trends,
)
from minimascope.errors import InputError
from minimascope.plots.trends import plot


def means_frame(offset=-3.0, networks=("vit", "resnet18"), conditions=6):
    """Accuracy rises by 1 per tenfold sharpness in each network, and by ``offset`` between them."""
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "dataset": "digits",
            "network": network,
            "condition": f"c{i}",
            "fisher_rao_norm": 10 ** (k + 0.1 * i),
            "hessian_trace": i - 2.5 + k,
            "test_accuracy": 0.1 * i + offset * k + 0.01 * random.normal(),
        }
        for k, network in enumerate(networks)
        for i in range(conditions)
    )


def by_network(frame, sharpness="fisher_rao_norm"):
    found = trends(frame, [sharpness], ["test_accuracy"])
    return found.set_index("network")


def test_a_slope_is_that_of_least_squares_with_its_interval():
    random = np.random.default_rng(1)
    x = random.normal(size=9)
    y = 2 * x + random.normal(size=9)
    model = sm.OLS(y, sm.add_constant(x)).fit()
    found = slope(x, y)
    assert found["slope"] == pytest.approx(model.params[1])
    assert (found["lower"], found["upper"]) == pytest.approx(tuple(model.conf_int()[1]))
    assert found["p_value"] == pytest.approx(model.pvalues[1])
    assert (found["n"], found["note"]) == (9, "")


@pytest.mark.parametrize(
    ("smallest", "share", "number"),
    [(SmallestDifference(0.1, relative=True), 0.1, 0.0), (SmallestDifference(0.3), 0.0, 0.3)],
)
def test_a_slope_is_tested_against_what_matters_as_a_contrast_of_slope_and_mean(
    smallest, share, number
):
    random = np.random.default_rng(1)
    x = random.normal(size=9)
    y = 4 + x + random.normal(size=9)
    # With x around its mean the constant is the mean of y.
    model = sm.OLS(y, sm.add_constant(x - x.mean())).fit()
    found = slope_difference(x, y, smallest)
    for side, sign in ((found.larger(), 1), (found.smaller(), -1)):
        contrast = [-share / np.ptp(x), sign]
        expected = model.t_test((contrast, number / np.ptp(x)))
        p = stats.t.sf(expected.tvalue.item(), 7)
        assert side.p_for == pytest.approx(p)


def test_a_slope_of_fewer_conditions_than_a_correlation_can_be_sure_of_has_no_interval():
    for n, few in ((4, True), (5, False)):
        found = slope(np.arange(n), np.arange(n) + np.eye(n)[0])
        assert np.isfinite(found["slope"])
        assert np.isnan([found["lower"], found["upper"], found["p_value"]]).all() == few
        assert found["note"] == "too few: an interval takes 5 conditions or more" * few
    frame = means_frame(conditions=4, networks=("vit",))
    table = by_network(frame)
    order = rank_agreement(frame, ["fisher_rao_norm", "hessian_trace"])
    shown = markdown(text(trends(frame, ["fisher_rao_norm"], ["test_accuracy"]), order))
    assert "too few conditions for intervals, which take 5 or more; tables/trends.csv" in shown
    assert f"{table.loc['vit', 'slope']:.3g}" not in shown


def test_a_reversal_of_too_few_conditions_is_not_certain():
    found = by_network(means_frame(conditions=4))
    assert found["flips"].tolist() == [True, True, True]
    assert found["certain"].tolist() == [False, None, None]


@pytest.mark.parametrize(
    ("x", "y", "note"),
    [
        ([1.0, 2.0], [1.0, 2.0], "fewer than 3 conditions"),
        ([1.0, 2.0, np.nan, 3.0], [1.0, 2.0, 3.0, np.inf], "fewer than 3 conditions"),
        ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], "sharpness is the same for all conditions"),
        ([1.0, 2.0, 3.0], [0.3, 0.1 + 0.2, 0.3], "evaluation is the same for all conditions"),
    ],
)
def test_what_has_no_slope_has_a_note(x, y, note):
    found = slope(x, y)
    assert found["note"] == note
    assert np.isnan([found[name] for name in ("slope", "lower", "upper", "p_value")]).all()


@pytest.mark.parametrize(
    ("sharpness", "scale", "x_of"),
    [("fisher_rao_norm", "log10", np.log10), ("hessian_trace", "1", np.asarray)],
    ids=["per tenfold sharpness", "where that is not positive, as it is"],
)
def test_slopes_are_those_of_polyfit(sharpness, scale, x_of):
    frame = means_frame()
    table = by_network(frame, sharpness)
    assert set(table["scale"]) == {scale}
    assert table["n"].to_dict() == {"all": 12, "vit": 6, "resnet18": 6}
    for network, part in (("all", frame), *frame.groupby("network")):
        expected = np.polyfit(x_of(part[sharpness]), part["test_accuracy"], 1)[0]
        assert table.loc[network, "slope"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("offset", "turned", "flips", "certain"),
    [
        (-3.0, 1, [True, True, True], [True, None, None]),  # Simpson's paradox
        (3.0, 1, [False, False, False], [False, None, None]),
        (-3.0, -1, [False, False, True], [False, None, None]),  # one that flips is no reversal
    ],
)
def test_slopes_of_the_other_sign_are_flagged(offset, turned, flips, certain):
    frame = means_frame(offset)
    frame.loc[frame["network"] == "vit", "test_accuracy"] *= turned
    table = by_network(frame)
    assert list(table.index) == ["all", "vit", "resnet18"]
    assert table["flips"].tolist() == flips
    assert table["certain"].tolist() == certain
    # The opposite evaluation flips the same slopes.
    mirrored = by_network(frame.assign(test_accuracy=-frame["test_accuracy"]))
    np.testing.assert_allclose(mirrored["slope"], -table["slope"])
    assert mirrored["flips"].tolist() == flips


def test_a_flip_whose_interval_holds_zero_is_not_certain():
    frame = means_frame(-0.3)
    frame["test_accuracy"] += 0.5 * np.tile([1.0, -1.0], 6)
    assert by_network(frame)["certain"].tolist() == [False, None, None]


def test_a_reversal_is_certain_by_the_test_of_claim_5_over_all_pairs():
    frame = means_frame(conditions=5)
    frame["test_accuracy"] += 0.02 * np.tile([1.0, -1.0, 0.0, 1.0, -1.0], 2)
    largest = by_network(frame)["p_value"].max()
    pairs = int(0.025 / largest)
    assert pairs > 0
    for number, certain in ((pairs, True), (pairs + 1, False)):
        names = [f"accuracy{i}" for i in range(number)]
        wide = frame.assign(**dict.fromkeys(names, frame["test_accuracy"]))
        found = trends(wide, ["fisher_rao_norm"], names)
        pooled = found[found["network"] == "all"]
        assert pooled["flips"].all()
        assert set(pooled["certain"]) == {certain}


@settings(deadline=None, max_examples=30)
@given(st.permutations(range(12)))
def test_the_order_of_rows_changes_nothing(order):
    frame = means_frame()
    found, again = by_network(frame), by_network(frame.iloc[list(order)])
    columns = ["slope", "lower", "upper", "n", "flips", "certain"]
    pd.testing.assert_frame_equal(again.loc[found.index, columns], found[columns])


def test_one_network_has_one_row_without_flags():
    table = trends(means_frame(networks=("vit",)), ["fisher_rao_norm"], ["test_accuracy"])
    assert list(table.columns) == COLUMNS
    assert table["network"].tolist() == ["vit"]
    assert table["flips"].isna().all()


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match="means: no column 'sam_sharpness'"):
        trends(means_frame(), ["sam_sharpness"], ["test_accuracy"])


def test_means_are_over_the_seeds_that_trained_at_minima():
    values = {
        ("a", "test_accuracy"): [0.9, 0.8, 0.4],
        ("b", "test_accuracy"): [0.1 + 0.2, 0.3, 0.3],
        ("initial", "test_accuracy"): [0.1, 0.1, 0.1],
    }
    measures = measure_rows(values)
    measures["trained"] = (measures["condition"] != "a") | (measures["seed"] != 2)
    pairs = {(0, 1): 0.1, (0, 2): 0.4, (1, 2): 0.4}
    disagreement = pd.concat([pair_rows(pairs, name) for name in ("a", "b")])
    summary, seeds = summary_tables(measures, disagreement)
    found = condition_means(summary, seeds).set_index("condition")
    assert list(found.index) == ["a", "b"]
    assert found["n_untrained"].tolist() == [1, 0]
    assert found["test_accuracy"].tolist() == [pytest.approx(0.85), 0.3]
    # A measure of pairs needs all of them.
    assert np.isnan(found.loc["a", "prediction_disagreement"])
    assert found.loc["b", "prediction_disagreement"] == pytest.approx(0.3)
    # Half the difference of two values; the jackknife of three pairs leaves out one seed each.
    assert found["test_accuracy_sem"].tolist() == pytest.approx([0.05, 0.0])
    left = np.array([0.4, 0.4, 0.1])
    jackknife = np.sqrt(2 / 3 * ((left - left.mean()) ** 2).sum())
    assert np.isnan(found.loc["a", "prediction_disagreement_sem"])
    assert found.loc["b", "prediction_disagreement_sem"] == pytest.approx(jackknife)


def test_conditions_without_any_network_that_trained_have_no_means():
    values = {(name, "test_accuracy"): [0.1, 0.1] for name in ("a", "b", "c")}
    measures = measure_rows(values).assign(trained=False)
    summary, seeds = summary_tables(measures, pair_rows({(0, 1): 0.1}, "a"))
    found = condition_means(summary, seeds)
    assert found["condition"].tolist() == ["a", "b", "c"]
    assert found["n_untrained"].tolist() == [2, 2, 2]
    assert found["test_accuracy"].isna().all()


def test_the_order_of_measures_is_their_rank_correlation_over_conditions():
    means = means_frame()
    names = ["fisher_rao_norm", "hessian_trace", "test_accuracy"]
    table = rank_agreement(means, names)
    assert list(table.columns) == ORDER_COLUMNS
    of_vit = table[table["network"] == "vit"]
    assert of_vit[["first", "second"]].to_numpy().tolist() == [
        ["fisher_rao_norm", "hessian_trace"],
        ["fisher_rao_norm", "test_accuracy"],
        ["hessian_trace", "test_accuracy"],
    ]
    part = means[means["network"] == "vit"]
    expected = stats.spearmanr(part["fisher_rao_norm"], part["test_accuracy"]).statistic
    assert of_vit["value"].iloc[1] == pytest.approx(expected)
    assert (of_vit["lower"] <= of_vit["value"]).all()
    assert set(of_vit["n"]) == {6}


def test_a_measure_that_is_the_same_for_all_conditions_is_told_in_words():
    means = pd.DataFrame({"dataset": "d", "network": "n", "test_ece": 1.0, "test_nll": range(5)})
    [row] = rank_agreement(means, ["test_ece", "test_nll"]).to_dict("records")
    assert row["note"] == "test ECE is the same for all conditions"


def test_orders_of_few_conditions_have_a_note():
    for conditions, note in ((2, "fewer than 3 conditions"), (4, "too few: no order of 4")):
        table = rank_agreement(
            means_frame(conditions=conditions), ["fisher_rao_norm", "hessian_trace"]
        )
        assert table["p_value"].isna().all()
        assert all(text.startswith(note) for text in table["note"])


def test_tables_to_read_name_the_networks_that_flip():
    means = means_frame()
    found = trends(means, ["fisher_rao_norm", "hessian_trace"], ["test_accuracy"])
    order = rank_agreement(means, ["fisher_rao_norm", "hessian_trace"])
    shown, page = (render(text(found, order)) for render in (markdown, html))
    assert "**every one: vit, resnet18**" in shown
    assert "<b>every one: vit, resnet18</b>" in page
    assert "Hessian trace (not its logarithm)" in shown
    assert "1.00 [0.67, 1.00], p = 0.0028" in shown


# The figure


def drawn(found, frame):
    conditions = frame[["dataset", "network", "condition"]].assign(
        base_condition=frame["condition"]
    )
    return plot(found, frame, conditions, "digits")


def titles(frame):
    found = trends(frame, ["fisher_rao_norm"], ["test_accuracy"])
    return [axes.get_title("right") for axes in drawn(found, frame).axes]


def test_the_figure_says_where_pooling_surely_reverses():
    assert titles(means_frame(-3.0)) == ["reversal"]
    assert titles(means_frame(3.0)) == [""]
    frame = means_frame(-3.0)
    frame.loc[frame["network"] == "vit", "test_accuracy"] *= -1
    assert titles(frame) == [""]


def test_the_figure_has_standard_errors_where_the_points_have_them():
    frame = means_frame(networks=["vit"])
    found = trends(frame, ["fisher_rao_norm"], ["test_accuracy"])
    errors = {"fisher_rao_norm_sem": 0.1 * frame["fisher_rao_norm"], "test_accuracy_sem": 0.05}

    def bars(points):
        (axes,) = drawn(found, points).axes
        segments = [s for bar in axes.collections for s in bar.get_segments() if len(s)]
        return np.array(segments)[np.isfinite(segments).all(axis=(1, 2))]

    x, y = frame.loc[0, ["fisher_rao_norm", "test_accuracy"]].astype(float)
    across, up = bars(frame.assign(**errors))[:2]
    assert across == pytest.approx(np.array([[0.9 * x, y], [1.1 * x, y]]))
    assert up == pytest.approx(np.array([[x, y - 0.05], [x, y + 0.05]]))
    assert len(bars(frame.assign(**errors | {"test_accuracy_sem": np.nan}))) == len(frame)


def test_the_figure_draws_the_lines_of_least_squares():
    frame = means_frame()
    found = trends(frame, ["fisher_rao_norm"], ["test_accuracy"])
    (axes,) = drawn(found, frame).axes
    lines = [line for line in axes.lines if line.get_marker() == "None"]
    parts = [frame, *(part for _, part in frame.groupby("network", sort=False))]
    for line, part in zip(lines, parts, strict=True):
        x, y = line.get_data()
        logarithm = np.log10(part["fisher_rao_norm"])
        line_at = np.poly1d(np.polyfit(logarithm, part["test_accuracy"], 1))
        np.testing.assert_allclose(y, line_at(np.log10(x)))
        assert np.log10(x).tolist() == pytest.approx([logarithm.min(), logarithm.max()])


def test_the_figure_of_too_few_conditions_says_so():
    frame = means_frame(conditions=1)
    found = trends(frame, ["fisher_rao_norm"], ["test_accuracy"])
    found = found[found["network"] != "all"]
    texts = [text.get_text() for text in drawn(found, frame).texts]
    assert "too few conditions for a trend" in texts
