"""Figures of all models of a data set: sharpness, accuracy and what explains them."""

import io
import math
from itertools import product
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread
from matplotlib.text import Text
from model_frames import (
    DOMAIN_ACCURACIES,
    OPTIMIZERS,
    PLOTS,
    SCENES,
    boxes_of,
    correlations_frame,
    figure_of,
    legend_of,
    models_frame,
    points_of,
    read_again,
    tables,
    variance_shares_frame,
    written,
)

from minimascope.errors import InputError
from minimascope.plots import hyperparameters, sharpness_accuracy
from minimascope.plots.style import COLOURS, MARKERS, save_png, save_svg

SEVERAL = ("fisher_rao_norm", "sam_sharpness", "relative_flatness")


def few_tables(dataset=SCENES, optimizers=("sgd", "adam")):
    """Tables of few models of two networks, whose figures are quick to draw."""
    models = models_frame(dataset, optimizers=optimizers, rates=(1e-3,))
    shares = variance_shares_frame(models, ["optimizer", "network"])
    return tables(models) | {"variance_shares": shares}


@pytest.mark.parametrize("name", PLOTS)
def test_equal_rows_give_equal_svg_and_other_data_sets_are_left_out(name):
    alone, others = few_tables(), few_tables("others", ("kfac",))
    mixed = {key: pd.concat([others[key], alone[key]], ignore_index=True) for key in alone}
    first = save_svg(figure_of(name, alone))
    assert first == save_svg(figure_of(name, mixed))
    assert ElementTree.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("name", PLOTS)
def test_text_is_large_and_inside_the_figure(name):
    figure = figure_of(name, few_tables())
    image = imread(io.BytesIO(save_png(figure, 100)))[:, :, :3]
    edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert (edges == 1).all()
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
    assert len(sizes) > 10
    assert min(sizes) >= 8


@pytest.mark.parametrize("name", ["sharpness_accuracy", "hyperparameters"])
def test_an_unknown_data_set_is_refused_where_models_are_drawn(name):
    with pytest.raises(InputError) as error:
        figure_of(name, dataset="cifar10")
    assert str(error.value) == "figures: no data on cifar10; check its name"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("sharpness_accuracy", "no sharpness to compare with accuracy"),
        ("hyperparameters", "no hyper-parameter varies"),
        ("domains", "the data name no domains"),
        ("stability", "no variation over pairs of directions"),
        ("variance_shares", "no hyper-parameter varies"),
    ],
)
def test_a_figure_without_rows_says_so(name, sentence):
    frames = tables(models_frame())
    empty = {key: read_again(frame.iloc[:0]) for key, frame in frames.items()}
    figure = figure_of(name, empty | {"models": frames["models"]})
    assert sentence in written(figure)
    assert not figure.axes
    figure.draw_without_rendering()


# Scatter plots


def test_a_point_is_a_model_its_colour_the_optimiser_and_its_marker_the_network():
    models = models_frame()
    figure = figure_of("sharpness_accuracy", tables(models))
    for axes, accuracy in zip(figure.axes, DOMAIN_ACCURACIES, strict=True):
        found = points_of(axes)
        assert len(found) == 4 * 2
        for (i, optimizer), (j, network) in product(
            enumerate(OPTIMIZERS), enumerate(("cnn10", "cnn14"))
        ):
            own = models[(models["optimizer"] == optimizer) & (models["network"] == network)]
            expected = own[[accuracy, "asc_sharpness"]].to_numpy()
            assert len(expected) == 8
            assert found[COLOURS[i].upper(), MARKERS[j], False] == pytest.approx(expected)
    assert legend_of(figure) == [*OPTIMIZERS, "cnn10", "cnn14"]
    assert figure.get_suptitle() == "scenes, 64 models"


def test_titles_give_spearman_over_all_networks_with_interval_and_number():
    figure = figure_of("sharpness_accuracy")
    assert [axes.get_title() for axes in figure.axes] == [
        "ρ = 0.12 [−0.21, 0.87], n = 64",
        "ρ = 0.13 [−0.21, 0.87], n = 64",
    ]
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}


def test_models_that_were_left_out_are_counted_and_a_missing_correlation_is_named():
    frames = tables(models_frame())
    rows = frames["correlations"]
    rows.loc[rows["evaluation"] == "accuracy_in_domain", ["value", "lower", "upper"]] = np.nan
    rows.loc[rows["evaluation"] == "accuracy_out_of_domain", ["n", "left_out"]] = [60, 4]
    figure = figure_of("sharpness_accuracy", frames)
    assert [axes.get_title() for axes in figure.axes] == [
        "ρ = n.a., n = 64",
        "ρ = 0.13 [−0.21, 0.87], n = 60 (4 left out)",
    ]


def without_domains(sharpness=SEVERAL, **settings):
    models = models_frame(sharpness=sharpness, accuracies=(), **settings)
    made = {
        "models": models,
        "correlations": correlations_frame(models, sharpness, ()),
        "variance_shares": variance_shares_frame(models, sharpness=sharpness, accuracies=()),
    }
    return {name: read_again(frame) for name, frame in made.items()}


def test_without_domains_and_asc_sharpness_all_sharpness_stands_over_test_accuracy():
    frames = without_domains()
    figure = figure_of("sharpness_accuracy", frames)
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "Fisher–Rao norm (–)",
        "SAM-sharpness (–)",
        "Relative flatness (–)",
    ]
    assert {axes.get_xlabel() for axes in figure.axes} == {"Test accuracy (fraction)"}
    drawn = np.concatenate(list(points_of(figure.axes[2]).values()))
    expected = frames["models"][["test_accuracy", "relative_flatness"]]
    assert sorted(map(tuple, drawn)) == sorted(expected.itertuples(index=False, name=None))


def test_evaluations_that_are_no_accuracies_are_no_panels():
    frames = without_domains()
    rows = frames["correlations"]
    other = rows.assign(evaluation="test_ece")
    frames["correlations"] = pd.concat([rows, other], ignore_index=True)
    assert len(figure_of("sharpness_accuracy", frames).axes) == len(SEVERAL)


def test_asc_sharpness_stands_alone():
    figure = figure_of("sharpness_accuracy", without_domains(("sam_sharpness", "asc_sharpness")))
    assert [axes.get_ylabel() for axes in figure.axes] == ["ASC sharpness (%)"]


def test_accuracy_by_domain_that_only_another_data_set_has_is_no_panel():
    frames = without_domains(("asc_sharpness",))
    models = frames["models"].assign(**dict.fromkeys(DOMAIN_ACCURACIES, np.nan))
    rows = correlations_frame(models)
    rows.loc[rows["evaluation"] != "test_accuracy", ["n", "value"]] = [0, np.nan]
    shares = variance_shares_frame(models)
    shares.loc[shares["response"].isin(DOMAIN_ACCURACIES), ["n", "value"]] = [0, np.nan]
    frames = {"models": models, "correlations": rows, "variance_shares": shares}
    assert len(figure_of("sharpness_accuracy", frames).axes) == 1
    assert len(figure_of("hyperparameters", frames).axes) == 2 * 4
    assert len(figure_of("variance_shares", frames).axes) == 2


def test_sharpness_that_is_not_positive_leaves_the_axis_linear():
    frames = without_domains()
    frames["models"].loc[5, "sam_sharpness"] = 0.0
    figure = figure_of("sharpness_accuracy", frames)
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear", "log"]


def test_twelve_controls_of_one_optimiser_all_look_different():
    controls = [f"control_{i}" for i in range(12)]
    settings = {"optimizers": ("sgd",), "rates": (1e-3,), "networks": ("resnet18",)}
    figure = figure_of("sharpness_accuracy", without_domains(**settings, controls=controls))
    found = points_of(figure.axes[0])
    assert len(found) == 12
    assert sum(is_hollow for _, _, is_hollow in found) == 4
    assert legend_of(figure) == [*controls, "resnet18"]


def test_a_single_model_is_drawn():
    models = models_frame(networks=("cnn10",), optimizers=("sgd",), rates=(1e-3,)).iloc[:1]
    rows = correlations_frame(models).assign(n=1, value=np.nan, lower=np.nan, upper=np.nan)
    figure = sharpness_accuracy.plot(models, rows, SCENES)
    assert [axes.get_title() for axes in figure.axes] == ["ρ = n.a., n = 1"] * 2
    assert figure.get_suptitle() == "scenes, 1 model"
    assert [len(points_of(axes)) for axes in figure.axes] == [1, 1]
    figure.draw_without_rendering()


# Box plots


def test_each_factor_has_a_column_and_each_response_a_row():
    figure = figure_of("hyperparameters")
    grid = np.array(figure.axes).reshape(3, 4)
    names = ["Optimiser", "Learning rate", "Batch size", "Network"]
    assert [axes.get_xlabel() for axes in grid[-1]] == names
    assert [axes.get_ylabel().replace("\n", " ") for axes in grid[:, 0]] == [
        "ASC sharpness (%)",
        "In-domain accuracy (fraction)",
        "Out-of-domain accuracy (fraction)",
    ]
    labels = [[label.get_text() for label in axes.get_xticklabels()] for axes in grid[-1]]
    assert labels == [[*OPTIMIZERS], ["0.0001", "0.001"], ["16", "32"], ["cnn10", "cnn14"]]
    assert [[axes.get_yscale() for axes in row] for row in grid] == [
        ["log"] * 4,
        ["linear"] * 4,
        ["linear"] * 4,
    ]


def test_titles_give_the_one_way_share_of_each_factor():
    grid = np.array(figure_of("hyperparameters").axes).reshape(3, 4)
    assert [axes.get_title() for axes in grid[0]] == [
        f"η² = {share:.2f}" for share in (0.05, 0.10, 0.15, 0.20)
    ]
    assert [axes.get_title() for axes in grid[:, 0]] == ["η² = 0.05", "η² = 0.07", "η² = 0.08"]


def test_boxes_have_the_median_of_each_level_and_points_are_its_models():
    models = models_frame()
    figure = figure_of("hyperparameters", tables(models))
    axes = np.array(figure.axes).reshape(3, 4)[2, 1]
    groups = models.groupby("learning_rate")["accuracy_out_of_domain"]
    assert list(groups.groups) == [1e-4, 1e-3]
    assert list(boxes_of(axes).values()) == pytest.approx(list(groups.median()))
    assert list(boxes_of(axes)) == [0, 1]
    drawn = np.concatenate(list(points_of(axes).values()))
    for place, (_, values) in enumerate(groups):
        near = np.abs(drawn[:, 0] - place) <= 0.25
        assert sorted(drawn[near, 1]) == sorted(values)
        # Side by side: neighbours in value are apart.
        order = np.argsort(drawn[near, 1])
        assert np.abs(np.diff(drawn[near, 0][order])).min() > 0.15


def test_the_box_of_sharpness_is_that_of_its_logarithm():
    models = models_frame(networks=("cnn10",), optimizers=("sgd", "adam"), rates=(1e-3,))
    models["asc_sharpness"] = [1.0, 10.0, 100.0, 1000.0] * 2
    frames = {"models": models, "variance_shares": variance_shares_frame(models, ["optimizer"])}
    axes = figure_of("hyperparameters", frames).axes[0]
    # Halfway between 10 and 100 on a logarithmic axis.
    assert list(boxes_of(axes).values()) == pytest.approx([math.sqrt(1000)] * 2)
    boxes = [line.get_ydata() for line in axes.lines if len(line.get_xdata()) == 5]
    assert [box.min() for box in boxes] == pytest.approx([10**0.75] * 2)


def test_models_without_positive_sharpness_are_left_out_of_boxes_and_counted():
    frames = without_domains(("hessian_trace",))
    frames["models"].loc[5, "hessian_trace"] = -1.0
    rows = frames["variance_shares"]
    rows.loc[rows["response"] == "hessian_trace", "n"] = 63
    figure = figure_of("hyperparameters", frames)
    first = figure.axes[0]
    assert (first.get_yscale(), first.get_title()) == ("log", "η² = 0.05, n = 63")
    drawn = np.concatenate(list(points_of(first).values()))
    assert np.isfinite(drawn).all(axis=1).sum() == 63


def test_a_setting_that_does_not_vary_has_no_boxes():
    models = models_frame(optimizers=("sgd",), networks=("cnn10",), controls=("a", "b"))
    shares = variance_shares_frame(models, ["learning_rate", "batch_size", "control"])
    figure = hyperparameters.plot(models, shares, SCENES)
    assert [axes.get_xlabel() for axes in figure.axes[-3:]] == [
        "Learning rate",
        "Batch size",
        "Control",
    ]
    assert legend_of(figure) == ["a", "b", "cnn10"]


# Shares of variance


def bars_of(axes):
    """Lengths of the bars of each colour, from top to bottom."""
    bars = sorted(axes.patches, key=lambda bar: bar.get_y())
    found = {}
    for bar in bars:
        found.setdefault(to_hex(bar.get_facecolor()).upper(), []).append(bar.get_width())
    return found


def test_bars_are_the_shares_alone_and_in_the_joint_model_with_its_residual():
    models = models_frame()
    table = variance_shares_frame(models)
    figure = figure_of("variance_shares", tables(models))
    assert [axes.get_title() for axes in figure.axes] == [
        "ln ASC sharpness, n = 64",
        "In-domain accuracy, n = 64",
        "Out-of-domain accuracy, n = 64",
    ]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    names = ["Optimiser", "Learning rate", "Batch size", "Network", "All factors", "Residual"]
    assert labels == names
    responses = ("asc_sharpness", *DOMAIN_ACCURACIES)
    for axes, response in zip(figure.axes, responses, strict=True):
        rows = table[table["response"] == response].groupby("kind")["value"].apply(list)
        assert bars_of(axes) == {COLOURS[0]: rows["one-way"], COLOURS[4]: rows["joint"]}
        shares = {f"{share:.2f}" for kind in rows for share in kind}
        assert {text.get_text() for text in axes.texts} == shares
    assert legend_of(figure) == ["factor alone (one-way)", "in the joint model"]


def test_a_bar_of_a_factor_stands_beside_its_name():
    axes = figure_of("variance_shares").axes[0]
    middles = sorted(bar.get_y() + bar.get_height() / 2 for bar in axes.patches)
    assert [round(middle) for middle in middles] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 5]
    assert axes.yaxis.get_inverted()


def test_a_share_that_the_design_cannot_tell_is_named():
    frames = tables(models_frame())
    rows = frames["variance_shares"]
    lost = (rows["kind"] == "joint") & (rows["factor"] == "network")
    rows.loc[lost, "value"] = np.nan
    rows["note"] = np.where(lost, "confounded with optimizer: no share of its own", None)
    axes = figure_of("variance_shares", frames).axes[0]
    assert "confounded" in [text.get_text() for text in axes.texts]
    assert len(axes.patches) == 9
