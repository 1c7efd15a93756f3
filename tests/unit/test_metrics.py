import math
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss
from torchmetrics.functional.classification import multiclass_calibration_error

from minimascope.errors import InputError
from minimascope.evaluation.calibration import expected_calibration_error_published
from minimascope.evaluation.metrics import (
    SCORES,
    expected_calibration_error,
    probabilities,
    reliability_bins,
)

accuracy, negative_log_likelihood, brier_score = SCORES.values()
ece, published_ece, bins_of = (
    partial(function, bins=15)
    for function in (
        expected_calibration_error,
        expected_calibration_error_published,
        reliability_bins,
    )
)
METRICS = [*SCORES.values(), ece, published_ece, bins_of]
# The softmax of the logarithms of probabilities is these; e^-200 is zero beside 1 in any precision.
SATURATED = np.array([[0, -200, -200], np.log([0.95, 0.03, 0.02])])
SATURATED_LABELS = np.array([1, 0])


def example(n: int = 200, classes: int = 7, scale: float = 3, seed: int = 0):
    generator = np.random.default_rng(seed)
    return scale * generator.normal(size=(n, classes)), generator.integers(classes, size=n)


def softmax_by_loop(row: np.ndarray) -> list[float]:
    largest = max(row)
    exponentials = [math.exp(z - largest) for z in row]
    return [e / math.fsum(exponentials) for e in exponentials]


def bins_by_loop(logits, labels, bins: int) -> list[list[tuple[float, bool]]]:
    """(confidence, right?) of the samples of each bin, found by comparing with its two edges."""
    members = [[] for _ in range(bins)]
    for row, label in zip(logits, labels, strict=True):
        forecast = softmax_by_loop(row)
        confidence = max(forecast)
        for b in range(bins):
            is_last = b == bins - 1
            if b / bins <= confidence and (is_last or confidence < (b + 1) / bins):
                members[b].append((confidence, forecast.index(confidence) == label))
    return members


def ece_by_loop(logits, labels, bins: int) -> float:
    error = 0.0
    for members in bins_by_loop(logits, labels, bins):
        if members:
            confidence = math.fsum(c for c, _ in members) / len(members)
            share = sum(right for _, right in members) / len(members)
            error += len(members) / len(labels) * abs(share - confidence)
    return error


def test_probabilities_of_large_logits_do_not_overflow():
    logits = np.array([[1e4, 1e4, -1e4], [1e300, 0, 0]])
    np.testing.assert_array_equal(probabilities(logits), [[0.5, 0.5, 0], [1, 0, 0]])


def test_probabilities_are_computed_in_float64_from_any_precision():
    logits, _ = example()
    for dtype in (np.float16, np.float32):
        rounded = logits.astype(dtype)
        expected = [softmax_by_loop(row) for row in rounded.astype(np.float64)]
        np.testing.assert_allclose(probabilities(rounded), expected, rtol=1e-13)


def test_accuracy_is_that_of_sklearn():
    logits, labels = example()
    assert accuracy(logits, labels) == accuracy_score(labels, logits.argmax(1))


def test_accuracy_takes_the_first_of_equal_logits():
    assert accuracy([[1.0, 1.0], [1.0, 1.0]], [0, 1]) == 0.5


def test_negative_log_likelihood_is_the_log_loss_of_sklearn():
    logits, labels = example()
    expected = log_loss(labels, probabilities(logits), labels=range(7))
    assert negative_log_likelihood(logits, labels) == pytest.approx(expected, rel=1e-12)


def test_negative_log_likelihood_is_exact_where_the_probability_underflows():
    assert negative_log_likelihood([[0.0, 5000.0]], [0]) == 5000
    assert negative_log_likelihood([[50.0, 0.0]], [0]) == pytest.approx(math.exp(-50), rel=1e-12)


def test_brier_score_is_that_of_sklearn():
    logits, labels = example()
    expected = brier_score_loss(labels, probabilities(logits), labels=range(7), scale_by_half=False)
    assert brier_score(logits, labels) == pytest.approx(expected, rel=1e-12)


def test_brier_score_sums_over_classes_and_averages_over_samples():
    certain = [[1000.0, 0.0], [1000.0, 0.0]]
    assert brier_score(certain, [1, 1]) == 2
    assert brier_score(certain, [0, 1]) == 1
    assert brier_score([[0.0, 0.0, 0.0, 0.0]], [2]) == pytest.approx(0.75)


@pytest.mark.parametrize("bins", [1, 4, 15])
@pytest.mark.parametrize("scale", [0.3, 3, 30])
def test_ece_is_that_of_a_plain_loop_over_bins_and_samples(scale, bins):
    logits, labels = example(scale=scale)
    expected = ece_by_loop(logits, labels, bins)
    assert expected_calibration_error(logits, labels, bins) == pytest.approx(expected, abs=1e-13)


def test_the_two_eces_differ_where_the_confidence_is_exactly_one():
    rounded = torch.from_numpy(SATURATED.astype(np.float32)).softmax(1)
    assert rounded[0].tolist() == [1, 0, 0]
    np.testing.assert_allclose(rounded[1], [0.95, 0.03, 0.02], rtol=1e-6)

    published = published_ece(SATURATED, SATURATED_LABELS)
    assert published == pytest.approx((1 - 0) / 2 + (1 - 0.95) / 2, rel=1e-6)  # two bins: 0.525
    definition = ece(SATURATED, SATURATED_LABELS)
    assert definition == pytest.approx((1 + 0.95) / 2 - 1 / 2, rel=1e-12)  # one bin: 0.475


# With a scale of 300 most confidences are exactly 1 in float32.
@pytest.mark.parametrize("bins", [1, 4, 15])
@pytest.mark.parametrize("scale", [0.3, 3, 300])
def test_the_published_ece_is_that_of_torchmetrics(scale, bins):
    logits, labels = example(scale=scale)
    rounded = torch.from_numpy(logits.astype(np.float32)).softmax(1)
    assert (scale == 300) == (rounded.max() == 1)
    expected = multiclass_calibration_error(rounded, torch.from_numpy(labels), 7, bins, "l1")
    found = expected_calibration_error_published(logits, labels, bins)
    assert found == pytest.approx(expected.item(), abs=1e-6)


def test_the_two_eces_agree_where_no_confidence_is_one():
    logits, labels = example(n=2000)
    assert probabilities(logits).max() < 1 - 1e-6
    assert published_ece(logits, labels) == pytest.approx(ece(logits, labels), abs=1e-6)


def test_ece_puts_confidence_one_in_the_last_bin():
    table = bins_of(SATURATED, SATURATED_LABELS)
    assert table["count"].tolist() == [0] * 14 + [2]


def test_ece_puts_a_confidence_on_an_edge_in_the_bin_above():
    thirds = np.zeros((1, 3))  # 1/3 is the lower edge of the sixth of fifteen bins
    halves = np.zeros((1, 2))
    assert bins_of(thirds, [0])["count"].nonzero()[0].tolist() == [5]
    assert reliability_bins(halves, [0], bins=2)["count"].tolist() == [0, 1]


@pytest.mark.parametrize("bins", [1, 6, 15])
def test_reliability_bins_are_those_of_a_plain_loop(bins):
    logits, labels = example(scale=1)
    table = reliability_bins(logits, labels, bins)
    expected = bins_by_loop(logits, labels, bins)
    assert list(table) == ["bin_lower", "bin_upper", "count", "confidence", "accuracy"]
    assert table["bin_lower"].tolist() == pytest.approx([b / bins for b in range(bins)])
    assert table["bin_upper"].tolist() == pytest.approx([(b + 1) / bins for b in range(bins)])
    assert table["count"].tolist() == [len(members) for members in expected]
    means = [np.mean(members, axis=0) if members else [np.nan, np.nan] for members in expected]
    found = np.stack([table["confidence"], table["accuracy"]], axis=1)
    np.testing.assert_allclose(found, means, rtol=1e-12)
    assert bins == 1 or np.isnan(found).any()


@pytest.mark.parametrize("metric", METRICS[:-1])
def test_metrics_are_plain_floats(metric):
    assert type(metric(*example(n=5))) is float


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.zeros(3), [0, 0, 0], "logits: shape"),
        (np.zeros((0, 3)), np.zeros(0, dtype=int), "logits: shape"),
        (np.zeros((2, 1)), [0, 0], "logits: shape"),
        ([[0.0, math.nan], [0.0, 1.0]], [0, 0], "not finite in 1 samples"),
        (np.zeros((2, 3)), [0, 1, 2], "labels: .* for 2 samples"),
        (np.zeros((2, 3)), [[0], [1]], "labels: .* of shape"),
        (np.zeros((2, 3)), [0.0, 1.0], "labels: float64"),
        (np.zeros((2, 3)), [0, 3], "labels: 0 to 3 with 3 classes"),
        (np.zeros((2, 3)), [-1, 0], "labels: -1 to 0"),
    ],
)
def test_logits_and_labels_that_do_not_fit_are_refused(metric, logits, labels, message):
    with pytest.raises(InputError, match=message):
        metric(logits, labels)


@pytest.mark.parametrize("metric", [ece, published_ece, bins_of])
@pytest.mark.parametrize("bins", [0, -1, 2.5])
def test_impossible_numbers_of_bins_are_refused(metric, bins):
    with pytest.raises(InputError, match="bins"):
        metric(*example(n=5), bins=bins)
