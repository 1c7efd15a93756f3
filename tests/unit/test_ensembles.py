"""Ensembles against loops, scikit-learn's scores and the decomposition of the Brier score."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import special, stats
from torch import nn

from minimascope.data.corruptions.copies import CorruptedCopies
from minimascope.errors import InputError
from minimascope.evaluation.corrupted_ensembles import corrupted_hits
from minimascope.evaluation.ensembles import (
    COLUMNS,
    MEASURES,
    ensemble_of,
    ensemble_rows,
    ensemble_table,
    gain_error,
    measure_corrupted,
    score,
)
from minimascope.evaluation.metrics import SCORES, expected_calibration_error
from minimascope.evaluation.predictions import Predictions

BINS = 10


def member(seed: int, condition: str = "baseline", n: int = 60, scale: float = 2.0) -> Predictions:
    """Return predictions that are right more often than not, others for each seed."""
    labels = np.arange(n) % 3
    logits = np.random.default_rng(seed).normal(size=(n, 3)) * scale
    logits[np.arange(n), labels] += 1.5
    run = {"dataset": "d", "network": "net", "condition": condition, "seed": str(seed)}
    return Predictions(run, logits.astype(np.float32), labels)


MEMBERS = [member(seed) for seed in range(4)]


def averaged(members: list[Predictions]) -> np.ndarray:
    """Return the mean of the members' probabilities, by a loop."""
    total = np.zeros(members[0].logits.shape)
    for model in members:
        exponentials = np.exp(model.logits.astype(np.float64))
        total += exponentials / exponentials.sum(axis=1, keepdims=True)
    return total / len(members)


def rows(members: list[Predictions]) -> dict[str, dict]:
    return {row["measure"]: row for row in ensemble_rows(members, BINS)}


def test_an_ensemble_says_the_mean_of_its_members_probabilities():
    together = ensemble_of(MEMBERS)
    np.testing.assert_allclose(special.softmax(together.logits, axis=1), averaged(MEMBERS))
    assert together.run == {"dataset": "d", "network": "net", "condition": "baseline"}


def test_logits_of_any_size_can_be_averaged():
    certain = [member(seed, scale=1e4) for seed in range(2)]
    together = ensemble_of(certain).logits
    assert np.isfinite(together).all()
    wrong = [model.logits.argmax(1) for model in certain]
    both = wrong[0] == wrong[1]
    assert 0 < both.sum() < len(both)
    np.testing.assert_allclose(together[both].max(1), 0, atol=1e-12)
    np.testing.assert_allclose(together[~both].max(1), np.log(0.5), atol=1e-12)


def test_values_are_those_of_the_averaged_probabilities_and_of_each_member():
    found, p, labels = rows(MEMBERS), averaged(MEMBERS), MEMBERS[0].labels
    chosen = p[np.arange(60), labels]
    one_hot = np.eye(3)[labels]
    assert found["test_accuracy"]["ensemble"] == (p.argmax(1) == labels).mean()
    assert found["test_nll"]["ensemble"] == pytest.approx(-np.log(chosen).mean(), rel=1e-12)
    brier = ((p - one_hot) ** 2).sum(1).mean()
    assert found["test_brier"]["ensemble"] == pytest.approx(brier, rel=1e-12)
    error = expected_calibration_error(np.log(p), labels, BINS)
    assert found["test_ece"]["ensemble"] == pytest.approx(error, rel=1e-9)
    functions = SCORES | {"test_ece": lambda z, y: expected_calibration_error(z, y, BINS)}
    for measure, function in functions.items():
        values = [function(model.logits, model.labels) for model in MEMBERS]
        row = found[measure]
        better = measure == "test_accuracy"
        assert row["members_mean"] == pytest.approx(np.mean(values))
        assert row["members_error"] == pytest.approx(np.std(values, ddof=1) / 2)
        assert row["best_member"] == (max(values) if better else min(values))
        gain = row["ensemble"] - np.mean(values)
        assert row["gain"] == pytest.approx(gain if better else -gain)
        assert (row["members"], row["n"]) == (4, 60)


def test_the_gain_of_the_brier_score_is_the_variance_of_the_members():
    """Krogh & Vedelsby 1995, for each class: error of the mean = mean error - ambiguity."""
    p = np.stack([special.softmax(m.logits.astype(np.float64), axis=1) for m in MEMBERS])
    ambiguity = p.var(axis=0).sum(axis=1).mean()
    assert rows(MEMBERS)["test_brier"]["gain"] == pytest.approx(ambiguity, rel=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_score_is_the_sum_of_the_sizes_of_its_parts_means(measure):
    value, parts = score(measure, MEMBERS[0], BINS)
    assert len(parts) == 60
    assert np.abs(parts.mean(axis=0)).sum() == pytest.approx(value, rel=1e-12)


def test_the_error_of_a_difference_of_means_is_that_of_paired_samples():
    random = np.random.default_rng(0)
    shared = random.normal(5, 3, size=(1, 400, 1))
    parts = shared + random.normal(size=(4, 400, 1))
    differences = parts[0, :, 0] - parts[1:, :, 0].mean(axis=0)
    assert gain_error(parts, resamples=4000) == pytest.approx(stats.sem(differences), rel=0.05)


def test_the_error_of_a_calibration_gain_is_its_scatter_over_resamples():
    members = [member(seed, n=200) for seed in range(3)]
    models = [ensemble_of(members), *members]
    random, gains = np.random.default_rng(1), []
    for _ in range(1500):
        drawn = random.integers(200, size=200)
        first, *others = (
            expected_calibration_error(model.logits[drawn], model.labels[drawn], BINS)
            for model in models
        )
        gains.append(np.mean(others) - first)
    expected = np.std(gains, ddof=1)
    assert rows(members)["test_ece"]["gain_error"] == pytest.approx(expected, rel=0.1)


def test_members_that_agree_gain_nothing():
    for row in rows([member(0), member(0)]).values():
        assert row["gain"] == pytest.approx(0, abs=1e-12)
        assert row["gain_error"] == pytest.approx(0, abs=1e-12)


def test_a_single_test_sample_has_no_error():
    row = rows([member(seed, n=1) for seed in range(2)])["test_nll"]
    assert row["n"] == 1
    assert np.isfinite(row["gain"])
    assert np.isnan(row["gain_error"])


def test_the_table_has_all_measures_of_a_condition_together():
    others = [member(seed, "sam") for seed in range(2)]
    run = {"dataset": "d", "network": "net", "condition": "sam"}
    cell = {"severity": 1, "accuracy": 0.5, "n": 4, "origin": "cifar10_c"}
    copies = {"run": run, "seconds": 2.0, "corruptions": [cell]}
    shares = np.array([[1, 1, 0, 0.5], [1, 0, 0, 0.5], [0, 1, 0, 0.5]])
    # A condition on a data set without copies adds nothing.
    corrupted = [({**copies, "corruptions": []}, np.zeros((3, 1))), (copies, shares)]
    table = ensemble_table([*MEMBERS, *others], corrupted, BINS, resamples=10)
    assert list(table.columns) == COLUMNS
    assert table["condition"].tolist() == ["baseline"] * 4 + ["sam"] * 5
    assert table["measure"].tolist() == [*MEASURES, *MEASURES, "corruption_accuracy"]
    assert table["members"].tolist() == [4] * 4 + [2] * 5
    last = table.iloc[-1]
    assert (last["view"], last["seconds"], last["n"]) == ("clean", 2.0, 4)
    assert (last["ensemble"], last["members_mean"], last["gain"]) == (62.5, 37.5, 25.0)
    again = ensemble_table([*MEMBERS, *others], corrupted, BINS, resamples=10)
    timed = table.columns.drop("seconds")
    pd.testing.assert_frame_equal(table[timed], again[timed])


def test_a_single_network_and_networks_of_other_samples_are_refused():
    with pytest.raises(InputError, match="single network of d/net/baseline"):
        ensemble_of(MEMBERS[:1])
    with pytest.raises(InputError, match="other samples; evaluate"):
        ensemble_of([member(0), member(1, n=30)])
    turned = Predictions(MEMBERS[1].run, MEMBERS[1].logits, MEMBERS[1].labels[::-1].copy())
    with pytest.raises(InputError, match="other samples; evaluate"):
        ensemble_of([MEMBERS[0], turned])


class Linear(nn.Module):
    """Logits that are a linear map of the pixels."""

    def __init__(self, seed: int):
        super().__init__()
        draws = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(3, 4, generator=draws, dtype=torch.float64) / 50)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1).double() @ self.weight.T


def corrupted_images(name: str, seed: int, n: int = 30) -> CorruptedCopies:
    draws = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (2, n, 1, 2, 2), generator=draws, dtype=torch.uint8)
    return CorruptedCopies(name, (1, 3), images, torch.arange(n) % 3, "generated")


def test_an_ensemble_on_corrupted_copies_equals_a_loop_over_images():
    models = [Linear(seed) for seed in range(3)]
    copies = [corrupted_images("fog", 0), corrupted_images("snow", 1)]
    shares, found_rows = corrupted_hits(models, copies, torch.device("cpu"))
    right = np.zeros((4, 30))
    cells = []
    for corrupted in copies:
        for severity, images in zip(corrupted.severities, corrupted.inputs, strict=True):
            counts = np.zeros(4)
            for i, image in enumerate(images):
                p = [special.softmax(m(image[None]).detach().numpy()[0]) for m in models]
                guesses = [sum(p).argmax(), *(q.argmax() for q in p)]
                counts += [guess == i % 3 for guess in guesses]
                right[:, i] += [guess == i % 3 for guess in guesses]
            cells.append((corrupted.corruption, severity, *(counts / 30)))
    np.testing.assert_allclose(shares, right / 4)
    found = zip(*found_rows, strict=True)
    for (name, severity, *accuracies), rows in zip(cells, found, strict=True):
        assert {(row["corruption"], row["severity"]) for row in rows} == {(name, severity)}
        assert [row["accuracy"] for row in rows] == pytest.approx(accuracies)
    row = measure_corrupted(shares, found_rows[0])
    accuracies = 100 * right.mean(axis=1) / 4
    assert row["measure"] == "corruption_accuracy_generated"
    assert (row["unit"], row["n"], row["members"]) == ("percent", 30, 3)
    assert row["ensemble"] == pytest.approx(accuracies[0])
    assert row["gain"] == pytest.approx(accuracies[0] - accuracies[1:].mean())
    differences = 25 * (right[0] - right[1:].mean(axis=0))
    assert row["gain_error"] == pytest.approx(stats.sem(differences), rel=0.15)


def test_corrupted_copies_of_other_images_are_refused():
    copies = [corrupted_images("fog", 0), corrupted_images("snow", 1, n=31)]
    with pytest.raises(InputError, match="snow: corrupted copies of other inputs"):
        corrupted_hits([Linear(0), Linear(1)], copies, torch.device("cpu"))
