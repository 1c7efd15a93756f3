"""Figures of sweeps: minima over the training loss, and every measure over a setting."""

import numpy as np
import pandas as pd
import pytest
from figure_cases import (
    BASES,
    RADII,
    SEEDS,
    colour_of,
    conditions_frame,
    figure_of,
    grid_cells,
    labels,
    legend_of,
    measures_frame,
    names,
    panel,
    points_of,
    radius_cells,
    summary_frame,
    written,
)

from minimascope.analysis.tables import in_view
from minimascope.errors import InputError
from minimascope.plots.style import COLOURS, MARKERS, save_svg

GRID, SWEEP = list(grid_cells()), list(radius_cells())


def measures_of(cells):
    return measures_frame([name for name, _, _ in cells])


def minima(measures=None, cells=GRID):
    measures = measures_of(cells) if measures is None else measures
    return figure_of("minima", {"measures": measures, "conditions": conditions_frame(cells)})


def sweep(cells=SWEEP, seeds=SEEDS):
    cells = list(cells)
    summary = summary_frame([name for name, _, _ in cells], seeds)
    return figure_of("sweep", {"summary": summary, "conditions": conditions_frame(cells)})


# Minima


def test_each_measure_of_sharpness_and_the_gap_have_a_panel_over_the_training_loss():
    figure = minima()
    assert labels(figure.axes, "ylabel") == [
        "Fisher–Rao norm (–)",
        "SAM-sharpness (–)",
        "Relative flatness (–)",
        "Generalisation gap (pp)",
    ]
    assert set(labels(figure.axes, "xlabel")) == {"Training loss (nats)"}
    assert figure.get_suptitle() == "resnet18 on cifar10, 36 models"


@pytest.mark.parametrize(("view", "shift"), [("clean", 0), ("augmented", 1000)])
def test_a_model_is_shown_on_the_view_that_is_asked_for_and_others_on_what_they_have(view, shift):
    measures = measures_of(GRID)
    augmented = measures[measures["condition"].str.startswith(BASES[1])]
    both = pd.concat(
        [measures, augmented.assign(view="augmented", value=augmented["value"] + 1000)]
    )
    tables = {"measures": in_view(both, view), "conditions": conditions_frame(GRID)}
    figure = figure_of("minima", tables)
    found = points_of(panel(figure, "Relative flatness (–)"))
    for i, base in enumerate(BASES[:2]):
        own = measures[measures["condition"].map({n: of for n, of, _ in GRID}) == base]
        models = own.pivot(index=["condition", "seed"], columns="measure", values="value")
        values = models[["train_loss", "relative_flatness"]] + (shift if i == 1 else 0)
        expected = set(values.itertuples(index=False, name=None))
        assert set(map(tuple, found[COLOURS[i], MARKERS[i], False])) == expected


def test_a_dot_is_a_model_in_the_colour_of_its_condition():
    figure, condition = minima(), {name: of for name, of, _ in GRID}
    measures = measures_of(GRID)
    found = points_of(panel(figure, "Relative flatness (–)"))
    for i, name in enumerate(BASES):
        own = measures[measures["condition"].map(condition) == name]
        models = own.pivot(index=["condition", "seed"], columns="measure", values="value")
        expected = set(zip(models["train_loss"], models["relative_flatness"], strict=True))
        assert set(map(tuple, found[COLOURS[i], MARKERS[i], False])) == expected
        assert len(expected) == 4 * 3
    assert len(found) == len(BASES)
    assert list(legend_of(figure)) == list(BASES)


@pytest.mark.parametrize("conditions", [2, 12])
def test_the_training_loss_is_logarithmic_however_far_it_reaches(conditions):
    figure = minima(cells=GRID[:conditions])
    assert {axes.get_xscale() for axes in figure.axes} == {"log"}


def test_a_training_loss_of_zero_leaves_the_axis_linear():
    measures = measures_of(GRID)
    measures.loc[measures["measure"].eq("train_loss").idxmax(), "value"] = 0.0
    figure = minima(measures)
    assert {axes.get_xscale() for axes in figure.axes} == {"linear"}
    figure.draw_without_rendering()


def test_a_lost_model_takes_neither_the_others_nor_the_logarithm_away():
    measures = measures_of(GRID)
    lost = (measures["condition"] == GRID[0][0]) & (measures["seed"] == 0)
    measures.loc[lost, "value"] = np.nan
    first = minima(measures).axes[0]
    shown = sum(np.isfinite(line.get_xdata()).sum() for line in first.lines)
    assert (shown, first.get_xscale()) == (35, "log")


def test_initial_weights_are_no_minimum():
    measures = measures_of(GRID)
    initial = measures[measures["condition"] == GRID[0][0]].assign(condition="initial")
    both = pd.concat([measures, initial])
    assert save_svg(minima(both)) == save_svg(minima())


def test_the_axes_of_minima_have_the_unit_of_the_loss_that_was_minimised():
    measures = measures_of(GRID)
    of_loss = measures["measure"].isin(["train_loss", "fisher_rao_norm"])
    measures.loc[of_loss, "unit"] = "squared outputs"
    axes = minima(measures).axes[0]
    shown = [label.replace("\n", " ") for label in (axes.get_xlabel(), axes.get_ylabel())]
    assert shown == ["Training loss (squared outputs)", "Fisher–Rao norm (squared outputs)"]


def test_minima_without_training_loss_are_refused_in_one_line():
    with pytest.raises(InputError) as error:
        minima(measures_of(GRID).query("measure != 'train_loss'"))
    assert str(error.value) == (
        "figures: resnet18 on cifar10 has no training loss; set sharpness.forward to {}"
    )


# Sweeps


def curves_of(axes):
    """Points and error bars' ends of each line with error bars."""
    for bars in axes.containers:
        line, _, [errors] = bars.lines
        ends = [segment[:, 1] for segment in errors.get_segments()]
        yield line.get_xdata(), line.get_ydata(), np.array(ends)


def test_each_evaluation_and_measure_of_sharpness_has_a_panel():
    assert labels(sweep().axes, "ylabel") == [
        "Test accuracy (fraction)",
        "Generalisation gap (pp)",
        "Test ECE (fraction)",
        "Test NLL (nats)",
        "Test Brier score (–)",
        "Corruption accuracy (%)",
        "Fisher–Rao norm (–)",
        "SAM-sharpness (–)",
        "Relative flatness (–)",
    ]


def test_points_are_means_with_standard_errors_in_the_order_of_the_setting():
    cells = [*SWEEP[:2], *reversed(SWEEP[2:])]
    [(x, y, ends)] = curves_of(panel(sweep(cells), "Test accuracy (fraction)"))
    assert list(x) == list(RADII)
    summary = summary_frame([name for name, _, _ in cells])
    rows = summary[summary["measure"] == "test_accuracy"].set_index("condition")
    rows = rows.loc[[name for name, _, _ in SWEEP[2:]]]
    assert list(y) == list(rows["mean"])
    expected = np.column_stack([rows["mean"] - rows["sem"], rows["mean"] + rows["sem"]])
    assert ends == pytest.approx(expected)


def test_conditions_without_the_setting_are_level_lines_in_a_band_of_their_error():
    figure, summary = sweep(), summary_frame([name for name, _, _ in SWEEP])
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


def test_a_condition_of_which_a_seed_did_not_train_is_hollow_in_a_sweep():
    cells = [*SWEEP]
    summary = summary_frame([name for name, _, _ in cells])
    lost = summary["condition"] == cells[-1][0]
    tables = {"summary": summary.assign(n_untrained=lost.astype(int))}
    figure = figure_of("sweep", tables | {"conditions": conditions_frame(cells)})
    [hollow] = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    assert list(hollow.get_xdata()) == [cells[-1][2]["sam.rho"]]
    assert "not all seeds trained" in legend_of(figure)
    assert "not all seeds trained" not in legend_of(sweep())


def test_a_single_seed_has_no_error_bars_to_speak_of():
    figure = sweep(seeds=[0])
    [(x, y, ends)] = curves_of(figure.axes[0])
    assert len(x) == len(RADII)
    assert ends == pytest.approx(np.column_stack([y, y]))
    figure.draw_without_rendering()


def test_a_swept_condition_and_itself_without_the_setting_look_different():
    cells = [("baseline", "baseline", {"batch_size": 256})]
    cells += [(f"rho{rho}", "baseline", {"batch_size": 256, "sam.rho": rho}) for rho in RADII]
    legend = legend_of(sweep(cells))
    assert list(legend) == ["baseline without SAM", "baseline"]
    assert len({(line.get_linestyle(), line.get_marker()) for line in legend.values()}) == 2


@pytest.mark.parametrize(
    ("rates", "label", "other"),
    [
        ((0.001, 0.01, 0.1), "Learning rate", "batch_size 128"),
        # Of two settings with as many values, the first of the table.
        ((0.001, 0.01), "Batch size", "lr 0.01"),
    ],
)
def test_the_setting_with_the_most_values_is_the_axis_and_the_other_makes_lines(
    rates, label, other
):
    figure = sweep(grid_cells(rates))
    assert set(labels(figure.axes, "xlabel")) == {label}
    legend = legend_of(figure)
    assert len(legend) == len(list(curves_of(figure.axes[0]))) == 2 * len(BASES)
    assert f"baseline_sam, {other}" in legend
    # Colours say the condition, line styles the other setting.
    for i, condition in enumerate(BASES):
        lines = [line for name, line in legend.items() if name.partition(", ")[0] == condition]
        assert {colour_of(line) for line in lines} == {COLOURS[i]}
        assert {line.get_marker() for line in lines} == {MARKERS[i]}
        assert len({line.get_linestyle() for line in lines}) == len(lines) == 2


def test_settings_that_vary_together_make_one_line():
    cells = [
        ("baseline", "baseline", {"batch_size": 256, "optimizer.lr": 0.01}),
        ("both", "baseline", {"batch_size": 32, "optimizer.lr": 0.001}),
    ]
    figure = sweep(cells)
    assert list(legend_of(figure)) == ["baseline"]
    [(x, _, _)] = curves_of(figure.axes[0])
    assert list(x) == [32, 256]


def test_ticks_stand_at_the_values_on_a_logarithmic_axis_where_they_span_decades():
    for axes in sweep().axes:
        assert axes.get_xscale() == "log"
        assert list(axes.get_xticks()) == list(RADII)
        ticks = names(axes.get_xticklabels())
        assert ticks[0] == "0.0025"
        assert {float(tick) for tick in ticks if tick} <= {*RADII}
    batches = sweep(GRID).axes[0]
    assert batches.get_xscale() == "linear"
    assert names(batches.get_xticklabels()) == ["128", "256"]


def test_where_no_number_is_swept_the_figure_says_so():
    cells = [
        (name, "baseline", {"batch_size": 256, "schedule.name": name})
        for name in ("constant", "cosine")
    ]
    figure = sweep(cells)
    assert "no number is swept" in written(figure)
    assert not figure.axes
