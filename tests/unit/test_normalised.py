"""Mean and standard deviation of the training inputs, where a study leaves them open."""

import statistics

import numpy as np
import pytest
import torch

from minimascope.errors import InputError
from minimascope.networks.normalised import CHUNK, NormalisedInput, with_own_statistics

OWN = {"mean": None, "std": None}


def features(n: int = 2 * CHUNK + 3, offset: float = -40.0) -> torch.Tensor:
    draws = torch.Generator().manual_seed(0)
    scale = torch.tensor([12.0, 0.1]).reshape(2, 1, 1)
    return torch.randn(n, 2, 4, 5, generator=draws) * scale + offset


def test_features_get_their_own_mean_and_standard_deviation_per_channel():
    inputs = features()
    found = with_own_statistics(OWN, inputs)
    for channel in range(2):
        values = inputs[:, channel].flatten().double().tolist()
        assert found["mean"][channel] == pytest.approx(statistics.fmean(values), rel=1e-12)
        assert found["std"][channel] == pytest.approx(statistics.pstdev(values), rel=1e-10)
    model = NormalisedInput(torch.nn.Identity(), **found)
    normalised = model.normalise(inputs)
    assert normalised.mean((0, 2, 3)) == pytest.approx([0, 0], abs=1e-4)
    assert normalised.std((0, 2, 3)) == pytest.approx([1, 1], rel=1e-2)


def test_a_large_offset_costs_no_digits():
    inputs = features(offset=1e4)
    expected = inputs.double().numpy().std((0, 2, 3))
    np.testing.assert_allclose(with_own_statistics(OWN, inputs)["std"], expected, rtol=1e-10)


def test_numbers_that_are_given_stay():
    inputs = features()
    assert with_own_statistics({"mean": [1, 2], "std": [3]}, inputs) == {"mean": [1, 2], "std": [3]}
    mixed = with_own_statistics({"mean": [0.0], "std": None}, inputs)
    assert mixed == {"mean": [0.0], "std": with_own_statistics(OWN, inputs)["std"]}


def test_images_are_normalised_with_a_half():
    images = torch.randint(0, 256, (3, 1, 4, 4), dtype=torch.uint8)
    assert with_own_statistics(OWN, images) == {"mean": [0.5], "std": [0.5]}
    assert with_own_statistics({"mean": [0.1], "std": None}, images) == {
        "mean": [0.1],
        "std": [0.5],
    }


@pytest.mark.parametrize("value", [0.0, float("-inf"), float("nan")])
def test_features_without_spread_or_not_finite_are_refused(value):
    inputs = features()
    inputs[:, 1] = value
    with pytest.raises(InputError, match=r"normalize: .* channel 1; .* give mean and std"):
        with_own_statistics(OWN, inputs)


def test_any_module_from_inputs_to_logits_is_normalised():
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8, 3))
    images = torch.randint(0, 256, (5, 2, 2, 2), dtype=torch.uint8)
    expected = network((images / 255 - 0.5) / 0.25)
    assert torch.equal(NormalisedInput(network, [0.5], [0.25])(images), expected)
