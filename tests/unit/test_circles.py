"""Two circles: where their points lie, and that networks take them."""

import itertools
import math

import pytest
import torch
from study_cases import component
from torch import nn

from minimascope.errors import InputError
from minimascope.networks import NetworkSpec, build, count_weight_layers

load = component("dataset", "circles")
POINTS = {"channels": 2, "input_size": (1, 1), "classes": 2}


def radii(split) -> torch.Tensor:
    return split.inputs.flatten(1).norm(dim=1)


@pytest.mark.parametrize("factor", [0.3, 0.8])
def test_without_noise_every_point_lies_on_the_circle_of_its_class(factor: float):
    dataset = load(None, factor=factor, noise=0.0, train_points=100, test_points=60)
    assert dataset.classes == ("outer", "inner")
    for split, count in ((dataset.train, 100), (dataset.test, 60)):
        assert split.inputs.shape == (count, 2, 1, 1)
        assert split.inputs.dtype == torch.float32
        assert split.labels.bincount().tolist() == [count // 2, count // 2]
        expected = torch.where(split.labels == 1, factor, 1.0)
        torch.testing.assert_close(radii(split), expected)
    # No circle comes first.
    assert 0 < dataset.train.labels[:50].sum() < 50


def test_noise_scatters_the_points_by_its_standard_deviation():
    dataset = load(None, factor=0.5, noise=0.05, train_points=4000)
    radius = torch.where(dataset.train.labels == 1, 0.5, 1.0)
    off = radii(dataset.train) - radius
    assert off.std().item() == pytest.approx(0.05, rel=0.05)


def test_training_and_test_points_and_seeds_are_drawn_apart():
    first, again, other = load(None), load(None), load(None, seed=1)
    assert torch.equal(first.train.inputs, again.train.inputs)
    assert not torch.equal(first.train.inputs, other.train.inputs)
    assert not torch.equal(first.train.inputs, first.test.inputs[: len(first.train)])


@pytest.mark.parametrize("factor", [0.0, 1.0, math.nan])
def test_a_factor_that_is_no_inner_radius_is_refused(factor: float):
    with pytest.raises(InputError, match=r"^factor: .*; use 0\.5$"):
        load(None, factor=factor)


@pytest.mark.parametrize("hidden_layers", [1, 2, 3])
def test_the_perceptron_has_the_layers_of_its_definition(hidden_layers: int):
    model = build(NetworkSpec("mlp", **POINTS, options={"hidden_layers": hidden_layers}))
    sizes = [2, *[100] * hidden_layers, 2]
    weights = [(m.in_features, m.out_features) for m in model.modules() if isinstance(m, nn.Linear)]
    assert weights == list(itertools.pairwise(sizes))
    assert count_weight_layers(model) == hidden_layers + 1


def test_the_perceptron_is_a_chain_of_products_and_rectifiers():
    model = build(
        NetworkSpec("mlp", 3, (2, 4), 5, width=0.07, options={"hidden_layers": 2})
    ).double()
    inputs = torch.randn(6, 3, 2, 4, dtype=torch.float64)
    hidden = inputs.reshape(6, 24)
    *body, head = [m for m in model.modules() if isinstance(m, nn.Linear)]
    for layer in body:
        assert layer.out_features == 7
        hidden = (hidden @ layer.weight.T + layer.bias).clamp(min=0)
    torch.testing.assert_close(model(inputs), hidden @ head.weight.T + head.bias)
    assert model.head is head
    torch.testing.assert_close(model.features(inputs), hidden)
