"""BatchNorm that is folded into the layer before it leaves function and derivatives as they are."""

import pytest
import torch
from sharpness_cases import randomise
from torch import nn
from torch.nn import functional as F

from minimascope.sharpness.folding import FoldedBatchNorm


class Functional(nn.Module):
    """A convolution with its arguments by name, and BatchNorm without γ and β."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 2, 3))
        self.register_buffer("mean", torch.randn(6))
        self.register_buffer("variance", torch.rand(6) + 0.5)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = F.conv1d(inputs, self.weight, bias=None, padding=1, groups=2)
        return F.batch_norm(hidden, self.mean, self.variance)


class InPlace(nn.Module):
    """BatchNorm of what an operation in place has made of a convolution's result."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(inputs).tanh_())


class Twice(nn.Module):
    """A convolution's result that is used beside its BatchNorm, too."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.conv(inputs)
        return self.norm(hidden) * hidden


NETWORKS = {
    "conv1d": (nn.Sequential(nn.Conv1d(4, 6, 3, padding=1), nn.BatchNorm1d(6)), (4, 7)),
    "conv2d": (nn.Sequential(nn.Conv2d(2, 4, 3, 2, bias=False), nn.BatchNorm2d(4)), (2, 7, 7)),
    "conv3d": (nn.Sequential(nn.Conv3d(1, 2, 2), nn.BatchNorm3d(2)), (1, 3, 3, 3)),
    "linear": (nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4)), (5,)),
    "linear over positions": (nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(3)), (3, 5)),
    "two in a row": (
        nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.BatchNorm1d(4)),
        (5,),
    ),
    "first": (nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 4)), (5,)),
    "functional": (Functional(), (4, 7)),
    "in place": (InPlace(), (2, 4, 4)),
    "used twice": (Twice(), (2, 4, 4)),
}


def gradient(model: nn.Module, inputs: torch.Tensor) -> list[torch.Tensor]:
    loss = model(inputs).square().mean().exp()
    return torch.autograd.grad(loss, list(model.parameters()), create_graph=True)


@pytest.mark.parametrize("name", NETWORKS)
def test_function_and_derivatives_are_the_same(name):
    model, shape = NETWORKS[name]
    inputs = torch.randn(8, *shape, generator=torch.Generator().manual_seed(0)).double()
    model = randomise(model, inputs.float()).double()
    with FoldedBatchNorm():
        folded, found = model(inputs), gradient(model, inputs)
    expected = gradient(model, inputs)
    torch.testing.assert_close(folded, model(inputs), rtol=1e-12, atol=1e-12)
    vectors = [torch.randn_like(part) for part in found]
    for parts in zip(found, expected, strict=True):
        torch.testing.assert_close(*parts, rtol=1e-10, atol=1e-12)
    products = (
        torch.autograd.grad(parts, list(model.parameters()), vectors, materialize_grads=True)
        for parts in (found, expected)
    )
    for parts in zip(*products, strict=True):
        torch.testing.assert_close(*parts, rtol=1e-9, atol=1e-11)


def test_statistics_of_the_batch_stay_those_of_the_batch():
    model = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4, track_running_stats=False))
    inputs = torch.randn(8, 5)
    with FoldedBatchNorm():
        folded = model(inputs)
    torch.testing.assert_close(folded, model(inputs))
    assert folded.mean(0).abs().max() < 1e-6


def test_the_pass_of_a_batch_norm_is_gone():
    """What the folding is for: no BatchNorm is left in the graph."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).eval()

    def operations(result: torch.Tensor) -> set[str]:
        found, left = set(), [result.grad_fn]
        while left:
            node = left.pop()
            found.add(type(node).__name__)
            left += [other for other, _ in node.next_functions if other is not None]
        return found

    inputs = torch.randn(4, 1, 5, 5)
    assert any("BatchNorm" in name for name in operations(model(inputs)))
    with FoldedBatchNorm():
        folded = operations(model(inputs))
    assert not any("BatchNorm" in name for name in folded)
