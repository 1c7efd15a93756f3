"""How much models differ in their predictions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon

from minimascope.evaluation.disagreement import jensen_shannon_divergence, l2_distance
from minimascope.evaluation.metrics import probabilities

two_models = st.tuples(st.integers(1, 8), st.integers(2, 5)).flatmap(
    lambda shape: st.tuples(
        *[arrays(np.float64, shape, elements=st.floats(-1000, 1000)) for _ in range(2)]
    )
)


def predicted(seed: int, n: int = 50, classes: int = 6) -> np.ndarray:
    return probabilities(2 * np.random.default_rng(seed).normal(size=(n, classes)))


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
