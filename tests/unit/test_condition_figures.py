"""Figures of the conditions of one network: each shows what its tables hold."""

import math
import statistics
from itertools import product

import numpy as np
import pandas as pd
import pytest
from figure_cases import (
    CONDITIONS,
    FEW,
    RUN,
    SEEDS,
    correlations_of_network,
    disagreement_frame,
    figure_of,
    history_frame,
    labels,
    measures_frame,
    names,
    panel,
    plain_conditions,
    points_of,
    read_again,
    reliability_frame,
    written,
)

from minimascope.plots.style import GREY
from minimascope.sharpness.losses import LOSSES
from minimascope.training_losses import TRAINING_LOSSES


def drawn(axes, condition):
    """The one line of a condition, as its x and y values."""
    [line] = [line for line in axes.lines if line.get_label() == condition]
    return line.get_xdata(), line.get_ydata()


def values_of(measures, measure, condition):
    chosen = (measures["measure"] == measure) & (measures["condition"] == condition)
    return list(measures.loc[chosen, "value"])


def conditions(measures):
    return figure_of("conditions", {"measures": measures, "disagreement": disagreement_frame()})


def against_evaluations(measures, **values):
    tables = {"measures": measures, "correlations": correlations_of_network(**values)}
    return figure_of("sharpness_evaluation", tables)


def test_conditions_show_every_seed_of_every_condition():
    measures = measures_frame()
    figure = conditions(measures)
    axes = panel(figure, "Test accuracy (fraction)")
    for position, condition in enumerate(CONDITIONS):
        x, y = drawn(axes, condition)
        assert list(x) == [position] * len(SEEDS)
        assert list(y) == values_of(measures, "test_accuracy", condition)
    panels = [axes for axes in figure.axes if axes.get_title()]
    # Evaluations with prediction disagreement, and sharpness; nothing that only checks another.
    assert len(panels) == 7 + 3
    assert not any("signed" in label or "published" in label for label in labels(panels, "title"))
    assert names(panels[-1].get_xticklabels()) == list(CONDITIONS)
    assert panel(figure, "Fisher–Rao norm (–)").get_yscale() == "log"
    assert axes.get_yscale() == "linear"


def test_conditions_are_named_below_the_last_panel_of_every_column():
    figure = conditions(measures_frame())
    figure.draw_without_rendering()
    named = [axes for axes in figure.axes if names(axes.get_xticklabels()) == list(CONDITIONS)]
    # Ten panels in three rows of four: of the last two columns the lowest cells are empty.
    assert [axes.get_title() != "" for axes in named] == [True, True, False, False]
    for axes, above in zip(named[2:], figure.axes[6:8], strict=True):
        top = max(text.get_window_extent().y1 for text in axes.get_xticklabels())
        assert top < above.get_window_extent().y0
        assert axes.get_xlim() == above.get_xlim()


def test_conditions_show_mean_and_standard_error():
    measures = measures_frame()
    axes = panel(conditions(measures), "Test NLL (nats)")
    [bars] = axes.containers
    segments = bars.lines[2][0].get_segments()
    for i, condition in enumerate(CONDITIONS):
        values = values_of(measures, "test_nll", condition)
        mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
        assert bars.lines[0].get_ydata()[i] == pytest.approx(mean)
        assert segments[i][:, 1] == pytest.approx([mean - error, mean + error])


def test_conditions_join_the_same_seed_in_all_conditions():
    measures = measures_frame().sample(frac=1, random_state=0)  # rows in any order
    axes = panel(conditions(measures), "Generalisation gap (pp)")
    joined = [list(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) == 6]
    rows = measures[measures["measure"] == "generalisation_gap"]
    expected = rows.pivot(index="seed", columns="condition", values="value")[list(CONDITIONS)]
    assert [list(values) for values in expected.to_numpy()] == joined[: len(SEEDS)]


def test_conditions_show_each_seeds_mean_disagreement_within_its_condition():
    pairs = disagreement_frame()
    axes = panel(conditions(measures_frame()), "Prediction disagreement (fraction)")
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


def test_conditions_leave_a_gap_where_a_condition_lacks_a_measure():
    measures = measures_frame(measures=FEW)
    lacking = (measures["condition"] == "augmentation") & (measures["measure"] == "test_nll")
    axes = panel(conditions(measures[~lacking]), "Test NLL (nats)")
    assert np.isnan(drawn(axes, "augmentation")[1]).all()
    assert not np.isnan(drawn(axes, "baseline")[1]).any()


def test_conditions_have_a_panel_for_a_measure_that_nobody_described():
    unknown = measures_frame(measures=["sam_sharpness"])
    unknown = unknown.assign(measure="spectral_norm", family="hessian")
    axes = panel(conditions(pd.concat([measures_frame(), unknown])), "spectral_norm (–)")
    expected = values_of(unknown, "spectral_norm", "baseline")
    assert list(drawn(axes, "baseline")[1]) == expected


def test_scatter_plots_show_every_model_and_the_correlation_of_the_table():
    measures = measures_frame()
    figure = against_evaluations(measures)
    # Of evaluations those of the main table.
    assert len(figure.axes) == 3 * 4
    models = measures.pivot(index=["condition", "seed"], columns="measure", values="value")
    axes = figure.axes[1]
    shown = {point for name in CONDITIONS for point in zip(*drawn(axes, name), strict=True)}
    assert shown == set(zip(models["test_accuracy"], models["fisher_rao_norm"], strict=True))
    assert axes.get_title() == "ρ = −0.53 [−0.92, 0.48]\nn = 6"
    assert labels(figure.axes[::4], "ylabel") == [
        *("Fisher–Rao norm (–)", "SAM-sharpness (–)", "Relative flatness (–)")
    ]
    assert labels(figure.axes[-4:], "xlabel")[1] == "Test accuracy (fraction)"
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")


def test_a_correlation_that_is_not_known_says_why():
    lost = {"value": np.nan, "lower": np.nan, "note": "fewer than 3 conditions"}
    [first, *_] = against_evaluations(measures_frame(), **lost).axes
    assert first.get_title().replace("\n", " ") == "no ρ: fewer than 3 conditions"


def test_a_network_alone_on_its_data_has_the_correlations_of_all():
    figure = against_evaluations(measures_frame(), network="all")
    assert figure.axes[0].get_title().startswith("ρ = −0.53")


def test_scatter_plots_without_any_sharpness_say_so():
    figure = against_evaluations(measures_frame().query("family == 'evaluation'"))
    assert figure.axes == []
    assert figure.get_label() == "no finite value of sharpness or of an evaluation"


def untrained(measures, condition="augmentation", seed=1):
    """The measures, where one model did not train."""
    lost = (measures["condition"] == condition) & (measures["seed"] == seed)
    return measures.assign(trained=~lost)


@pytest.mark.parametrize("name", ["conditions", "sharpness_evaluation", "minima"])
def test_models_that_did_not_train_are_hollow_and_grey(name):
    measures = untrained(measures_frame())
    tables = {"measures": measures, "correlations": correlations_of_network()}
    figure = figure_of(name, tables | {"disagreement": disagreement_frame()})
    value = measures.query("condition == 'augmentation' & seed == 1 & measure == 'sam_sharpness'")
    axes = panel(figure, "SAM-sharpness (–)")
    [[(_, shown)]] = [p for look, p in points_of(axes).items() if look == (GREY, "o", True)]
    assert shown == value["value"].item()
    assert "did not train" in written(figure)
    assert "did not train" not in written(
        figure_of(
            name, tables | {"measures": measures_frame(), "disagreement": disagreement_frame()}
        )
    )


def test_the_mean_of_a_condition_leaves_out_what_did_not_train():
    measures = untrained(measures_frame())
    [bars] = panel(conditions(measures), "Test NLL (nats)").containers
    kept = measures[measures["trained"] & (measures["condition"] == "augmentation")]
    expected = statistics.fmean(kept.loc[kept["measure"] == "test_nll", "value"])
    assert bars.lines[0].get_ydata()[CONDITIONS.index("augmentation")] == pytest.approx(expected)


def test_the_mean_disagreement_leaves_out_pairs_with_a_network_that_did_not_train():
    of_pairs = disagreement_frame()
    measures = untrained(measures_frame())
    tables = {"measures": measures, "disagreement": of_pairs}
    [bars] = panel(figure_of("conditions", tables), "Prediction disagreement (fraction)").containers
    own = of_pairs[(of_pairs[["condition_a", "condition_b"]] == "augmentation").all(axis=1)]
    kept = own[(own[["seed_a", "seed_b"]] != 1).all(axis=1)]
    assert 0 < len(kept) < len(own)
    shown = bars.lines[0].get_ydata()[CONDITIONS.index("augmentation")]
    assert shown == pytest.approx(kept["prediction_disagreement"].mean())


def test_training_curves_show_mean_and_range_over_seeds():
    history = history_frame()
    figure = figure_of("training_curves", {"history": history})
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "log", "linear", "linear"]
    assert labels(figure.axes[::2], "ylabel") == ["Loss (nats)", "Accuracy (fraction)"]
    assert labels(figure.axes[:2], "title") == ["Training data", "Test data"]
    assert labels(figure.axes, "xlabel") == ["", "", "Epoch", "Epoch"]
    chosen = history[history["condition"] == "augmentation"]
    by_seed = np.array([rows["train_loss"] for _, rows in chosen.groupby("seed")])
    x, y = drawn(figure.axes[0], "augmentation")
    assert list(x) == list(range(1, 41))
    assert y == pytest.approx(by_seed.sum(0) / 3)
    band = figure.axes[0].collections[CONDITIONS.index("augmentation")]
    corners = band.get_paths()[0].vertices
    at_first = corners[corners[:, 0] == 1][:, 1]
    assert (at_first.min(), at_first.max()) == (by_seed[:, 0].min(), by_seed[:, 0].max())
    # Epochs without evaluation are left out.
    x, y = drawn(figure.axes[3], "baseline")
    assert list(x) == list(range(2, 41, 2))
    assert not np.isnan(y).any()


def test_reliability_diagrams_pool_seeds_by_counts():
    frame = reliability_frame()
    figure = figure_of("reliability", {"reliability": frame})
    assert len(figure.axes) == 2 * len(CONDITIONS)
    diagram, histogram = figure.axes[:2]
    rows = frame[frame["condition"] == "baseline"]
    expected = []
    for lower in sorted(rows["bin_lower"].unique()):
        group = rows[rows["bin_lower"] == lower]
        total = group["count"].sum()
        if total < 20:
            continue
        expected.append(
            [100 * sum(group[c] * group["count"]) / total for c in ("confidence", "accuracy")]
        )
    [marks] = [line for line in diagram.lines if line.get_marker() == "o"]
    assert marks.get_linestyle() == "None"
    assert marks.get_xydata() == pytest.approx(np.array(expected))
    counts = rows.groupby("bin_lower")["count"].sum()
    assert [bar.get_height() for bar in histogram.patches] == list(counts)
    assert [bar.get_x() for bar in histogram.patches] == pytest.approx(100 * counts.index)


def test_disagreement_matrix_holds_every_pair_in_percent():
    frame = disagreement_frame()
    axes = figure_of("disagreement", {"disagreement": frame}).axes[0]
    shown = axes.images[0].get_array()
    models = list(product(CONDITIONS, SEEDS))
    assert shown.shape == (18, 18)
    for row in frame.itertuples():
        first = models.index((row.condition_a, row.seed_a))
        second = models.index((row.condition_b, row.seed_b))
        assert shown[first, second] == shown[second, first] == 100 * row.prediction_disagreement
    assert len(axes.texts) == 18 * 17
    assert names(axes.get_yticklabels()) == list(CONDITIONS)
    boundaries = sorted({line.get_ydata()[0] for line in axes.lines} - {0, 1})
    assert boundaries == [2.5, 5.5, 8.5, 11.5, 14.5]


def test_large_disagreement_matrices_have_no_numbers():
    frame = disagreement_frame(seeds=range(4))
    axes = figure_of("disagreement", {"disagreement": frame}).axes[0]
    assert axes.images[0].get_array().shape == (24, 24)
    assert not axes.texts


def test_models_that_agree_everywhere_are_drawn():
    frame = disagreement_frame(CONDITIONS[:1]).assign(prediction_disagreement=0.0)
    figure = figure_of("disagreement", {"disagreement": frame})
    assert {text.get_text() for text in figure.axes[0].texts} == {"0.0"}
    figure.draw_without_rendering()


def test_conditions_of_a_network_that_never_trained_are_hollow_and_have_no_means():
    frame = measures_frame().assign(trained=False)
    figure = figure_of("conditions", {"measures": frame, "disagreement": disagreement_frame()})
    assert "did not train" in written(figure)
    figure.draw_without_rendering()


def test_adopted_conditions_are_not_joined_to_the_seeds_of_others():
    measures, of_pairs = measures_frame(), disagreement_frame()
    adopted = CONDITIONS[2]
    rows = plain_conditions().assign(matched=[name != adopted for name in CONDITIONS])
    tables = {"measures": measures, "disagreement": of_pairs, "conditions": rows}
    axes = panel(figure_of("conditions", tables), "Test accuracy (fraction)")
    joined = [line for line in axes.lines if line.get_color() == GREY and line.get_lw() == 0.5]
    lines = [line.get_ydata() for line in joined]
    assert len(lines) == len(SEEDS)
    assert all(np.flatnonzero(np.isnan(line)) == [2] for line in lines)
    assert list(drawn(axes, adopted)[1]) == values_of(measures, "test_accuracy", adopted)


# Effects


def effects(**changes):
    """The figure of effects, and its table: 5 % matter, verdicts follow from the intervals."""
    rows = measures_frame().groupby(["measure", "unit", "condition"], sort=False)["value"]
    means = rows.mean().unstack("condition")
    table = pd.DataFrame(
        {
            **RUN,
            "measure": measure,
            "unit": unit,
            "condition": condition,
            "baseline_mean": values["baseline"],
            "mean": values[condition],
            "difference": values[condition] - values["baseline"],
        }
        for (measure, unit), values in means.iterrows()
        for condition in CONDITIONS[1:]
    )
    table["smallest_difference"] = 0.05 * table["baseline_mean"].abs()
    half = 0.4 * table["difference"].abs()
    table["lower"], table["upper"] = table["difference"] - half, table["difference"] + half
    shares = {"difference": "share", "lower": "share_lower", "upper": "share_upper"}
    for column, share in shares.items():
        table[share] = table[column] / table["baseline_mean"]
    verdicts = {"baseline_sam": "open", "augmentation": "no difference"}
    table["verdict"] = table["condition"].map(verdicts).fillna("larger")
    table = read_again(table.assign(n=3)).assign(**changes)
    figure = figure_of("effects", {"statistics": table})
    return {axes.get_title(): axes for axes in figure.axes}, figure, table


def test_percentages_differ_by_percentage_points():
    panels, _, table = effects()
    assert set(table.loc[table["unit"] == "percent", "measure"]) == {"corruption_accuracy"}
    assert panels["Corruption accuracy"].get_xlabel() == "Difference (pp)"


def test_a_dot_is_filled_where_the_test_is_sure_hollow_where_it_is_open_and_a_bar_where_equal():
    panels, _, table = effects()
    for measure, title in {"test_accuracy": "Test accuracy", "test_nll": "Test NLL"}.items():
        rows, axes = table[table["measure"] == measure], panels[title]
        dots = [container.lines[0] for container in axes.containers]
        np.testing.assert_allclose([dot.get_xdata()[0] for dot in dots], rows["difference"])
        assert [dot.get_markerfacecolor() == "white" for dot in dots] == [True, *[False] * 4]
        assert [dot.get_marker() == "|" for dot in dots] == [False, True, *[False] * 3]
        assert axes.get_xscale() == "linear"
    ticks = panels["Test accuracy"].get_yticklabels()
    assert [name.replace("\n", "") for name in names(ticks)] == list(CONDITIONS[1:])


def test_sharpness_is_shown_as_a_multiple_of_the_baseline():
    panels, _, table = effects()
    axes, rows = panels["Fisher–Rao norm"], table[table["measure"] == "fisher_rao_norm"]
    shown = [container.lines[0].get_xdata()[0] for container in axes.containers]
    np.testing.assert_allclose(shown, rows["mean"] / rows["baseline_mean"])
    assert (axes.get_xscale(), axes.get_xlabel()) == ("log", "Times the baseline")


def test_an_interval_that_reaches_zero_runs_off_the_logarithmic_axis():
    _, figure, table = effects()
    table["share_lower"] = -2.0
    figure = figure_of("effects", {"statistics": table})
    [axes] = [axes for axes in figure.axes if axes.get_title() == "Fisher–Rao norm"]
    [segment] = axes.containers[0].lines[2][0].get_segments()
    assert 0 < segment[0][0] < axes.get_xlim()[0]


def test_an_interval_without_ends_is_a_pale_line_over_the_whole_panel():
    _, _, table = effects()
    endless = (table["condition"] == "augmentation") & (table["measure"] == "fisher_rao_norm")
    table.loc[endless, ["share_lower", "share_upper"]] = np.nan
    figure = figure_of("effects", {"statistics": table})
    panels = {axes.get_title(): axes for axes in figure.axes}

    def level_lines(title):
        lines = [line for line in panels[title].lines if list(line.get_xdata()) == [0, 1]]
        return [line.get_ydata()[0] for line in lines]

    assert level_lines("Fisher–Rao norm") == [list(CONDITIONS[1:]).index("augmentation")]
    assert level_lines("SAM-sharpness") == level_lines("Test accuracy") == []


def test_the_band_is_the_smallest_difference_that_matters():
    panels, _, table = effects()
    row = table[table["measure"] == "test_nll"].iloc[0]
    band = panels["Test NLL"].collections[0].get_paths()[0].vertices[:, 0]
    assert (band.min(), band.max()) == pytest.approx(
        (-row.smallest_difference, row.smallest_difference)
    )


def test_one_seed_has_dots_without_intervals():
    ends = dict.fromkeys(("lower", "upper", "share_lower", "share_upper"), np.nan)
    panels, figure, _ = effects(n=1, verdict="too few", **ends)
    assert all(len(bars.lines[2]) == 0 for bars in panels["Test accuracy"].containers)
    assert figure.get_suptitle().endswith("difference from the baseline, 1 seed")
    figure.draw_without_rendering()


def test_without_a_baseline_there_are_no_effects_and_the_figure_says_so():
    _, _, table = effects()
    figure = figure_of("effects", {"statistics": table.iloc[:0]})
    assert "no conditions are compared with a baseline" in written(figure)


@pytest.mark.parametrize("loss", TRAINING_LOSSES)
def test_training_curves_have_the_unit_of_the_loss_that_was_trained(loss):
    conditions = plain_conditions().assign(loss=loss)
    figure = figure_of("training_curves", {"history": history_frame(), "conditions": conditions})
    assert figure.axes[0].get_ylabel() == f"Loss ({LOSSES[loss].unit})"
