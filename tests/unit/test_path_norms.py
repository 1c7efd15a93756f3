"""Which networks have a path norm: by what they are made of, not by their weights or depth."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from sharpness_cases import points
from torch import nn

from minimascope.data.prepared import Split
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.paths import log_path_norm

POINTS = Objective(points(8, 4, 3))


class Applied(nn.Module):
    """A function of two linear layers, and a third one behind it."""

    def __init__(self, function: Callable, factor: float = 1.0):
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.one, self.two, self.head = nn.Linear(4, 6), nn.Linear(4, 6), nn.Linear(6, 3)
        for parameter in self.parameters():
            parameter.data *= factor

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.function(self.one(inputs), self.two(inputs)))


def flow(layer: nn.Linear, ones: torch.Tensor) -> torch.Tensor:
    return layer.weight.double().square() @ ones + layer.bias.double().square()


@pytest.mark.parametrize("depth", [5, 20, 32])
def test_deep_perceptrons_have_a_path_norm(depth):
    torch.manual_seed(0)
    widths = [4, *[16] * (depth - 1), 3]
    layers = [nn.Linear(*sizes) for sizes in itertools.pairwise(widths)]
    expected = torch.ones(4).double()
    for layer in layers:
        expected = flow(layer, expected)
    model = nn.Sequential(*(each for layer in layers for each in (layer, nn.ReLU())))
    found = log_path_norm(model.double(), POINTS)
    assert found == pytest.approx(math.log(expected.sum().item()))


@pytest.mark.parametrize("factor", [1e-3, 1.0, 20.0])
@pytest.mark.parametrize(
    "function",
    [
        *(F.elu, F.selu, F.celu, F.gelu, F.silu, F.mish, F.softplus),
        *(F.relu6, F.hardtanh, F.hardswish, F.sigmoid, torch.tanh, torch.exp, torch.square),
    ],
)
def test_smooth_and_bounded_activations_have_none_whatever_the_weights(function, factor):
    model = Applied(lambda one, two: function(one) + two, factor).double()
    assert log_path_norm(model, POINTS) is None


@pytest.mark.parametrize("factor", [1e-3, 1.0, 20.0])
@pytest.mark.parametrize(
    "function",
    [
        lambda one, two: one - two,
        lambda one, two: one - one.mean(1, keepdim=True) + two,
        lambda one, two: one * two,
        lambda one, two: one * torch.sigmoid(two),
        lambda one, two: one / two.norm(dim=1, keepdim=True),
        lambda one, two: torch.where(one > 1, one, 0 * two),
    ],
)
def test_differences_products_and_normalisations_have_none_whatever_the_weights(function, factor):
    assert log_path_norm(Applied(function, factor).double(), POINTS) is None


def assigned(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    found = torch.zeros_like(one)
    found[:, :3] = one[:, :3]
    found[:, 3:] += one[:, 3:].relu_()
    found += two
    return found


@pytest.mark.parametrize(
    "function",
    [
        lambda one, two: F.leaky_relu(one) + F.relu(two, inplace=True),
        lambda one, two: torch.cat([one[:, :3], one[:, 3:]], 1).clamp(min=0).add_(two),
        assigned,
    ],
)
def test_rectifiers_parts_and_sums_in_all_forms_have_one(function):
    model = Applied(function).double()
    ones = torch.ones(4).double()
    expected = flow(model.head, flow(model.one, ones) + flow(model.two, ones)).sum()
    assert log_path_norm(model, POINTS) == pytest.approx(math.log(expected.item()))


def test_pooling_of_pictures_has_paths():
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3, bias=False)),
    ).double()
    pictures = Objective(Split(torch.rand(2, 1, 4, 4).double(), torch.zeros(2).long()))
    # At a corner's neighbour all nine weights count.
    whole = model[0].weight.square().sum((1, 2, 3))
    expected = (model[5].weight.square() @ whole).sum().item()
    assert log_path_norm(model, pictures) == pytest.approx(math.log(expected))
