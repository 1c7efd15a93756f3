"""Means and errors over seeds and over pairs of models, and the values behind them."""

import math
import statistics
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from table_frames import NO_PAIRS, measure_rows, pair_rows

from minimascope.analysis.summary import (
    mean_over_pairs,
    pair_matrix,
    pseudo_values,
    seed_values,
    summarise,
)
from minimascope.errors import InputError

VALUES = {
    ("sam", "test_accuracy"): [0.71, 0.735, 0.722],
    ("sam", "sam_sharpness"): [3.1e-5, 2.9e-5, 3.3e-5],
    ("baseline", "test_accuracy"): [0.69, 0.7, 0.705],
}


def row_of(summary, condition, measure):
    [row] = summary.query(f"condition == '{condition}' and measure == '{measure}'").to_dict(
        "records"
    )
    return row


def drawn_matrix(models):
    matrix = np.random.default_rng(models).random((models, models))
    return matrix + matrix.T


@pytest.mark.parametrize(("condition", "measure"), VALUES)
def test_a_summary_has_the_mean_and_the_sample_standard_error(condition, measure):
    numbers = VALUES[condition, measure]
    row = row_of(summarise(measure_rows(VALUES, unit="nats"), NO_PAIRS), condition, measure)
    assert row["mean"] == pytest.approx(statistics.fmean(numbers), rel=1e-12)
    assert row["sem"] == pytest.approx(statistics.stdev(numbers) / math.sqrt(3), rel=1e-12)
    assert (row["n_seeds"], row["unit"], row["protocol"]) == (3, "nats", "corrected")


def test_a_single_seed_has_no_standard_error():
    summary = summarise(measure_rows({("baseline", "test_ece"): [0.1]}), NO_PAIRS)
    assert summary[["mean", "n_seeds"]].to_numpy().tolist() == [[0.1, 1]]
    assert summary["sem"].isna().all()


def test_the_floor_of_a_mean_is_the_larger_of_error_and_floor_averaged_over_seeds():
    rows = measure_rows(VALUES, standard_error=0.1, noise_floor=[*[0.01] * 3, *[4, 4, 1], *[0] * 3])
    floors = summarise(rows, NO_PAIRS)["noise_floor"]
    assert floors.tolist() == pytest.approx([0.1, 3.0, 0.1])


def test_a_summary_keeps_protocols_and_networks_apart():
    corrected = measure_rows(VALUES)
    published = corrected.assign(protocol="published", value=corrected["value"] + 1)
    summary = summarise(
        pd.concat([corrected, published, measure_rows(VALUES, network="n")]), NO_PAIRS
    )
    assert len(summary) == 3 * len(VALUES)
    assert set(summary["n_seeds"]) == {3}


def test_a_value_collected_twice_is_refused():
    frame = measure_rows(VALUES)
    with pytest.raises(InputError, match=r"two values of test_accuracy for seed 1 of sam; .*once$"):
        summarise(pd.concat([frame, frame.iloc[[1]]]), NO_PAIRS)


def test_measures_of_pairs_are_over_the_pairs_of_one_condition():
    pairs = {(0, 1): 0.10, (0, 2): 0.14, (0, 3): 0.12, (1, 2): 0.20, (1, 3): 0.16, (2, 3): 0.11}
    between = pair_rows(pairs).assign(condition_b="sam", prediction_disagreement=1.0)
    own = [pair_rows(pairs, condition) for condition in ("sam", "baseline")]
    frame = pd.concat([*own, between]).assign(view="augmented")
    summary = summarise(measure_rows(VALUES), frame)
    row = row_of(summary, "baseline", "prediction_disagreement")
    assert row["mean"] == pytest.approx(statistics.fmean(pairs.values()), rel=1e-12)
    assert (row["n_seeds"], row["unit"], row["view"]) == (4, "fraction", "augmented")
    assert row_of(summary, "baseline", "l2_distance")["mean"] == pytest.approx(3 * row["mean"])
    of_pairs = summary[summary["measure"] == "l2_distance"]
    assert of_pairs["condition"].tolist() == ["sam", "baseline"]
    assert of_pairs["converged"].all()
    # The values of the seeds have the same mean and error.
    values = seed_values(measure_rows(VALUES), frame)
    rows = values.query("condition == 'baseline' and measure == 'prediction_disagreement'")
    assert (rows["value"].mean(), rows["value"].sem()) == pytest.approx((row["mean"], row["sem"]))


@pytest.mark.parametrize("models", [3, 4, 10])
def test_the_error_over_pairs_is_that_of_an_explicit_leave_one_out_loop(models):
    matrix = drawn_matrix(models)
    np.fill_diagonal(matrix, np.nan)
    pairs = list(combinations(range(models), 2))
    without = [np.mean([matrix[pair] for pair in pairs if i not in pair]) for i in range(models)]
    mean, error = mean_over_pairs(matrix)
    assert mean == pytest.approx(np.mean([matrix[pair] for pair in pairs]), rel=1e-13)
    assert error == pytest.approx(math.sqrt((models - 1) * np.var(without)), rel=1e-10)
    values = pseudo_values(matrix)
    assert (values.mean(), stats.sem(values)) == pytest.approx((mean, error))


def test_the_error_is_twice_that_of_a_mean_where_pairs_are_sums_of_their_models():
    values = np.random.default_rng(6).normal(size=8)
    mean, error = mean_over_pairs(values[:, None] + values[None, :])
    assert mean == pytest.approx(2 * values.mean())
    assert error == pytest.approx(2 * values.std(ddof=1) / math.sqrt(8))


def test_two_models_have_a_mean_alone_and_a_missing_pair_makes_all_nan():
    two = np.array([[0, 0.25], [0.25, 0]])
    mean, error = mean_over_pairs(two)
    assert (mean, math.isnan(error)) == (0.25, True)
    assert np.isnan(pseudo_values(two)).all()
    matrix = drawn_matrix(4)
    matrix[1, 2] = matrix[2, 1] = np.nan
    assert np.isnan(mean_over_pairs(matrix)).all()


def test_a_pair_matrix_is_symmetric_and_ordered_by_condition_then_seed():
    models = [("b", 10), ("b", 2), ("a", 2), ("a", 10)]
    rows = [(*x, *y, i) for i, (x, y) in enumerate(combinations(models, 2))]
    columns = ["condition_a", "seed_a", "condition_b", "seed_b", "prediction_disagreement"]
    matrix = pair_matrix(pd.DataFrame(rows, columns=columns), "prediction_disagreement")
    assert list(matrix.index) == list(matrix.columns) == [("b", 2), ("b", 10), ("a", 2), ("a", 10)]
    for condition_a, seed_a, condition_b, seed_b, value in rows:
        first, second = (condition_a, seed_a), (condition_b, seed_b)
        assert matrix.loc[first, second] == matrix.loc[second, first] == value
    assert np.isnan(np.diag(matrix)).all()
