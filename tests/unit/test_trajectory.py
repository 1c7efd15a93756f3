"""Measures along trainings in one table, and when conditions part from their baseline."""

import numpy as np
import pandas as pd
import pytest
from refusals import refused
from table_frames import condition_rows, read_again

from minimascope.analysis.trajectory import snapshot_table, text, trajectory_tables
from minimascope.plots.edge_of_stability import plot as edge_of_stability
from minimascope.plots.trajectory import over_epochs, over_loss

CONDITIONS = condition_rows(["baseline", "sam"], [None, "baseline"])
SETTINGS = {"base_condition": "baseline", "optimizer.name": "sgd", "optimizer.lr": 0.1}
RUN = {"dataset": "digits", "network": "vit"}


def document(condition, seed, values, measure="sam_sharpness", family="perturbation"):
    """What a family says about the weights of a run after epochs: {epoch: value}."""
    return {
        "family": family,
        "view": "clean",
        "run": {**RUN, "condition": condition, "seed": str(seed)},
        "snapshots": [
            {
                "moment": f"epoch{epoch}",
                "epoch": epoch,
                "step": 3 * epoch,
                "learning_rate": 0.1 / (1 + epoch),
                "seconds": 0.1,
                "measures": [
                    {
                        "measure": measure,
                        "value": value,
                        "unit": "1",
                        "n": 10,
                        "standard_error": None,
                        "noise_floor": None,
                        "converged": True,
                    }
                ],
            }
            for epoch, value in values.items()
        ],
    }


def snapshots(**conditions):
    """The table of conditions, each with {epoch: [value of each seed]}."""
    found = {
        f"{condition}{seed}": document(condition, seed, {e: row[seed] for e, row in values.items()})
        for condition, values in conditions.items()
        for seed in range(len(next(iter(values.values()))))
    }
    return read_again(snapshot_table(found))


def finals(table, epochs=4, trained=True, **values):
    """Measures at the end of the same runs, and their histories."""
    runs = table[["dataset", "network", "condition", "seed"]].drop_duplicates()
    history = pd.concat(
        [
            runs.assign(epoch=epoch, train_loss=1 / epoch, learning_rate=0.1)
            for epoch in range(1, epochs + 1)
        ]
    )
    row = {"view": "clean", "family": "perturbation", "measure": "sam_sharpness", "unit": "1"}
    row |= {"n": 10, "standard_error": np.nan, "noise_floor": np.nan, "converged": True}
    return runs.assign(value=9.0, **row, trained=trained), history


def test_rows_say_when_and_of_what():
    table = snapshot_table({"a": document("baseline", 3, {0: 1.0, 2: 5.0})})
    assert table["epoch"].tolist() == [0, 2]
    assert table["step"].tolist() == [0, 6]
    assert table["seed"].tolist() == [3, 3]
    assert table["value"].tolist() == [1.0, 5.0]


def test_a_document_of_something_else_is_named():
    with refused("a.json: no document of measures along a training ('snapshots' is missing)"):
        snapshot_table({"a.json": {"run": {}, "view": "clean", "family": "forward"}})


def test_the_end_of_training_belongs_to_the_way_unless_it_was_kept():
    table = snapshots(baseline={0: [1.0], 2: [5.0]})
    found, *_ = trajectory_tables(table, *finals(table, epochs=4), CONDITIONS)
    assert found[["epoch", "value", "moment"]].to_numpy().tolist() == [
        *([0, 1.0, "epoch0"], [2, 5.0, "epoch2"], [4, 9.0, "final"]),
    ]
    found, *_ = trajectory_tables(table, *finals(table, epochs=2), CONDITIONS)
    assert found["moment"].tolist() == ["epoch0", "epoch2"]


def test_the_training_loss_is_measured_where_it_can_be_and_the_epochs_otherwise():
    table = snapshots(baseline={0: [1.0], 2: [5.0]})
    found, *_ = trajectory_tables(table, *finals(table), CONDITIONS)
    assert found["train_loss"].tolist() == pytest.approx([np.nan, 0.5, 0.25], nan_ok=True)
    loss = document("baseline", 0, {0: 3.0, 2: 0.7}, "train_loss", "forward")
    both = pd.concat([table, read_again(snapshot_table({"b": loss}))])
    found, *_ = trajectory_tables(both, *finals(table), CONDITIONS)
    sharpness = found[found["measure"] == "sam_sharpness"]
    assert sharpness["train_loss"].tolist() == pytest.approx([3.0, 0.7, 0.25])


def test_seeds_are_summarised_moment_by_moment():
    table = snapshots(baseline={0: [1.0, 3.0], 2: [5.0, 5.0]})
    _, found, _ = trajectory_tables(table, *finals(table, epochs=2), CONDITIONS)
    columns = ["epoch", "mean", "sem", "lowest", "highest", "n_seeds"]
    assert found[columns].to_numpy().tolist() == [[0, 2, 1, 1, 3, 2], [2, 5, 0, 5, 5, 2]]


def parting(**conditions):
    table = snapshots(**conditions)
    *_, found = trajectory_tables(table, *finals(table, epochs=3), CONDITIONS)
    return found


# Differences whose intervals exclude zero from the second moment on, and of one in between.
APART = [1.0, 1.1, 0.9]
TOGETHER = [1.0, -1.0, 0.1]
NONE = [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("differences", "first", "for_good"),
    [
        ([NONE, APART, APART, APART], 1, 1),
        ([APART, TOGETHER, APART, APART], 0, 2),
        ([TOGETHER, APART, TOGETHER, TOGETHER], 1, np.nan),
        ([TOGETHER] * 4, np.nan, np.nan),
        ([APART, [-one for one in APART], APART, APART], 0, 2),
    ],
)
def test_conditions_part_when_the_paired_interval_excludes_zero(differences, first, for_good):
    baseline = [5.0, 7.0, 11.0]
    sam = {
        e: [b + d for b, d in zip(baseline, row, strict=True)] for e, row in enumerate(differences)
    }
    found = parting(baseline=dict.fromkeys(range(4), baseline), sam=sam)
    assert len(found) == 1
    row = found.iloc[0]
    assert [row["first"], row["for_good"]] == pytest.approx([first, for_good], nan_ok=True)
    assert row["n_moments"] == 4
    assert row["n_seeds"] == 3
    assert row["difference"] == pytest.approx(np.mean(differences[-1]), abs=1e-12)


def test_the_interval_is_students_t():
    from scipy import stats

    found = parting(baseline={3: [5.0, 7.0, 11.0]}, sam={3: [6.0, 8.1, 11.9]}).iloc[0]
    expected = stats.ttest_1samp(APART, 0).confidence_interval()
    assert [found["lower"], found["upper"]] == pytest.approx(list(expected))


def test_seeds_are_counted_where_the_difference_is_taken():
    found = parting(
        baseline={0: [5.0, 7.0, 11.0], 3: [5.0, 7.0, 11.0]},
        sam={0: [5.0, 7.1, 11.2], 3: [6.0, 8.1, np.nan]},
    ).iloc[0]
    assert (found["difference"], found["n_seeds"]) == (pytest.approx(1.05), 2)


def test_networks_that_did_not_train_and_single_seeds_are_not_compared():
    table = snapshots(baseline={0: [1.0, 2.0]}, sam={0: [3.0, 4.0]})
    *_, none = trajectory_tables(table, *finals(table, trained=False), CONDITIONS)
    assert none.empty
    assert parting(baseline={0: [1.0]}, sam={0: [3.0]}).empty


def test_readers_see_when_conditions_part():
    table = snapshots(
        baseline={0: [5.0, 7.0, 11.0], 3: [5.0, 7.0, 11.0]},
        sam={0: [5.0, 7.0, 11.0], 3: [6.0, 8.1, 11.9]},
    )
    along, _, partings = trajectory_tables(table, *finals(table, epochs=3), CONDITIONS)
    [shown] = text(read_again(partings), read_again(along))
    assert shown.loc["sam"].tolist() == ["3 (3)"]
    assert shown.attrs["caption"].startswith("vit on digits, 3 seeds. When conditions part")
    assert "Intervals are not adjusted for the number of moments, 2 here" in shown.attrs["caption"]


def test_what_belongs_to_the_data_is_not_said_to_part():
    found = {
        f"{condition}{seed}{name}": document(condition, seed, {0: 1.0, 3: 1.0}, name, "forward")
        for condition in ("baseline", "sam")
        for seed in (0, 1)
        for name in ("train_label_entropy", "fisher_rao_norm")
    }
    table = read_again(snapshot_table(found))
    along, _, partings = trajectory_tables(table, *finals(table, epochs=3), CONDITIONS)
    [shown] = text(read_again(partings), read_again(along))
    assert shown.columns.tolist() == ["Fisher–Rao norm"]


@pytest.mark.parametrize("draw", [over_epochs, over_loss])
@pytest.mark.parametrize("values", [{0: [1.0, 2.0]}, {0: [np.nan] * 2, 3: [np.nan] * 2}])
def test_where_nothing_has_values_at_two_moments_a_figure_says_so(draw, values):
    table = snapshots(baseline=values)
    along, *_ = trajectory_tables(table, *finals(table, epochs=3), CONDITIONS)
    rows = read_again(along[along["moment"] != "final"])
    figure = draw(rows, CONDITIONS.assign(**SETTINGS), "digits", "vit")
    assert figure.get_label() == "nothing was measured at two moments of a training"


@pytest.mark.parametrize("value", [-2.0, 0.0, 3.0, np.nan])
def test_the_figure_of_the_edge_takes_curvature_of_any_sign(value):
    measured = {TOP: value, "stability_threshold": 20.0}
    found = {
        name: document("baseline", 0, dict.fromkeys((0, 3), one), name, "edge_of_stability")
        for name, one in measured.items()
    }
    table = read_again(snapshot_table(found))
    _, summary, _ = trajectory_tables(table, *finals(table, epochs=3), CONDITIONS)
    [axes] = edge_of_stability(read_again(summary), "digits", "vit").axes
    low, high = axes.get_ylim()
    assert low < high
    assert np.isnan(value) or low <= value <= high


TOP = "hessian_top_eigenvalue"


def of_families(**moments):
    """Families that all measure one quantity, at these moments of one run."""
    values = {
        family: dict.fromkeys(own, float(i)) for i, (family, own) in enumerate(moments.items())
    }
    found = {family: document("baseline", 0, own, TOP, family) for family, own in values.items()}
    table = read_again(snapshot_table(found))
    along, *_ = trajectory_tables(table, *finals(table, epochs=3), CONDITIONS)
    return along


@pytest.mark.parametrize("hessian", [[3], [0, 3]])
def test_a_line_along_a_training_is_of_one_family_that_of_the_edge_where_it_has_all(hessian):
    along = of_families(hessian=hessian, edge_of_stability=[0, 3])
    assert along["family"].tolist() == ["edge_of_stability"] * 2
    assert along["value"].tolist() == [1.0, 1.0]
    [edge, _] = text(parting(baseline={0: [1.0]}), along)
    assert edge.loc["baseline", "Largest eigenvalue"] == "1.00"


def test_a_line_is_of_the_family_with_the_most_moments():
    assert of_families(hessian=[0, 1, 3], edge_of_stability=[0])["family"].unique() == ["hessian"]


def test_readers_see_how_near_to_the_edge_trainings_end():
    found = {
        f"{name}{seed}": document(
            "baseline", seed, {0: 1.0, 3: value + seed}, name, "edge_of_stability"
        )
        for name, value in {"hessian_top_eigenvalue": 19.0, "stability_threshold": 20.0}.items()
        for seed in (0, 1)
    }
    table = read_again(snapshot_table(found))
    along, _, partings = trajectory_tables(table, *finals(table, epochs=3), CONDITIONS)
    edge, nothing = text(read_again(partings), read_again(along))
    assert edge.loc["baseline", "Largest eigenvalue"] == "19.50 ± 0.50"
    assert edge.loc["baseline", "Threshold"] == "20.50 ± 0.50"
    assert edge.loc["baseline", "Epoch"] == "3"
    assert nothing.startswith("Where conditions part is not known")


@pytest.mark.parametrize("trained", [True, False])
def test_readers_see_that_networks_without_training_count_at_the_edge(trained):
    ratio = document("baseline", 0, {4: 1.5}, "edge_ratio", "edge_of_stability")
    table = read_again(snapshot_table({"a": ratio}))
    along, _, partings = trajectory_tables(table, *finals(table, trained=trained), CONDITIONS)
    edge, parted = text(partings, along)
    said = "Networks that did not train count here, too." in edge.attrs["caption"]
    assert said is not trained
    assert "two seeds or more whose networks trained" in parted
