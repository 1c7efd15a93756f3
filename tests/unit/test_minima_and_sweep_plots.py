"""Figures of sweeps: minima over the training loss, and every measure over a setting."""

import io
import math
from itertools import pairwise, product
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread
from matplotlib.text import Text
from plot_frames import OTHER, RUN

from minimascope.errors import InputError
from minimascope.plots import minima, sweep
from minimascope.plots.style import COLOURS, MARKERS, save_png, save_svg

CONTROLS = ("baseline", "baseline_sam", "weight_decay")
RADII = (0.0025, 0.005, 0.025, 0.05, 0.25, 0.5)
UNITS = {
    "fisher_rao_norm": ("1", "forward"),
    "relative_flatness": ("1", "forward"),
    "train_loss": ("nats", "forward"),
    "test_accuracy": ("fraction", "evaluation"),
    "generalisation_gap": ("percentage points", "evaluation"),
    "test_ece_published": ("fraction", "evaluation"),
}


def conditions_frame(cells, run=RUN):
    """Conditions of (name, control, settings)."""
    common = {"epochs": 100, "optimizer.name": "sgd", "pretrained": False}
    return pd.DataFrame(
        run | common | {"condition": name, "control": control} | settings
        for name, control, settings in cells
    )


def grid_cells(rates=(0.001, 0.01)):
    """Batch size × learning rate of every control, which are the last cell themselves."""
    for control, batch, rate in product(CONTROLS, (128, 256), rates):
        own = (batch, rate) == (256, 0.001)
        name = control if own else f"{control}-{batch}-{rate}"
        sam = {"sam.rho": 0.05} if control.endswith("_sam") else {}
        yield name, control, {"batch_size": batch, "optimizer.lr": rate, **sam}


def radius_cells():
    plain = {"batch_size": 256, "optimizer.lr": 0.001}
    yield "baseline", "baseline", plain
    yield "decay", "decay", plain
    for rho in RADII:
        name = "baseline_sam" if rho == 0.05 else f"baseline_sam-rho{rho}"
        yield name, "baseline_sam", plain | {"sam.rho": rho}


def measures_frame(cells, seeds=range(3), run=RUN, absent=()):
    random = np.random.default_rng(1)
    rows = []
    for (i, (name, _, _)), seed in product(enumerate(cells), seeds):
        for measure, (unit, family) in UNITS.items():
            value = 0.001 * 1.5**i * math.exp(random.normal() / 10)
            row = {"condition": name, "seed": seed, "view": "clean", "measure": measure}
            rows.append(run | row | {"value": value, "unit": unit, "family": family})
    frame = pd.DataFrame(rows)
    return frame[~frame["measure"].isin(absent)]


def summary_frame(*args, **kwargs):
    keys = [*RUN, "condition", "view", "measure", "unit", "family"]
    values = measures_frame(*args, **kwargs).groupby(keys, sort=False)["value"]
    return values.agg(mean="mean", sem="sem", n_seeds="count").reset_index()


def minima_figure(cells=(), **kwargs):
    cells = list(cells or grid_cells())
    return minima.plot(measures_frame(cells, **kwargs), conditions_frame(cells), **RUN)


def sweep_figure(cells=(), **kwargs):
    cells = list(cells or radius_cells())
    return sweep.plot(summary_frame(cells, **kwargs), conditions_frame(cells), **RUN)


FIGURES = {
    "minima": minima_figure,
    "close minima": lambda: minima_figure(list(grid_cells())[:5]),
    "sweep": sweep_figure,
    "grid": lambda: sweep_figure(grid_cells()),
}


def panel(figure, label):
    [axes] = [axes for axes in figure.axes if axes.get_ylabel().replace("\n", " ") == label]
    return axes


def legend_of(figure):
    [legend] = figure.legends
    return {
        text.get_text(): line
        for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)
    }


@pytest.mark.parametrize("name", FIGURES)
def test_equal_input_gives_equal_svg(name):
    first = save_svg(FIGURES[name]())
    assert first == save_svg(FIGURES[name]())
    assert ElementTree.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("name", FIGURES)
def test_text_is_large_and_inside_the_figure_and_tick_labels_do_not_overlap(name):
    figure = FIGURES[name]()
    image = imread(io.BytesIO(save_png(figure, 100)))[:, :, :3]
    edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert (edges == 1).all()
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
    assert min(sizes) >= 8
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        boxes = sorted((box.x0, box.x1) for box in boxes)
        assert len(boxes) >= 2
        assert all(left[1] < right[0] for left, right in pairwise(boxes))


@pytest.mark.parametrize("plot", [minima.plot, sweep.plot])
def test_other_networks_are_left_out_and_unknown_ones_refused(plot):
    cells = list(grid_cells())
    frame = measures_frame if plot is minima.plot else summary_frame
    tables = frame(cells), conditions_frame(cells)
    others = frame(cells[:3], run=OTHER), conditions_frame(cells[:3], OTHER)
    mixed = [pd.concat(pair) for pair in zip(others, tables, strict=True)]
    assert save_svg(plot(*mixed, **RUN)) == save_svg(plot(*tables, **RUN))
    with pytest.raises(InputError, match="no data of vgg19 on cifar10"):
        plot(*tables, dataset="cifar10", network="vgg19")


# Minima


def test_each_measure_of_sharpness_and_the_gap_have_a_panel_over_the_training_loss():
    figure = minima_figure()
    assert [axes.get_ylabel().replace("\n", " ") for axes in figure.axes] == [
        "Fisher–Rao norm (–)",
        "Relative flatness (–)",
        "Generalisation gap (pp)",
    ]
    assert {axes.get_xlabel() for axes in figure.axes} == {"Training loss (nats)"}
    assert figure.get_suptitle() == "resnet18 on cifar10: 36 minima"


def test_a_dot_is_a_model_in_the_colour_of_its_control():
    cells = list(grid_cells())
    measures, control = measures_frame(cells), {name: of for name, of, _ in cells}
    axes = panel(minima_figure(), "Relative flatness (–)")
    assert len(axes.lines) == len(CONTROLS)
    for i, (line, name) in enumerate(zip(axes.lines, CONTROLS, strict=True)):
        assert to_hex(line.get_color()).upper() == COLOURS[i].upper()
        assert (line.get_marker(), line.get_linestyle()) == (MARKERS[i], "None")
        own = measures[measures["condition"].map(control) == name]
        models = own.pivot(index=["condition", "seed"], columns="measure", values="value")
        expected = set(zip(models["train_loss"], models["relative_flatness"], strict=True))
        assert set(map(tuple, line.get_xydata())) == expected
        assert len(expected) == 4 * 3
    assert list(legend_of(minima_figure())) == list(CONTROLS)


@pytest.mark.parametrize("conditions", [2, 12])
def test_the_training_loss_is_logarithmic_however_far_it_reaches(conditions):
    figure = minima_figure(list(grid_cells())[:conditions])
    assert {axes.get_xscale() for axes in figure.axes} == {"log"}


def test_a_training_loss_of_zero_leaves_the_axis_linear():
    cells = list(grid_cells())
    measures = measures_frame(cells)
    measures.loc[measures["measure"].eq("train_loss").idxmax(), "value"] = 0.0
    figure = minima.plot(measures, conditions_frame(cells), **RUN)
    assert {axes.get_xscale() for axes in figure.axes} == {"linear"}
    figure.draw_without_rendering()


def test_a_lost_model_takes_neither_the_others_nor_the_logarithm_away():
    cells = list(grid_cells())
    measures = measures_frame(cells)
    lost = (measures["condition"] == cells[0][0]) & (measures["seed"] == 0)
    measures.loc[lost, "value"] = np.nan
    figure = minima.plot(measures, conditions_frame(cells), **RUN)
    shown = sum(np.isfinite(line.get_xdata()).sum() for line in figure.axes[0].lines)
    assert (shown, figure.axes[0].get_xscale()) == (35, "log")


def test_initial_weights_are_no_minimum():
    cells = list(grid_cells())
    measures = measures_frame(cells)
    initial = measures[measures["condition"] == cells[0][0]].assign(condition="initial")
    both = pd.concat([measures, initial])
    conditions = conditions_frame(cells)
    assert save_svg(minima.plot(both, conditions, **RUN)) == save_svg(minima_figure())


def test_minima_without_training_loss_are_refused_in_one_line():
    with pytest.raises(InputError) as error:
        minima_figure(absent=["train_loss"])
    assert str(error.value) == (
        "figures: resnet18 on cifar10 has no training loss; set sharpness.forward to {}"
    )


# Sweeps


def points_of(axes):
    """Points and error bars' ends of each line with error bars, by its colour and line style."""
    found = {}
    for bars in axes.containers:
        line, _, [errors] = bars.lines
        ends = [segment[:, 1] for segment in errors.get_segments()]
        key = to_hex(line.get_color()).upper(), line.get_linestyle()
        found[key] = (line.get_xdata(), line.get_ydata(), np.array(ends))
    return found


def test_each_evaluation_and_measure_of_sharpness_has_a_panel():
    assert [axes.get_ylabel().replace("\n", " ") for axes in sweep_figure().axes] == [
        "Test accuracy (fraction)",
        "Generalisation gap (pp)",
        "Fisher–Rao norm (–)",
        "Relative flatness (–)",
    ]


def test_points_are_means_with_standard_errors_in_the_order_of_the_setting():
    cells = list(radius_cells())
    figure = sweep_figure([*cells[:2], *reversed(cells[2:])])
    summary = summary_frame([*cells[:2], *reversed(cells[2:])])
    [(x, y, ends)] = points_of(panel(figure, "Test accuracy (fraction)")).values()
    assert list(x) == list(RADII)
    rows = summary[summary["measure"] == "test_accuracy"].set_index("condition")
    rows = rows.loc[[name for name, _, _ in cells[2:]]]
    assert list(y) == list(rows["mean"])
    expected = np.column_stack([rows["mean"] - rows["sem"], rows["mean"] + rows["sem"]])
    assert ends == pytest.approx(expected)


def test_conditions_without_the_setting_are_level_lines_in_a_band_of_their_error():
    figure, summary = sweep_figure(), summary_frame(list(radius_cells()))
    axes = panel(figure, "Generalisation gap (pp)")
    rows = summary[summary["measure"] == "generalisation_gap"].set_index("condition")
    for place, condition in enumerate(("baseline", "decay")):
        mean, sem = rows.loc[condition, ["mean", "sem"]]
        line = legend_of(figure)[f"{condition} without SAM"]
        [level] = [
            drawn
            for drawn in axes.lines
            if drawn.get_color() == line.get_color() and len(drawn.get_xdata()) == 2
        ]
        assert list(level.get_ydata()) == [mean, mean]
        assert (level.get_marker(), level.get_linestyle()) == ("None", line.get_linestyle())
        band = axes.patches[place].get_bbox()
        assert (band.y0, band.y1) == pytest.approx((mean - sem, mean + sem))


def test_a_single_seed_has_no_error_bars_to_speak_of():
    figure = sweep_figure(seeds=[0])
    [(x, y, ends)] = points_of(figure.axes[0]).values()
    assert len(x) == len(RADII)
    assert ends == pytest.approx(np.column_stack([y, y]))
    figure.draw_without_rendering()


def test_a_swept_control_and_itself_without_the_setting_look_different():
    cells = [("baseline", "baseline", {"batch_size": 256})]
    cells += [(f"rho{rho}", "baseline", {"batch_size": 256, "sam.rho": rho}) for rho in RADII]
    legend = legend_of(sweep_figure(cells))
    assert list(legend) == ["baseline without SAM", "baseline"]
    looks = {(line.get_linestyle(), line.get_marker()) for line in legend.values()}
    assert len(looks) == 2


@pytest.mark.parametrize(
    ("rates", "label", "other"),
    [
        ((0.001, 0.01, 0.1), "learning rate", "batch_size 128"),
        # Of two settings with as many values, the first of the table.
        ((0.001, 0.01), "batch size", "lr 0.01"),
    ],
)
def test_the_setting_with_the_most_values_is_the_axis_and_the_other_makes_lines(
    rates, label, other
):
    figure = sweep_figure(grid_cells(rates))
    assert {axes.get_xlabel() for axes in figure.axes} == {label}
    assert figure.get_suptitle() == f"resnet18 on cifar10: sweep of {label}"
    legend = legend_of(figure)
    assert len(legend) == 2 * len(CONTROLS)
    assert {name.partition(", ")[0] for name in legend} == {*CONTROLS}
    assert f"baseline_sam, {other}" in legend
    # Colours say the control, line styles the other setting.
    for i, control in enumerate(CONTROLS):
        lines = [line for name, line in legend.items() if name.partition(", ")[0] == control]
        assert {to_hex(line.get_color()).upper() for line in lines} == {COLOURS[i].upper()}
        assert {line.get_marker() for line in lines} == {MARKERS[i]}
        assert len({line.get_linestyle() for line in lines}) == 2
    assert len(points_of(figure.axes[0])) == 2 * len(CONTROLS)


def test_settings_that_vary_together_make_one_line():
    cells = [
        ("baseline", "baseline", {"batch_size": 256, "optimizer.lr": 0.01}),
        ("both", "baseline", {"batch_size": 32, "optimizer.lr": 0.001}),
    ]
    figure = sweep_figure(cells)
    assert list(legend_of(figure)) == ["baseline"]
    [(x, _, _)] = points_of(figure.axes[0]).values()
    assert list(x) == [32, 256]


def test_ticks_stand_at_the_values_on_a_logarithmic_axis_where_they_span_decades():
    figure = sweep_figure()
    figure.draw_without_rendering()
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        assert list(axes.get_xticks()) == list(RADII)
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert labels[0] == "0.0025"
        assert {float(label) for label in labels if label} <= {*RADII}
    batches = sweep_figure(grid_cells()).axes[0]
    assert batches.get_xscale() == "linear"
    assert [label.get_text() for label in batches.get_xticklabels()] == ["128", "256"]


def test_where_no_number_is_swept_the_figure_says_so():
    cells = [
        ("baseline", "baseline", {"batch_size": 256, "schedule.name": "constant"}),
        ("cosine", "baseline", {"batch_size": 256, "schedule.name": "cosine"}),
    ]
    figure = sweep_figure(cells)
    assert figure.get_suptitle() == "resnet18 on cifar10: no number is swept"
    assert not figure.axes
    save_svg(figure)
