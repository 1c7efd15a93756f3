"""Whether predictions beat guessing, and which order of classes they fit."""

from itertools import permutations

import numpy as np
import pytest

from minimascope.evaluation.class_order import ClassOrder, class_order, doubt

CLASSES, N = 5, 1000


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noisy(labels: np.ndarray, share: float, seed: int = 1) -> np.ndarray:
    """Return labels of which a share is replaced by random ones."""
    generator = draws(seed)
    random = generator.integers(CLASSES, size=len(labels))
    return np.where(generator.random(len(labels)) < share, random, labels)


@pytest.fixture
def labels() -> np.ndarray:
    return draws().integers(CLASSES, size=N)


def test_accuracy_and_guessing_are_counted(labels):
    predicted = noisy(labels, 0.3)
    found = class_order(predicted, labels, CLASSES)
    assert found.accuracy == np.mean(predicted == labels)
    assert found.guessing == max(np.mean(labels == label) for label in range(CLASSES))
    assert found.n == N
    assert not found.is_guessing
    assert found.best == ()
    assert np.isnan(found.best_accuracy)


@pytest.mark.parametrize("share", [0, 0.5])
def test_another_order_of_classes_is_found(labels, share):
    order = np.array([2, 0, 1, 4, 3])  # output j stands for class order[j]
    outputs = np.argsort(order)[noisy(labels, share)]
    found = class_order(outputs, labels, CLASSES)
    assert found.best == tuple(order)
    assert found.best_accuracy == pytest.approx(1 - share * 4 / 5, abs=0.04)
    assert found.accuracy < 0.25


def test_the_order_is_the_best_of_all(labels):
    outputs = np.array([1, 2, 0, 4, 3])[noisy(labels, 0.6)]
    right = {
        order: np.sum(np.array(order)[outputs] == labels) for order in permutations(range(CLASSES))
    }
    assert class_order(outputs, labels, CLASSES).best == max(right, key=right.get)


def test_two_exchanged_classes_of_a_good_network_are_found(labels):
    outputs = np.array([0, 1, 2, 4, 3])[noisy(labels, 0.1)]
    found = class_order(outputs, labels, CLASSES)
    assert found.best == (0, 1, 2, 4, 3)
    assert not found.is_guessing


@pytest.mark.parametrize("seed", range(20))
def test_predictions_that_ignore_inputs_are_guessing_in_every_order(labels, seed):
    weights = draws(seed).dirichlet(np.ones(CLASSES))
    predicted = draws(100 + seed).choice(CLASSES, size=N, p=weights)
    found = class_order(predicted, labels, CLASSES)
    assert found.is_guessing
    assert found.best == ()


def test_one_class_for_all_is_guessing_however_frequent_another_is():
    labels = np.repeat([0, 1], [900, 100])[draws().permutation(1000)]
    for predicted in (0, 1):
        found = class_order(np.full(1000, predicted), labels, 2)
        assert found.is_guessing
        assert found.best == ()


def test_outputs_that_predict_nothing_keep_their_class(labels):
    labels = labels % 3
    found = class_order(np.array([1, 0, 2])[labels], labels, CLASSES)
    assert found.best == (1, 0, 2, 3, 4)


def test_a_loss_above_that_of_guessing_is_doubted_where_few_classes_are_right():
    fit = ClassOrder(0.4, 300, 0.1, loss=2.47, guessing_loss=2.3)
    told = doubt(fit, "", "classes", "normalize")
    assert "the loss of 2.47 nats is above that of guessing (2.3)" in told
    assert "another normalisation (normalize)" in told
    for accuracy, loss in ((0.4, 2.2), (0.6, 2.47)):
        fine = ClassOrder(accuracy, 300, 0.1, loss=loss, guessing_loss=2.3)
        assert doubt(fine, "", "classes", "normalize") == ""
