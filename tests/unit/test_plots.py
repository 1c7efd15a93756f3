import io
import math
import os
import pathlib
import statistics
import subprocess
import sys
from itertools import product
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib import rcParams
from matplotlib.image import imread
from matplotlib.text import Text
from plot_frames import (
    CONDITIONS,
    OTHER,
    RUN,
    SEEDS,
    disagreement_frame,
    few_measures_frame,
    history_frame,
    measures_frame,
    reliability_frame,
)

from minimascope.errors import InputError
from minimascope.plots import (
    controls,
    disagreement,
    reliability,
    sharpness_evaluation,
    training_curves,
)
from minimascope.plots.style import COLOURS, condition_styles, save_png, save_svg


def drawn(axes, condition):
    """The one line of a condition, as its x and y values."""
    [line] = [line for line in axes.lines if line.get_label() == condition]
    return line.get_xdata(), line.get_ydata()


def panel(figure, label):
    """The one panel whose y axis is named so, line breaks left out."""
    [axes] = [axes for axes in figure.axes if axes.get_ylabel().replace("\n", " ") == label]
    return axes


def texts(axes):
    return [text.get_text() for text in axes.texts]


FRAMES = {
    "controls": (few_measures_frame, disagreement_frame),
    "sharpness_evaluation": (few_measures_frame,),
    "training_curves": (history_frame,),
    "reliability": (reliability_frame,),
    "disagreement": (disagreement_frame,),
}
PLOTS = {
    "controls": controls.plot,
    "sharpness_evaluation": sharpness_evaluation.plot,
    "training_curves": training_curves.plot,
    "reliability": reliability.plot,
    "disagreement": disagreement.plot,
}


def figure_of(name):
    return PLOTS[name](*(frame(CONDITIONS[:3]) for frame in FRAMES[name]), **RUN)


@pytest.mark.parametrize("name", PLOTS)
def test_equal_input_gives_equal_svg_however_often_it_is_saved(name):
    figure = figure_of(name)
    first = save_svg(figure)
    assert first == save_svg(figure) == save_svg(figure_of(name))
    assert ElementTree.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"
    assert b"<text" not in first  # letters are outlines: no font is needed to see them
    assert b"<dc:date>" not in first


def test_figures_do_without_pyplot():
    imports = "; ".join(f"import minimascope.plots.{name}" for name in PLOTS)
    code = f"import sys; {imports}; sys.exit('matplotlib.pyplot' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(controls.__file__).parents[2])}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


@pytest.mark.parametrize("name", PLOTS)
def test_text_is_large_and_inside_the_figure_and_global_settings_are_left_alone(name):
    before = dict(rcParams)
    figure = figure_of(name)
    image = imread(io.BytesIO(save_png(figure, 100)))[:, :, :3]
    assert dict(rcParams) == before
    edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert (edges == 1).all()
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
    assert len(sizes) > 10
    assert min(sizes) >= 8


@pytest.mark.parametrize("name", PLOTS)
def test_other_networks_are_left_out(name):
    few = CONDITIONS[:2]
    alone = [frame(few) for frame in FRAMES[name]]
    mixed = [pd.concat([frame(CONDITIONS, (0, 1), OTHER), frame(few)]) for frame in FRAMES[name]]
    assert save_svg(PLOTS[name](*mixed, **RUN)) == save_svg(PLOTS[name](*alone, **RUN))


@pytest.mark.parametrize("name", PLOTS)
@pytest.mark.parametrize("conditions", [CONDITIONS[:1], CONDITIONS[:3]])
def test_a_single_seed_is_enough(name, conditions):
    figure = PLOTS[name](*(frame(conditions, (0,)) for frame in FRAMES[name]), **RUN)
    figure.draw_without_rendering()
    assert figure.axes or name == "disagreement"


@pytest.mark.parametrize("name", [name for name in PLOTS if name != "disagreement"])
def test_an_unknown_network_is_refused(name):
    frames = [frame() for frame in FRAMES[name]]
    with pytest.raises(InputError, match="no data of vgg19 on cifar10"):
        PLOTS[name](*frames, dataset="cifar10", network="vgg19")


def test_conditions_differ_without_colour():
    styles = condition_styles(map(str, range(45)))
    assert len({(style.marker, style.line_style) for style in styles.values()}) == 45
    first = [style.colour for style in list(styles.values())[: len(COLOURS)]]
    assert first == list(COLOURS)


def test_controls_show_every_seed_of_every_condition():
    measures = measures_frame()
    figure = controls.plot(measures, disagreement_frame(), **RUN)
    axes = panel(figure, "Test accuracy (fraction)")
    for position, condition in enumerate(CONDITIONS):
        chosen = (measures["measure"] == "test_accuracy") & (measures["condition"] == condition)
        x, y = drawn(axes, condition)
        assert list(x) == [position] * len(SEEDS)
        assert list(y) == list(measures[chosen]["value"])
    panels = [axes for axes in figure.axes if axes.axison]
    assert len(panels) == 7 + 3  # evaluations with prediction disagreement, sharpness
    assert [label.get_text() for label in panels[-1].get_xticklabels()] == list(CONDITIONS)


def test_controls_show_mean_and_standard_error():
    measures = measures_frame()
    axes = panel(controls.plot(measures, disagreement_frame(), **RUN), "Test NLL (nats)")
    [bars] = axes.containers
    segments = bars.lines[2][0].get_segments()
    for i, condition in enumerate(CONDITIONS):
        chosen = (measures["measure"] == "test_nll") & (measures["condition"] == condition)
        values = list(measures[chosen]["value"])
        mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
        assert bars.lines[0].get_ydata()[i] == pytest.approx(mean)
        assert segments[i][:, 1] == pytest.approx([mean - error, mean + error])


def test_controls_join_the_same_seed_in_all_conditions():
    measures = measures_frame().sample(frac=1, random_state=0)  # rows in any order
    figure = controls.plot(measures, disagreement_frame(), **RUN)
    order = list(measures["condition"].unique())
    axes = panel(figure, "Generalisation gap (pp)")
    joined = [list(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) == 6]
    for seed in SEEDS:
        chosen = (measures["measure"] == "generalisation_gap") & (measures["seed"] == seed)
        values = measures[chosen].set_index("condition")["value"]
        assert [values[condition] for condition in order] in joined


def test_controls_show_each_seeds_mean_disagreement_within_its_condition():
    pairs = disagreement_frame()
    axes = panel(
        controls.plot(measures_frame(), pairs, **RUN), "Prediction disagreement (fraction)"
    )
    for condition in CONDITIONS:
        expected = [
            statistics.fmean(
                row.prediction_disagreement
                for row in pairs.itertuples()
                if row.condition_a == row.condition_b == condition
                and seed in (row.seed_a, row.seed_b)
            )
            for seed in SEEDS
        ]
        assert drawn(axes, condition)[1] == pytest.approx(expected)


def test_controls_use_a_logarithmic_axis_for_decades_of_positive_values_only():
    figure = controls.plot(measures_frame(), disagreement_frame(), **RUN)
    assert panel(figure, "Fisher–Rao norm (–)").get_yscale() == "log"
    assert panel(figure, "Test accuracy (fraction)").get_yscale() == "linear"


def test_controls_leave_out_what_only_checks_another_measure():
    figure = controls.plot(measures_frame(), disagreement_frame(), **RUN)
    labels = " ".join(axes.get_ylabel() for axes in figure.axes)
    assert "signed" not in labels
    assert "published" not in labels


def test_controls_leave_a_gap_where_a_condition_lacks_a_measure():
    measures = few_measures_frame()
    lacking = (measures["condition"] == "augmentation") & (measures["measure"] == "test_nll")
    figure = controls.plot(measures[~lacking], disagreement_frame(), **RUN)
    axes = panel(figure, "Test NLL (nats)")
    assert np.isnan(drawn(axes, "augmentation")[1]).all()
    assert not np.isnan(drawn(axes, "baseline")[1]).any()
    figure.draw_without_rendering()


def test_controls_have_a_panel_for_a_measure_that_nobody_described():
    measures = measures_frame()
    unknown = measures[measures["measure"] == "sam_sharpness"].assign(
        measure="spectral_norm", family="hessian"
    )
    figure = controls.plot(pd.concat([measures, unknown]), disagreement_frame(), **RUN)
    axes = panel(figure, "spectral_norm (–)")
    assert list(drawn(axes, "baseline")[1]) == list(
        unknown[unknown["condition"] == "baseline"]["value"]
    )


def test_scatter_plots_show_every_model_and_spearmans_correlation():
    measures = measures_frame()
    figure = sharpness_evaluation.plot(measures, **RUN)
    assert len(figure.axes) == 3 * 6
    models = measures.pivot(index=["condition", "seed"], columns="measure", values="value")
    axes = figure.axes[0]  # the first measure of sharpness against the first evaluation
    shown = {
        point for condition in CONDITIONS for point in zip(*drawn(axes, condition), strict=True)
    }
    assert shown == set(zip(models["test_accuracy"], models["fisher_rao_norm"], strict=True))
    ranks = models.rank()
    rho = np.corrcoef(ranks["test_accuracy"], ranks["fisher_rao_norm"])[0, 1]
    assert axes.get_title("right") == f"ρ = {rho:.2f}, n = 18"


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [1.0, 2.0, np.nan]])
def test_no_correlation_of_a_constant_or_of_two_models(values):
    frame = measures_frame(CONDITIONS[:1])
    frame = frame[frame["measure"].isin(["sam_sharpness", "test_nll"])]
    frame.loc[frame["measure"] == "sam_sharpness", "value"] = values
    [axes] = sharpness_evaluation.plot(frame, **RUN).axes
    assert axes.get_title("right") == f"ρ = n.a., n = {np.isfinite(values).sum()}"


def test_scatter_plots_need_sharpness_and_evaluation():
    frame = measures_frame().query("family == 'evaluation'")
    with pytest.raises(InputError, match="a measure of sharpness and an evaluation"):
        sharpness_evaluation.plot(frame, **RUN)


def test_training_curves_show_mean_and_range_over_seeds():
    history = history_frame()
    figure = training_curves.plot(history, **RUN)
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "log", "linear", "linear"]
    chosen = history[history["condition"] == "augmentation"]
    by_seed = np.array([rows["train_loss"] for _, rows in chosen.groupby("seed")])
    x, y = drawn(figure.axes[0], "augmentation")
    assert list(x) == list(range(1, 41))
    assert y == pytest.approx(by_seed.sum(0) / 3)
    band = figure.axes[0].collections[CONDITIONS.index("augmentation")]
    corners = band.get_paths()[0].vertices
    at_first = corners[corners[:, 0] == 1][:, 1]
    assert (at_first.min(), at_first.max()) == (by_seed[:, 0].min(), by_seed[:, 0].max())


def test_training_curves_skip_epochs_without_evaluation():
    figure = training_curves.plot(history_frame(), **RUN)
    x, y = drawn(figure.axes[3], "baseline")
    assert list(x) == list(range(2, 41, 2))
    assert not np.isnan(y).any()


def test_reliability_diagrams_pool_seeds_by_counts():
    frame = reliability_frame()
    figure = reliability.plot(frame, **RUN)
    assert len(figure.axes) == 2 * len(CONDITIONS)
    diagram, histogram = figure.axes[:2]
    confidence, accuracy = diagram.lines[1].get_data()
    rows = frame[frame["condition"] == "baseline"]
    expected = []
    for lower in sorted(rows["bin_lower"].unique())[1:]:  # the first bin is empty
        group = rows[rows["bin_lower"] == lower]
        total = group["count"].sum()
        expected.append(
            [100 * sum(group[c] * group["count"]) / total for c in ("confidence", "accuracy")]
        )
    assert np.column_stack([confidence, accuracy]) == pytest.approx(np.array(expected))
    counts = rows.groupby("bin_lower")["count"].sum()
    assert [bar.get_height() for bar in histogram.patches] == list(counts)
    assert [bar.get_x() for bar in histogram.patches] == pytest.approx(100 * counts.index)


def test_disagreement_matrix_holds_every_pair_in_percent():
    frame = disagreement_frame()
    axes = disagreement.plot(frame, **RUN).axes[0]
    shown = axes.images[0].get_array()
    models = list(product(CONDITIONS, SEEDS))
    assert shown.shape == (18, 18)
    for row in frame.itertuples():
        first = models.index((row.condition_a, row.seed_a))
        second = models.index((row.condition_b, row.seed_b))
        assert shown[first, second] == shown[second, first] == 100 * row.prediction_disagreement
    assert len(texts(axes)) == 18 * 17
    assert [label.get_text() for label in axes.get_yticklabels()] == list(CONDITIONS)
    boundaries = sorted({line.get_ydata()[0] for line in axes.lines} - {0, 1})
    assert boundaries == [2.5, 5.5, 8.5, 11.5, 14.5]


def test_large_disagreement_matrices_have_no_numbers():
    axes = disagreement.plot(disagreement_frame(seeds=range(4)), **RUN).axes[0]
    assert axes.images[0].get_array().shape == (24, 24)
    assert texts(axes) == []


def test_models_that_agree_everywhere_are_drawn():
    frame = disagreement_frame(CONDITIONS[:1]).assign(prediction_disagreement=0.0)
    figure = disagreement.plot(frame, **RUN)
    assert set(texts(figure.axes[0])) == {"0.0"}
    figure.draw_without_rendering()


def test_a_single_model_has_no_pairs_and_the_figure_says_so():
    figure = disagreement.plot(disagreement_frame(CONDITIONS[:1], (0,)), **RUN)
    assert "no pairs of models to compare" in texts(figure)
