"""Temperature, risk and coverage, and what tells unseen classes: against counts by hand."""

from itertools import product

import numpy as np
import pytest
import torch
from refusals import refused
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from minimascope.data.other_kinds import SHIFTED, UNSEEN
from minimascope.evaluation.calibration import calibration_rows, risk_coverage_rows
from minimascope.evaluation.familiarity import FAMILIARITY, separation
from minimascope.evaluation.measures_of_unseen import METRICS, SCORE_NAMES
from minimascope.evaluation.metrics import log_confidence
from minimascope.evaluation.other_sets import measure_other_sets, shifted_rows, unseen_rows
from minimascope.evaluation.predictions import (
    Predicted,
    Predictions,
    load_predictions,
    save_predictions,
)
from minimascope.evaluation.selective import (
    area_under_risk_coverage,
    risk_coverage,
    selective_risks,
)
from minimascope.evaluation.temperature import cross_scaled, fitted_temperature, halves

RUN = {"dataset": "d", "network": "n", "condition": "c", "seed": "0"}


def drawn(samples: int, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return logits, and labels that are drawn with the probabilities that belong to them."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (samples, classes))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([random.choice(classes, p=share) for share in shares])
    return logits, labels


@pytest.mark.parametrize("factor", [0.3, 1.0, 5.0])
def test_logits_that_were_scaled_by_a_factor_have_that_temperature(factor):
    logits, labels = drawn(300)
    one = fitted_temperature(logits, labels)
    assert fitted_temperature(factor * logits, labels) == pytest.approx(factor * one, rel=1e-4)


def test_the_temperature_of_calibrated_logits_is_about_one():
    logits, labels = drawn(4000)
    assert fitted_temperature(logits, labels) == pytest.approx(1, abs=0.06)


def test_no_other_temperature_has_a_smaller_loss():
    logits, labels = drawn(200, seed=3)
    logits = 2.5 * logits

    def loss(temperature):
        shares = np.exp(logits / temperature)
        shares /= shares.sum(1, keepdims=True)
        return -np.mean([np.log(row[label]) for row, label in zip(shares, labels, strict=True)])

    best = fitted_temperature(logits, labels)
    assert loss(best) <= min(loss(other) for other in np.linspace(0.5, 6, 200)) + 1e-9


def test_each_half_is_scaled_by_the_temperature_of_the_other_one():
    logits, labels = drawn(400)
    first = halves(400)
    assert first.sum() == 200
    changed = np.where(first[:, None], 3 * logits, logits)
    scaled, plain = cross_scaled(changed, labels), cross_scaled(logits, labels)
    assert scaled.temperatures[0] == pytest.approx(3 * plain.temperatures[0], rel=1e-4)
    assert scaled.temperatures[1] == pytest.approx(plain.temperatures[1], rel=1e-4)
    for half, own in ((first, scaled.temperatures[1]), (~first, scaled.temperatures[0])):
        assert scaled.logits[half] == pytest.approx(changed[half] / own)
    assert scaled.temperature**2 == pytest.approx(np.prod(scaled.temperatures))
    assert scaled.converged


def test_a_network_that_is_never_wrong_has_no_best_temperature():
    scaled = cross_scaled(np.eye(4)[[0, 1, 2, 3] * 5], np.array([0, 1, 2, 3] * 5))
    assert not scaled.converged
    assert scaled.temperature == pytest.approx(0.01)
    wrong = cross_scaled(np.eye(4)[[0, 1, 2, 3] * 5], np.array([1, 2, 3, 0] * 5))
    assert (wrong.temperature, wrong.converged) == (pytest.approx(100), False)
    with refused("temperature", "test on more"):
        cross_scaled(np.eye(2)[:1], np.array([0]))


def test_risks_are_the_errors_among_the_surest_samples():
    # Surest first: right, wrong, right, wrong.
    logits = np.array([[1.0, 0], [4.0, 0], [0, 3.0], [2.0, 0]])
    labels = np.array([1, 0, 0, 0])
    assert selective_risks(logits, labels) == pytest.approx([0, 1 / 2, 1 / 3, 2 / 4])
    assert area_under_risk_coverage(logits, labels) == pytest.approx(
        (0 + 1 / 2 + 1 / 3 + 1 / 2) / 4
    )


def test_equal_confidence_counts_as_the_mean_over_all_orders():
    # One right and one wrong of equal confidence, then one that is right.
    logits = np.array([[2.0, 0], [0, 2.0], [1.0, 0]])
    labels = np.array([0, 0, 0])
    orders = [np.array([0, 1]), np.array([1, 0])]
    areas = [np.mean(np.cumsum([*order, 0]) / [1, 2, 3]) for order in orders]
    assert area_under_risk_coverage(logits, labels) == pytest.approx(np.mean(areas))


def test_a_curve_is_kept_at_shares_of_the_samples():
    logits, labels = drawn(30)
    curve = risk_coverage(logits, labels)
    assert [row["coverage"] for row in curve][-1] == 1
    wrong = logits.argmax(1) != labels
    order = np.argsort([-max(row - np.log(np.exp(row).sum())) for row in logits])
    for row in curve:
        answered = int(np.ceil(round(row["coverage"] * 30, 9)))
        assert row["risk"] == pytest.approx(wrong[order][:answered].mean())


def test_confidences_near_one_stay_apart():
    confidence = log_confidence([[60.0, 0], [80.0, 0], [0, 0]])
    assert confidence == pytest.approx([-np.exp(-60), -np.exp(-80), np.log(0.5)], rel=1e-9, abs=0)


def test_scores_are_those_of_their_formulas():
    logits = np.array([[1.0, 2.0, -1.0], [0.0, 0.0, 0.0]])
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = {
        "maximum_probability": np.log(shares.max(1)),
        "entropy": (shares * np.log(shares)).sum(1),
        "energy": np.log(np.exp(logits).sum(1)),
        "maximum_logit": logits.max(1),
    }
    assert {*FAMILIARITY} == {*expected} == {*SCORE_NAMES}
    for name, score in FAMILIARITY.items():
        assert score(logits) == pytest.approx(expected[name])


def test_separation_is_what_counting_pairs_and_thresholds_gives():
    random = np.random.default_rng(1)
    # Rounded, so that there are ties.
    known, unseen = random.normal(1, 1, 40).round(1), random.normal(0, 1, 30).round(1)
    found = separation(known, unseen)
    assert {*found} == {*METRICS}
    pairs = [(k > u) + 0.5 * (k == u) for k, u in product(known, unseen)]
    assert found["auroc"] == pytest.approx(np.mean(pairs))
    kept = [t for t in known if np.mean(known >= t) >= 0.95]
    assert found["fpr95"] == pytest.approx(np.mean(unseen >= max(kept)))
    both = torch.tensor([*known, *unseen]), torch.tensor([1] * 40 + [0] * 30)
    # torchmetrics squashes scores beyond [0, 1], which keeps their order.
    assert found["auroc"] == pytest.approx(binary_auroc(*both).item(), abs=1e-6)
    assert found["aupr"] == pytest.approx(binary_average_precision(*both).item(), abs=1e-6)


def test_known_samples_are_the_positive_ones():
    found = separation([2.0, 3.0], [0.0, 1.0])
    assert found == {"auroc": 1, "aupr": 1, "fpr95": 0}
    assert separation([0.0, 1.0], [2.0, 3.0])["auroc"] == 0


def predictions() -> Predictions:
    logits, labels = drawn(60)
    shifted = Predicted(*drawn(20, seed=5))
    some = shifted.labels < 2
    others = {
        f"{SHIFTED}/all": shifted,
        f"{SHIFTED}/some": Predicted(shifted.logits[some], shifted.labels[some]),
        f"{UNSEEN}/far": Predicted(0.1 * shifted.logits, np.full(20, -1)),
    }
    return Predictions(RUN, logits, labels, others=others)


def test_predictions_of_further_sets_are_kept(tmp_path):
    given = predictions()
    save_predictions(tmp_path / "p.safetensors", given)
    found = load_predictions(tmp_path / "p.safetensors")
    assert {*found.of_kind(SHIFTED)} == {"all", "some"}
    for name, other in given.others.items():
        assert (found.others[name].logits == other.logits).all()
        assert (found.others[name].labels == other.labels).all()


def test_a_shifted_set_is_compared_with_test_samples_of_its_classes():
    given = predictions()
    rows = {row["set"]: row for row in shifted_rows(given, bins=15)}
    own = np.isin(given.labels, [0, 1])
    right = given.logits.argmax(1) == given.labels
    assert rows["some"]["clean_accuracy"] == pytest.approx(right[own].mean())
    assert (rows["some"]["clean_n"], rows["some"]["classes"]) == (own.sum(), 2)
    assert rows["all"]["clean_accuracy"] == pytest.approx(right.mean())
    other = given.others[f"{SHIFTED}/all"]
    assert rows["all"]["accuracy"] == pytest.approx((other.logits.argmax(1) == other.labels).mean())


def test_measures_of_further_sets_are_means_over_sets():
    given = predictions()
    shifted, unseen = shifted_rows(given, bins=15), unseen_rows(given)
    found = {each.measure: each for each in measure_other_sets(shifted, unseen)}
    mean = (shifted[0]["accuracy"] + shifted[1]["accuracy"]) / 2
    assert found["shifted_accuracy"].value == pytest.approx(mean)
    assert found["shifted_accuracy"].n == shifted[0]["n"] + shifted[1]["n"]
    usual = FAMILIARITY["maximum_probability"]
    far = given.others[f"{UNSEEN}/far"]
    expected = separation(usual(given.logits), usual(far.logits))["auroc"]
    assert found["unseen_auroc"].value == pytest.approx(expected)
    assert len(unseen) == len(FAMILIARITY)
    assert measure_other_sets([], []) == []


def test_the_rows_of_a_model_tell_what_scaling_leaves():
    logits, labels = drawn(2000)
    given = Predictions(RUN, 4 * logits, labels)
    found = {row["measure"]: row["value"] for row in calibration_rows(given, bins=15)}
    assert found["temperature"] == pytest.approx(4, rel=0.1)
    assert found["test_ece_scaled"] < 0.3 * found["test_ece"]
    assert found["aurc"] == pytest.approx(area_under_risk_coverage(given.logits, labels))
    assert len(risk_coverage_rows(given)) == 20
