"""How much models differ in their predictions, and means over pairs of models."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon

from minimascope.analysis.pairs import mean_over_pairs
from minimascope.errors import InputError
from minimascope.evaluation.disagreement import jensen_shannon_divergence, l2_distance
from minimascope.evaluation.metrics import probabilities

two_models = st.tuples(st.integers(1, 8), st.integers(2, 5)).flatmap(
    lambda shape: st.tuples(
        *[arrays(np.float64, shape, elements=st.floats(-1000, 1000)) for _ in range(2)]
    )
)


def predicted(seed: int, n: int = 50, classes: int = 6) -> np.ndarray:
    return probabilities(2 * np.random.default_rng(seed).normal(size=(n, classes)))


def pair_matrix(models: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(0.1, 0.3, size=(models, models))
    return (values + values.T) / 2


def mean_by_loop(matrix: np.ndarray, models: list[int]) -> float:
    values = [matrix[i, j] for i, j in itertools.combinations(models, 2)]
    return math.fsum(values) / len(values)


def jackknife_by_loop(matrix: np.ndarray) -> float:
    m = len(matrix)
    without = [mean_by_loop(matrix, [j for j in range(m) if j != i]) for i in range(m)]
    centre = sum(without) / m
    return math.sqrt((m - 1) / m * sum((value - centre) ** 2 for value in without))


def test_divergence_is_that_of_scipy():
    first, second = predicted(0), predicted(1)
    expected = (jensenshannon(first, second, axis=1) ** 2).mean()
    assert jensen_shannon_divergence(first, second) == pytest.approx(expected, rel=1e-12)


def test_divergence_of_certain_and_contrary_models_is_ln_2():
    first, second = probabilities([[2000.0, 0.0]]), probabilities([[0.0, 2000.0]])
    assert jensen_shannon_divergence(first, second) == pytest.approx(math.log(2), rel=1e-15)


def test_divergence_survives_the_smallest_of_all_probabilities():
    # e^-745 is the smallest positive float; half of it is zero.
    first, second = probabilities([[0.0, -745.0]]), probabilities([[0.0, -2000.0]])
    assert jensen_shannon_divergence(first, second) < 1e-300


@given(two_models)
def test_divergence_and_distance_are_symmetric_bounded_and_zero_with_itself(models):
    first, second = map(probabilities, models)
    for measure, largest in ((jensen_shannon_divergence, math.log(2)), (l2_distance, math.sqrt(2))):
        assert measure(first, first) == 0
        assert 0 <= measure(first, second) <= largest + 1e-15
        assert measure(first, second) == pytest.approx(measure(second, first), abs=1e-15)


def test_divergence_of_almost_equal_models_is_never_negative():
    for seed in range(200):
        logits = np.random.default_rng(seed).normal(size=(1, 6))
        moved = logits + 1e-9 * np.random.default_rng(seed + 1000).normal(size=(1, 6))
        assert 0 <= jensen_shannon_divergence(probabilities(logits), probabilities(moved)) < 1e-15


def test_l2_distance_is_the_mean_length_of_the_difference_of_probabilities():
    first, second = predicted(2), predicted(3)
    lengths = [math.dist(p, q) for p, q in zip(first, second, strict=True)]
    assert l2_distance(first, second) == pytest.approx(sum(lengths) / len(lengths), rel=1e-12)


@pytest.mark.parametrize("models", [3, 4, 10])
def test_mean_and_error_over_pairs_are_those_of_an_explicit_leave_one_out_loop(models):
    matrix = pair_matrix(models)
    mean, error = mean_over_pairs(matrix)
    assert mean == pytest.approx(mean_by_loop(matrix, list(range(models))), rel=1e-13)
    assert error == pytest.approx(jackknife_by_loop(matrix), rel=1e-10)
    assert error > 0


def test_jackknife_error_is_twice_that_of_a_mean_when_pairs_are_sums_of_their_models():
    # With entries a_i + a_j the mean over pairs is twice the mean of a, a sample mean, for
    # which the jackknife is the usual standard error, whatever the number of models.
    values = np.random.default_rng(6).normal(size=8)
    matrix = values[:, None] + values[None, :]
    mean, error = mean_over_pairs(matrix)
    assert mean == pytest.approx(2 * values.mean())
    assert error == pytest.approx(2 * values.std(ddof=1) / math.sqrt(8))


def test_mean_over_pairs_ignores_the_diagonal():
    matrix = pair_matrix(5)
    other = matrix.copy()
    np.fill_diagonal(other, np.nan)
    assert mean_over_pairs(other) == mean_over_pairs(matrix)


def test_two_models_have_a_mean_and_no_error():
    mean, error = mean_over_pairs(np.array([[0, 0.25], [0.25, 0]]))
    assert mean == 0.25
    assert math.isnan(error)


def test_missing_pair_makes_mean_and_error_nan():
    matrix = pair_matrix(4)
    matrix[1, 2] = matrix[2, 1] = np.nan
    assert all(math.isnan(value) for value in mean_over_pairs(matrix))


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((1, 1)), "at least two"),
        (np.zeros((0, 0)), "at least two"),
        (np.zeros((2, 3)), "shape"),
        (np.zeros(4), "shape"),
        (np.array([[0, 1], [2, 0]]), "not symmetric"),
    ],
)
def test_matrices_that_are_not_of_pairs_are_refused(matrix, message):
    with pytest.raises(InputError, match=message):
        mean_over_pairs(matrix)
