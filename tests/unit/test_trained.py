"""Which networks count as trained, whatever the number of classes, and what readers see of it."""

import math

import numpy as np
import pandas as pd
import pytest
from study_cases import study
from table_frames import NO_PAIRS, measure_rows, pair_rows, read_again

from minimascope.analysis.render import latex, markdown
from minimascope.analysis.summary import seed_values, summarise
from minimascope.analysis.tables import main_table, sharpness_table
from minimascope.analysis.trained import text, trained_table, with_trained

DEFAULT = study().config["analysis"]["trained"]
OFF = dict.fromkeys(DEFAULT)


TEN = math.log(10)


def ending(accuracy, loss, gradient=0.0, entropy=TEN, length=1.0):
    """The measures of how one training ended."""
    return {
        "train_accuracy": accuracy,
        "train_loss": loss,
        "train_gradient_norm": gradient,
        "train_label_entropy": entropy,
        "squared_weight_norm": length**2,
    }


def endings(**conditions):
    """Rows of measures of conditions, each with how its trainings ended, seed by seed."""
    values = {
        (condition, measure): [end[measure] for end in ends]
        for condition, ends in conditions.items()
        for measure in ends[0]
    }
    return measure_rows(values).drop(columns="trained").assign(family="forward", unit="nats")


def judged(*ends, **thresholds):
    frame = endings(baseline=ends)
    return trained_table(frame, thresholds=DEFAULT | thresholds)["trained"].tolist()


def guess(shares):
    """A network that gives every input the shares of the classes in the training data."""
    entropy = -sum(share * math.log(share) for share in shares)
    return ending(max(shares), entropy, entropy=entropy)


@pytest.mark.parametrize("classes", [2, 3, 10, 200])
def test_a_network_at_chance_did_not_train_and_one_that_fits_did(classes):
    shares = [1 / classes] * classes
    entropy = math.log(classes)
    # Near chance, too: by luck some more are right, and the loss is a little lower.
    near = ending(1.1 / classes, 0.97 * entropy, entropy=entropy)
    fits = ending(0.98, 0.05, entropy=entropy)
    augmented = ending(0.7, 0.3 * entropy, entropy=entropy)
    assert judged(guess(shares), near, fits, augmented) == [False, False, True, True]


def test_always_the_most_frequent_class_is_not_trained_however_often_it_is_right():
    assert judged(guess([0.95, 0.05])) == [False]


def test_a_gradient_condemns_where_one_percent_of_the_weights_undoes_what_was_learnt():
    length = 30
    limit = TEN / (0.01 * length)
    flat, steep = (ending(0.9, 0.4, factor * limit, length=length) for factor in (0.99, 1.01))
    assert judged(flat, steep) == [True, False]
    assert judged(steep, gradient_norm=None) == [True]


def test_the_judgement_stays_where_parameters_or_losses_are_scaled():
    def change(scale, nats):
        # Gradients shrink as parameters grow.
        end = ending(0.9, 0.4 * nats, 3 * nats / scale, nats * TEN, 20 * scale)
        frame = endings(baseline=[end])
        return trained_table(frame, thresholds=DEFAULT)[["loss_share", "gradient_share"]]

    for scaled in (change(1000, 1), change(1, 0.01)):
        pd.testing.assert_frame_equal(scaled, change(1, 1))


def test_values_that_are_missing_or_infinite_keep_no_threshold():
    assert judged(ending(0.9, math.nan), ending(0.9, math.inf), ending(0.9, 0.1, math.nan)) == (
        [False] * 3
    )


def test_thresholds_are_those_of_the_study_and_named_where_they_are_missed():
    frame = endings(baseline=[ending(0.9, 0.5), ending(0.3, 2.2, 999), ending(0.6, 0.1)])
    found = trained_table(frame, thresholds=DEFAULT | {"train_accuracy": 0.7})
    assert found["trained"].tolist() == [True, False, False]
    every = "train_accuracy, train_loss, gradient_norm"
    assert found["failed"].tolist() == ["", every, "train_accuracy"]
    assert trained_table(frame, thresholds=OFF)["trained"].all()


def test_every_row_of_a_network_is_marked_but_not_its_initial_weights():
    ends = {"baseline": [ending(0.9, 0.1)], "slow": [ending(0.1, 2.3)]}
    frame = endings(**ends, initial=[ending(0.1, 2.3)])
    frame = pd.concat([frame, measure_rows({("slow", "test_accuracy"): [0.1]})])
    found = with_trained(frame, DEFAULT).groupby("condition")["trained"].agg(["min", "max"])
    assert found.T.to_dict("list") == {
        "baseline": [True] * 2,
        "slow": [False] * 2,
        "initial": [True] * 2,
    }


def test_the_view_is_that_of_the_tables():
    clean, augmented = (endings(baseline=[end]) for end in (ending(0.9, 0.1), ending(0.2, 2.2)))
    both = pd.concat([augmented.assign(view="augmented"), clean])
    assert trained_table(both, thresholds=DEFAULT)["trained"].tolist() == [True]
    alone = both[both["view"] == "augmented"]
    assert trained_table(alone, thresholds=DEFAULT)["trained"].tolist() == [False]


def test_without_the_family_forward_nothing_is_judged_and_a_line_says_so():
    frame = measure_rows({("baseline", "sam_sharpness"): [0.1, 0.2]}).drop(columns="trained")
    assert with_trained(frame, DEFAULT)["trained"].tolist() == [True, True]
    [line] = text(read_again(trained_table(frame, thresholds=DEFAULT)))
    assert "not judged" in line
    assert "sharpness.forward" in line


def test_a_line_says_that_all_trained_and_that_nothing_was_asked():
    frame = endings(a=[ending(0.9, 0.1, 2), ending(0.8, 0.23, 1)], b=[ending(1, 0.01, 0.5)])
    [line] = text(read_again(trained_table(frame, thresholds=DEFAULT)))
    assert line == (
        "All 3 networks trained: training accuracy at least 0.800, training loss at most 0.230"
        " nats (0.0999 of the loss of guessing), gradient norm at most 2.00 nats per unit."
    )
    [line] = text(read_again(trained_table(frame, thresholds=OFF)))
    assert "no threshold" in line


def test_a_table_shows_who_did_not_train_how_it_ended_and_what_was_asked():
    frame = endings(
        good=[ending(0.9, 0.1), ending(0.8, 0.2)],
        slow=[ending(0.9, 0.1), ending(0.3, 2.0), ending(0.1, 2.25, 0.5)],
    )
    thresholds = DEFAULT | {"gradient_norm": None}
    [table] = text(read_again(trained_table(frame, thresholds=thresholds)))
    assert table.loc["slow", "Seeds"] == "2 of 3"
    assert table.loc["slow", "Training accuracy"] == "0.100–0.300"
    assert table.loc["slow", "Training loss (nats)"] == "2.00–2.25"
    assert table.loc["slow", "Missed"] == "train_accuracy, train_loss"
    caption = table.attrs["caption"]
    assert caption.startswith("Networks that did not train: 2 of 5.")
    assert "accuracy of at least 0.5" in caption
    assert "at most 0.75 of the loss of guessing" in caption
    assert "gradient along" not in caption
    [table] = text(read_again(trained_table(frame, thresholds=DEFAULT | {"gradient_norm": 1e-9})))
    assert "to first order, by at most 1 × 10⁻⁹ of the loss" in table.attrs["caption"]


def test_networks_of_squared_errors_are_judged_by_the_impurity_of_their_labels():
    frame = endings(a=[ending(0.9, 0.1), ending(0.2, 0.44)]).replace(
        {"measure": {"train_label_entropy": "train_label_impurity"}, "unit": {"nats": "squares"}}
    )
    frame.loc[frame["measure"] == "train_label_impurity", "value"] = 0.45
    both = pd.concat([frame, endings(b=[ending(0.9, 0.1)])])
    found = trained_table(both, thresholds=DEFAULT | {"train_accuracy": None})
    assert found["trained"].tolist() == [True, False, True]
    assert found["loss_share"].tolist() == pytest.approx([0.1 / 0.45, 0.44 / 0.45, 0.1 / TEN])
    squares, nats = text(read_again(found))
    assert squares.loc["a", "Training loss (squares)"] == "0.440"
    assert "at most 0.100 nats (0.0434 of the loss of guessing)" in nats


def three_conditions():
    """Measures of a condition that trained, of one that did not, and of one that did in part."""
    values = {
        ("good", "test_accuracy"): [0.7, 0.7],
        ("bad", "test_accuracy"): [0.9, 0.9],
        ("mixed", "test_accuracy"): [0.8, 0.8],
        ("good", "sam_sharpness"): [0.1, 0.1],
        ("bad", "sam_sharpness"): [5.0, 5.0],
        ("mixed", "sam_sharpness"): [0.01, 0.01],
        ("plain", "sam_sharpness"): [0.02, 0.02],
    }
    rows = measure_rows(values)
    failing = (rows["condition"] == "bad") | ((rows["condition"] == "mixed") & (rows["seed"] == 1))
    return rows.assign(trained=~failing)


def test_tables_mark_what_did_not_train_and_choose_the_best_among_the_others():
    summary = summarise(three_conditions(), pair_rows({(0, 1): 0.2}, "mixed"))
    counts = summary.set_index(["condition", "measure"])["n_untrained"]
    assert counts["bad", "sam_sharpness"] == 2
    assert counts["mixed", "prediction_disagreement"] == 1
    assert counts["good", "test_accuracy"] == 0
    for table in (main_table(summary), sharpness_table(summary)):
        cells = table["SAM-sharpness"]
        assert [name for name, cell in cells.items() if "**" in cell] == ["good"]
        assert [name for name, cell in cells.items() if "§" in cell] == ["bad", "mixed"]
        caption = table.attrs["caption"]
        assert "§: the network did not train (bad in 2 of 2 seeds, mixed in 1 of 2 seeds" in caption
        assert r"\S{}" in latex([table])
    trained = three_conditions().query("condition == 'good'")
    assert "§" not in markdown([main_table(summarise(trained, NO_PAIRS))])


def test_values_of_seeds_say_which_network_trained_those_of_pairs_too():
    values = seed_values(three_conditions(), pair_rows({(0, 1): 0.2}, "mixed"))
    of = values.set_index(["condition", "measure"])["trained"].sort_index()
    assert of["mixed", "prediction_disagreement"].tolist() == [True, False]
    assert of["mixed", "sam_sharpness"].tolist() == [True, False]
    assert not of["bad"].any()
    assert of["good"].all()
    assert values["trained"].dtype == np.dtype(bool)
