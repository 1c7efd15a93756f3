"""Figures of all models of a data set: sharpness, accuracy, domains and what explains them."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from figure_cases import (
    DOMAIN_ACCURACIES,
    OPTIMIZERS,
    boxes_of,
    conditions_of,
    correlations_frame,
    domains_frame,
    figure_of,
    labels,
    legend_of,
    model_tables,
    models_frame,
    names,
    points_of,
    read_again,
    stability_frame,
    stability_order_frame,
    variance_shares_frame,
    written,
)
from matplotlib.colors import to_hex

from minimascope.plots.style import COLOURS, GREY, MARKERS

SEVERAL = ("fisher_rao_norm", "sam_sharpness", "relative_flatness")


def draw(name, tables=None):
    return figure_of(name, tables or model_tables(models_frame()))


def without_domains(sharpness=SEVERAL, base="optimizer", **settings):
    models = models_frame(sharpness=sharpness, accuracies=(), **settings)
    return model_tables(models, base, sharpness=sharpness, accuracies=())


def points(axes):
    """All points of a panel, those that are not drawn left out."""
    found = np.concatenate(list(points_of(axes).values()))
    return found[np.isfinite(found).all(axis=1)]


# Scatter plots


def test_a_point_is_a_model_its_look_the_condition_and_its_filling_the_network():
    models = models_frame()
    figure = draw("sharpness_accuracy", model_tables(models))
    for axes, accuracy in zip(figure.axes, DOMAIN_ACCURACIES, strict=True):
        found = points_of(axes)
        assert len(found) == 4 * 2
        # Colour and marker are the condition, the filling is the network.
        for (i, optimizer), (j, network) in product(
            enumerate(OPTIMIZERS), enumerate(("cnn10", "cnn14"))
        ):
            own = models[(models["optimizer"] == optimizer) & (models["network"] == network)]
            expected = own[[accuracy, "asc_sharpness"]].to_numpy()
            assert len(expected) == 8
            assert found[COLOURS[i], MARKERS[i], bool(j)] == pytest.approx(expected)
    assert list(legend_of(figure)) == [*OPTIMIZERS, "cnn10", "cnn14"]
    assert figure.get_suptitle() == "scenes, 64 models"
    assert labels(figure.axes, "yscale") == ["log", "log"]


def test_titles_give_spearman_over_all_networks_with_interval_and_number():
    tables = model_tables(models_frame())
    assert labels(draw("sharpness_accuracy", tables).axes, "title") == [
        "ρ = 0.12 [−0.21, 0.87] n = 64",
        "ρ = 0.13 [−0.21, 0.87] n = 64",
    ]
    rows = tables["correlations"]
    lost = rows["evaluation"] == "accuracy_in_domain"
    rows.loc[lost, ["value", "lower", "upper"]] = np.nan
    rows["note"] = np.where(lost, "fewer than 3 conditions", "")
    rows.loc[rows["evaluation"] == "accuracy_out_of_domain", ["n", "left_out"]] = [60, 4]
    assert labels(draw("sharpness_accuracy", tables).axes, "title") == [
        "no ρ: fewer than 3 conditions",
        "ρ = 0.13 [−0.21, 0.87] n = 60 (4 left out)",
    ]


def test_without_domains_and_asc_sharpness_all_sharpness_stands_over_test_accuracy():
    tables = without_domains()
    # Evaluations that are no accuracies are no panels.
    other = tables["correlations"].assign(evaluation="test_ece")
    tables["correlations"] = pd.concat([tables["correlations"], other], ignore_index=True)
    axes = draw("sharpness_accuracy", tables).axes
    assert labels(axes, "ylabel") == [
        *("Fisher–Rao norm (–)", "SAM-sharpness (–)", "Relative flatness (–)")
    ]
    assert set(labels(axes, "xlabel")) == {"Test accuracy (fraction)"}
    expected = tables["models"][["test_accuracy", "relative_flatness"]]
    assert sorted(map(tuple, points(axes[2]))) == sorted(
        expected.itertuples(index=False, name=None)
    )


def test_asc_sharpness_stands_alone():
    tables = without_domains(("sam_sharpness", "asc_sharpness"))
    assert labels(draw("sharpness_accuracy", tables).axes, "ylabel") == ["ASC sharpness (%)"]


def test_accuracy_by_domain_that_only_another_data_set_has_is_no_panel():
    tables = without_domains(("asc_sharpness",))
    models = tables["models"].assign(**dict.fromkeys(DOMAIN_ACCURACIES, np.nan))
    rows = correlations_frame(models)
    rows.loc[rows["evaluation"] != "test_accuracy", ["n", "value"]] = [0, np.nan]
    shares = variance_shares_frame(models)
    shares.loc[shares["response"].isin(DOMAIN_ACCURACIES), ["n", "value"]] = [0, np.nan]
    tables |= {"models": models, "correlations": rows, "variance_shares": shares}
    assert len(draw("sharpness_accuracy", tables).axes) == 1
    assert len(draw("hyperparameters", tables).axes) == 2 * 4
    assert len(draw("variance_shares", tables).axes) == 2


def test_sharpness_that_is_not_positive_leaves_the_axis_linear():
    tables = without_domains()
    tables["models"].loc[5, "sam_sharpness"] = 0.0
    assert labels(draw("sharpness_accuracy", tables).axes, "yscale") == ["log", "linear", "log"]


def test_twelve_conditions_of_one_optimiser_all_look_different():
    conditions = [f"condition_{i}" for i in range(12)]
    settings = {"optimizers": ("sgd",), "rates": (1e-3,), "networks": ("resnet18",)}
    figure = draw(
        "sharpness_accuracy",
        without_domains(base="base_condition", **settings, conditions=conditions),
    )
    found = points_of(figure.axes[0])
    assert len(found) == 12
    assert list(legend_of(figure)) == conditions


def test_a_single_model_is_drawn():
    models = models_frame(networks=("cnn10",), optimizers=("sgd",), rates=(1e-3,)).iloc[:1]
    rows = correlations_frame(models).assign(n=1, value=np.nan, lower=np.nan, upper=np.nan)
    rows["note"] = "fewer than 3 conditions"
    figure = draw(
        "sharpness_accuracy",
        {"models": models, "correlations": rows, "conditions": conditions_of(models)},
    )
    assert labels(figure.axes, "title") == ["no ρ: fewer than 3 conditions"] * 2
    assert figure.get_suptitle() == "scenes, 1 model"
    assert [len(points(axes)) for axes in figure.axes] == [1, 1]
    figure.draw_without_rendering()


def test_models_that_did_not_train_are_hollow_and_grey():
    tables = model_tables(models_frame())
    tables["models"]["trained"] = tables["models"].index != 7
    figure = draw("sharpness_accuracy", tables)
    [point] = points_of(figure.axes[0])[GREY, "o", True]
    lost = tables["models"].loc[7, ["accuracy_in_domain", "asc_sharpness"]]
    assert list(point) == pytest.approx(list(lost))
    assert list(legend_of(figure))[-1] == "did not train"


# Box plots


def test_each_factor_has_a_column_and_each_response_a_row():
    grid = np.array(draw("hyperparameters").axes).reshape(3, 4)
    factors = ["Optimiser", "Learning rate", "Batch size", "Network"]
    assert labels(grid[-1], "xlabel") == factors
    assert labels(grid[:, 0], "ylabel") == [
        "ASC sharpness (%)",
        "In-domain accuracy (fraction)",
        "Out-of-domain accuracy (fraction)",
    ]
    ticks = [names(axes.get_xticklabels()) for axes in grid[-1]]
    assert ticks == [[*OPTIMIZERS], ["0.0001", "0.001"], ["16", "32"], ["cnn10", "cnn14"]]
    assert [labels(row, "yscale") for row in grid] == [["log"] * 4, *[["linear"] * 4] * 2]
    assert labels(grid[0], "title") == [f"η² = {share:.2f}" for share in (0.05, 0.10, 0.15, 0.20)]
    assert labels(grid[:, 0], "title") == ["η² = 0.05", "η² = 0.07", "η² = 0.08"]


def test_boxes_have_the_median_of_each_level_and_points_are_its_models():
    models = models_frame()
    axes = np.array(draw("hyperparameters", model_tables(models)).axes).reshape(3, 4)[2, 1]
    groups = models.groupby("learning_rate")["accuracy_out_of_domain"]
    assert list(groups.groups) == [1e-4, 1e-3]
    assert list(boxes_of(axes).values()) == pytest.approx(list(groups.median()))
    assert list(boxes_of(axes)) == [0, 1]
    drawn = points(axes)
    for place, (_, values) in enumerate(groups):
        near = drawn[np.abs(drawn[:, 0] - place) <= 0.25]
        assert sorted(near[:, 1]) == sorted(values)
        # Side by side: neighbours in value are apart.
        assert np.abs(np.diff(near[np.argsort(near[:, 1]), 0])).min() > 0.15


def test_the_box_of_sharpness_is_that_of_its_logarithm():
    models = models_frame(networks=("cnn10",), optimizers=("sgd", "adam"), rates=(1e-3,))
    models["asc_sharpness"] = [1.0, 10.0, 100.0, 1000.0] * 2
    axes = draw("hyperparameters", model_tables(models, factors=["optimizer"])).axes[0]
    # Halfway between 10 and 100 on a logarithmic axis.
    assert list(boxes_of(axes).values()) == pytest.approx([math.sqrt(1000)] * 2)
    boxes = [line.get_ydata() for line in axes.lines if len(line.get_xdata()) == 5]
    assert [box.min() for box in boxes] == pytest.approx([10**0.75] * 2)


def test_models_without_positive_sharpness_are_left_out_of_boxes_and_counted():
    tables = without_domains(("hessian_trace",))
    tables["models"].loc[5, "hessian_trace"] = -1.0
    rows = tables["variance_shares"]
    rows.loc[rows["response"] == "hessian_trace", "n"] = 63
    first = draw("hyperparameters", tables).axes[0]
    assert (first.get_yscale(), first.get_title()) == ("log", "η² = 0.05, n = 63")
    assert len(points(first)) == 63


def test_a_response_of_one_level_alone_has_no_share():
    tables = without_domains(("hessian_trace",))
    models, rows = tables["models"], tables["variance_shares"]
    models.loc[models["network"] != "cnn10", "hessian_trace"] = np.nan
    alone = rows["response"].eq("hessian_trace") & rows["factor"].eq("network")
    tables["variance_shares"] = rows[~alone]
    grid = np.array(draw("hyperparameters", tables).axes).reshape(2, 4)
    assert grid[0, 3].get_title() == "no η²: one level"
    assert grid[1, 3].get_title().startswith("η² = ")


def test_a_setting_that_does_not_vary_has_no_boxes():
    models = models_frame(optimizers=("sgd",), networks=("cnn10",), conditions=("a", "b"))
    tables = model_tables(
        models, "base_condition", factors=["learning_rate", "batch_size", "base_condition"]
    )
    figure = draw("hyperparameters", tables)
    assert labels(figure.axes[-3:], "xlabel") == ["Learning rate", "Batch size", "Condition"]
    # Few cells of a sweep are named one by one.
    assert list(legend_of(figure)) == list(models["condition"].unique())


# Shares of variance


def bars_of(axes):
    """Lengths of the bars of each colour, from top to bottom."""
    found = {}
    for bar in sorted(axes.patches, key=lambda bar: bar.get_y()):
        found.setdefault(to_hex(bar.get_facecolor()).upper(), []).append(bar.get_width())
    return found


def test_bars_are_the_shares_alone_and_in_the_joint_model_with_its_residual():
    models = models_frame()
    table = variance_shares_frame(models)
    figure = draw("variance_shares")
    assert labels(figure.axes, "title") == [
        "ASC sharpness, logarithm, n = 64",
        "In-domain accuracy, n = 64",
        "Out-of-domain accuracy, n = 64",
    ]
    first = figure.axes[0]
    assert names(first.get_yticklabels()) == [
        *("Optimiser", "Learning rate", "Batch size", "Network", "All factors", "Residual")
    ]
    for axes, response in zip(figure.axes, ("asc_sharpness", *DOMAIN_ACCURACIES), strict=True):
        rows = table[table["response"] == response].groupby("kind")["value"].apply(list)
        assert list(bars_of(axes).values()) == [rows["one-way"], rows["joint"]]
        shares = {f"{share:.2f}" for kind in rows for share in kind}
        assert set(names(axes.texts)) == shares
    assert list(legend_of(figure)) == ["factor alone (one-way)", "in the joint model"]
    # A bar of a factor stands beside its name.
    middles = sorted(bar.get_y() + bar.get_height() / 2 for bar in first.patches)
    assert [round(middle) for middle in middles] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 5]
    assert first.yaxis.get_inverted()


def test_a_share_that_the_design_cannot_tell_is_named():
    tables = model_tables(models_frame())
    rows = tables["variance_shares"]
    lost = (rows["kind"] == "joint") & (rows["factor"] == "network")
    rows.loc[lost, "value"] = np.nan
    rows["note"] = np.where(lost, "confounded with optimizer: no share of its own", None)
    axes = draw("variance_shares", tables).axes[0]
    assert "confounded" in names(axes.texts)
    assert len(axes.patches) == 9


# Domains


def test_domains_stand_in_natural_order_those_of_the_training_data_first():
    axes = draw("domains").axes
    ticks = [names(each.get_xticklabels()) for each in axes]
    assert ticks == [["B", "C", "A2", "A10"], ["lyon", "milan"]]
    assert labels(axes, "xlabel") == [
        "Domain (30 test samples each)",
        "City (30 test samples each)",
    ]
    frame = domains_frame(models_frame().iloc[:1]).replace({"name": {"B": 7, "C": 10}})
    frame.loc[frame["name"] == 7, "n"] = 12
    figure = draw("domains", {"domains": read_again(frame)})
    assert figure.get_suptitle() == "scenes, 1 model"
    assert names(figure.axes[0].get_xticklabels()) == ["7", "10", "A2", "A10"]
    assert figure.axes[0].get_xlabel() == "Domain (12–30 test samples each)"


def test_domains_are_set_apart_by_background_name_and_mean():
    means = domains_frame(models_frame()).groupby("name")["accuracy"].mean()
    inside, outside = means[["B", "C"]].mean(), means[["A2", "A10"]].mean()
    first, cities = draw("domains").axes
    assert names(first.texts) == [
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
    frame = domains_frame(models_frame())
    for axes in draw("domains").axes:
        drawn = points(axes)
        for place, name in enumerate(names(axes.get_xticklabels())):
            values = frame.loc[frame["name"] == name, "accuracy"]
            near = np.abs(drawn[:, 0] - place) <= 0.25
            assert sorted(drawn[near, 1]) == pytest.approx(sorted(values))
            assert boxes_of(axes)[place] == pytest.approx(values.median())


@pytest.mark.parametrize("seen", [True, False])
def test_data_without_cities_or_without_one_kind_of_domain(seen):
    frame = read_again(domains_frame(models_frame(), cities=()))
    [axes] = draw("domains", {"domains": frame[frame["seen"] == seen]}).axes
    [text] = names(axes.texts)
    assert text.startswith("in-domain" if seen else "out-of-domain")
    assert len(axes.patches) == (not seen)


# Stability


def test_models_stand_in_the_order_of_their_variation_over_what_the_pairs_suffice_for():
    first, second, _ = draw("stability").axes
    table = stability_frame(models_frame())
    rank, enough = first.lines
    assert rank.get_ydata() == pytest.approx(100 * np.sort(table["cv"]))
    assert list(rank.get_xdata()) == list(range(1, 65))
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
    table = stability_order_frame()
    axes = draw("stability").axes[2]
    for line, kind in zip(axes.lines, ("first", "split_half"), strict=True):
        rows = table[table["kind"] == kind]
        assert line.get_xydata() == pytest.approx(rows[["pairs", "tau"]].to_numpy())
    band = axes.collections[1].get_paths()[0].vertices
    halves = table[table["kind"] == "split_half"]
    assert band[:, 1].min() == pytest.approx(halves["tau_low"].min())
    assert band[:, 1].max() == pytest.approx(halves["tau_high"].max())


def test_the_stability_of_some_models_with_more_pairs_says_how_many_these_are():
    models = stability_frame(models_frame(), 3)
    models.loc[:11, "pairs"] = 10
    tables = {"stability": models, "stability_order": stability_order_frame().assign(models=12)}
    figure = draw("stability", tables)
    _, needed, order = figure.axes
    assert order.get_title() == "Order of 12 models"
    assert "3–10 pairs of directions each" in figure.get_suptitle()
    dashed = {line.get_xdata()[0] for line in needed.lines if line.get_linestyle() == "--"}
    assert dashed == {3, 10}
    assert draw("stability").axes[2].get_title() == "Order of the models"


def test_three_pairs_have_no_halves():
    order = stability_order_frame(3).query("kind == 'first'")
    tables = {"stability": stability_frame(models_frame(), 3), "stability_order": order}
    figure = draw("stability", tables)
    assert list(legend_of(figure)) == ["pairs that were measured", "first pairs against all"]
    assert figure.get_suptitle() == "scenes, 64 models, 3 pairs of directions each"


def test_an_order_that_is_not_known_says_why():
    order = stability_order_frame(note="fewer than 3 models").assign(tau=np.nan)
    models = models_frame().iloc[:2]
    tables = {"stability": stability_frame(models), "stability_order": read_again(order)}
    figure = draw("stability", tables)
    assert names(figure.axes[2].texts) == ["fewer than 3 models"]
    figure.draw_without_rendering()


def test_one_pair_of_directions_has_no_variation():
    tables = {
        "stability": read_again(stability_frame(models_frame(), 1)),
        "stability_order": read_again(stability_order_frame(1)),
    }
    assert "no variation over pairs of directions" in written(draw("stability", tables))
