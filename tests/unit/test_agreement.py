import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax

from minimascope.errors import InputError
from minimascope.evaluation.disagreement import (
    jensen_shannon_divergence,
    l2_distance,
    prediction_disagreement,
)

two_models = st.tuples(st.integers(1, 8), st.integers(2, 5)).flatmap(
    lambda shape: st.tuples(
        *[arrays(np.float64, shape, elements=st.floats(-1000, 1000)) for _ in range(2)]
    )
)
two_predictions = st.integers(1, 30).flatmap(
    lambda n: st.tuples(*[arrays(np.int64, n, elements=st.integers(0, 4)) for _ in range(2)])
)


def logits(seed: int, n: int = 50, classes: int = 6) -> np.ndarray:
    return 2 * np.random.default_rng(seed).normal(size=(n, classes))


def test_disagreement_is_the_share_of_samples_with_different_labels():
    assert prediction_disagreement([0, 1, 2, 3], [0, 2, 2, 0]) == 0.5
    assert type(prediction_disagreement(np.array([1]), np.array([1]))) is float


@given(two_predictions)
def test_disagreement_is_symmetric_and_none_with_itself(labels):
    first, second = labels
    assert prediction_disagreement(first, first) == 0
    disagreement = prediction_disagreement(first, second)
    assert disagreement == prediction_disagreement(second, first)
    assert disagreement == sum(a != b for a, b in zip(*labels, strict=True)) / len(first)


@pytest.mark.parametrize(
    ("first", "second"),
    [([0, 1], [0, 1, 2]), ([], []), ([[0, 1]], [[0, 1]]), ([0.2, 0.8], [0.1, 0.9])],
)
def test_predictions_that_are_no_rows_of_labels_are_refused(first, second):
    with pytest.raises(InputError, match="labels_"):
        prediction_disagreement(first, second)


def test_divergence_is_that_of_scipy():
    first, second = logits(0), logits(1)
    distances = jensenshannon(softmax(first, axis=1), softmax(second, axis=1), axis=1)
    expected = (distances**2).mean()
    assert jensen_shannon_divergence(first, second) == pytest.approx(expected, rel=1e-12)


def test_divergence_of_certain_and_contrary_models_is_ln_2():
    first, second = [[2000.0, 0.0]], [[0.0, 2000.0]]
    assert jensen_shannon_divergence(first, second) == pytest.approx(math.log(2), rel=1e-15)


def test_divergence_survives_the_smallest_of_all_probabilities():
    # e^-745 is the smallest positive float; half of it is zero.
    assert jensen_shannon_divergence([[0.0, -745.0]], [[0.0, -2000.0]]) < 1e-300


@given(two_models)
def test_divergence_is_symmetric_bounded_by_ln_2_and_zero_with_itself(models):
    first, second = models
    assert jensen_shannon_divergence(first, first) == 0
    divergence = jensen_shannon_divergence(first, second)
    assert 0 <= divergence <= math.log(2)
    assert divergence == pytest.approx(jensen_shannon_divergence(second, first), abs=1e-15)


def test_divergence_of_almost_equal_models_is_never_negative():
    for seed in range(200):
        first = logits(seed, n=1)
        second = first + 1e-9 * logits(seed + 1000, n=1)
        assert 0 <= jensen_shannon_divergence(first, second) < 1e-15


def test_l2_distance_is_the_mean_length_of_the_difference_of_probabilities():
    first, second = logits(2), logits(3)
    lengths = [
        math.dist(p, q)
        for p, q in zip(softmax(first, axis=1), softmax(second, axis=1), strict=True)
    ]
    assert l2_distance(first, second) == pytest.approx(sum(lengths) / len(lengths), rel=1e-12)


@given(two_models)
def test_l2_distance_is_symmetric_bounded_and_zero_with_itself(models):
    first, second = models
    assert l2_distance(first, first) == 0
    assert l2_distance(first, second) == l2_distance(second, first)
    assert 0 <= l2_distance(first, second) <= math.sqrt(2) + 1e-15


@pytest.mark.parametrize("measure", [jensen_shannon_divergence, l2_distance])
def test_a_constant_added_to_the_logits_of_a_sample_changes_nothing(measure):
    first, second = logits(4), logits(5)
    moved = first + np.arange(len(first))[:, None]
    assert measure(moved, second) == pytest.approx(measure(first, second), rel=1e-12)


@pytest.mark.parametrize("measure", [jensen_shannon_divergence, l2_distance])
def test_logits_of_other_shapes_are_refused(measure):
    with pytest.raises(InputError, match="same samples"):
        measure(np.zeros((2, 3)), np.zeros((3, 3)))
    with pytest.raises(InputError, match="logits_b: shape"):
        measure(np.zeros((2, 3)), np.zeros(3))
    with pytest.raises(InputError, match="logits_a: not finite"):
        measure([[0.0, math.inf]], [[0.0, 0.0]])
