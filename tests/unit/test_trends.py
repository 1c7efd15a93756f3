"""Slopes against NumPy and statsmodels, Simpson's paradox, and orders of measures."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from minimascope.analysis.render import html, markdown
from minimascope.analysis.trends import (
    COLUMNS,
    ORDER_COLUMNS,
    condition_means,
    rank_agreement,
    slope,
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
    ("x", "y", "note"),
    [
        ([1.0, 2.0], [1.0, 2.0], "fewer than 3 points"),
        ([1.0, 2.0, np.nan, 3.0], [1.0, 2.0, 3.0, np.inf], "fewer than 3 points"),
        ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], "the same for all points"),
        ([1.0, 2.0, 3.0], [0.3, 0.1 + 0.2, 0.3], "the same for all points"),
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
        (-3.0, 1, [True, True, True], [True, True, True]),  # Simpson's paradox
        (3.0, 1, [False, False, False], [False, False, False]),
        (-3.0, -1, [False, False, True], [False, False, True]),  # one that flips is no reversal
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
    assert not by_network(frame)["certain"].any()


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


def test_means_are_those_of_the_summary_at_minima():
    summary = pd.DataFrame(
        [
            ("digits", "vit", "a", "clean", "test_accuracy", 0.9),
            ("digits", "vit", "a", "augmented", "test_accuracy", 0.8),
            ("digits", "vit", "initial", "clean", "test_accuracy", 0.1),
        ],
        columns=["dataset", "network", "condition", "view", "measure", "mean"],
    )
    found = condition_means(summary)
    assert found.to_dict("records") == [
        {"dataset": "digits", "network": "vit", "condition": "a", "test_accuracy": 0.9}
    ]


def test_the_order_of_measures_is_kendalls_tau():
    means = means_frame()
    models = pd.concat([means, means.assign(hessian_trace=-means["hessian_trace"])])
    names = ["fisher_rao_norm", "hessian_trace", "test_accuracy"]
    table = rank_agreement(means, models.drop(columns="test_accuracy"), names)
    assert list(table.columns) == ORDER_COLUMNS
    over = table[(table["over"] == "conditions") & (table["network"] == "vit")]
    assert over[["first", "second"]].to_numpy().tolist() == [
        ["fisher_rao_norm", "hessian_trace"],
        ["fisher_rao_norm", "test_accuracy"],
        ["hessian_trace", "test_accuracy"],
    ]
    part = means[means["network"] == "vit"]
    expected = stats.kendalltau(part["fisher_rao_norm"], part["test_accuracy"])
    assert over[["tau", "p_value"]].iloc[1].tolist() == pytest.approx([*expected])
    single = table[table["over"] == "models"]
    assert single["tau"].tolist() == pytest.approx([0, 0], abs=1e-12)
    assert set(single["n"]) == {12}


def test_orders_of_two_conditions_have_a_note():
    means = means_frame(conditions=2)
    table = rank_agreement(means, means, ["fisher_rao_norm", "test_accuracy"])
    assert table["tau"].isna().all()
    assert set(table["note"]) == {"fewer than 3 points"}


def test_tables_to_read_name_the_networks_that_flip():
    means = means_frame()
    found = trends(means, ["fisher_rao_norm", "hessian_trace"], ["test_accuracy"])
    order = rank_agreement(means, means, ["fisher_rao_norm", "hessian_trace"])
    shown, page = (render(text(found, order)) for render in (markdown, html))
    assert "every one: **vit**, **resnet18**" in shown
    assert "every one: <b>vit</b>, <b>resnet18</b>" in page
    assert "Hessian trace (not its logarithm)" in shown
    assert "1 (6)" in shown


# The figure


def drawn(found, frame):
    conditions = frame[["dataset", "network", "condition"]].assign(control=frame["condition"])
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
