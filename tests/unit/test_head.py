"""The head of a network is the linear layer whose output is its logits, wherever it stands."""

import math

import pytest
import torch
from sharpness_cases import images, network, points
from torch import nn

from minimascope import measure
from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.sharpness.head import features_of, head_of
from minimascope.sharpness.objective import Objective


def foreign_network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 6), nn.Tanh(), nn.Linear(6, 3)
    )


def pictures() -> Objective:
    return Objective(Split(torch.randn(5, 1, 8, 8), torch.arange(5) % 3))


@pytest.mark.parametrize("architecture", ["resnet18", "vgg19", "vit", "cnn10"])
def test_our_networks_have_their_own(architecture):
    model, split = network(architecture), images(architecture, 5)
    head = head_of(model, Objective(split))
    assert head is model.network.head
    with features_of(head) as entered:
        logits = model(split.inputs)
    torch.testing.assert_close(logits, entered[-1] @ head.weight.T + head.bias)


def test_what_enters_it_is_noted_with_its_graph_and_no_hook_stays():
    model, objective = foreign_network(), pictures()
    head = head_of(model, objective)
    assert head is model[-1]
    inputs = objective.samples.inputs
    with features_of(head) as entered:
        model(inputs)
    assert torch.equal(entered[-1], model[:-1](inputs))
    entered[-1].sum().backward()
    assert model[0].weight.grad.abs().sum() > 0
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


class HeadFirst(nn.Module):
    """A network that registers its layers in another order than it calls them."""

    def __init__(self):
        super().__init__()
        self.head, self.body, self.unused = nn.Linear(6, 3), nn.Linear(4, 6), nn.Linear(2, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(inputs).tanh())


def test_it_may_be_registered_anywhere():
    model = HeadFirst().double()
    assert head_of(model, Objective(points(7, 4, 3))) is model.head


def test_diverged_logits_are_not_mistaken_for_another_layers():
    model = foreign_network()
    nn.init.constant_(model[-1].weight, math.nan)
    assert head_of(model, pictures()) is model[-1]


class Adapted(nn.Linear):
    """A linear layer with an adapter beside its weights."""

    def __init__(self):
        super().__init__(4, 3)
        self.down, self.up = nn.Linear(4, 2, bias=False), nn.Linear(2, 3, bias=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs) + self.up(self.down(inputs))


class ScaledInPlace(HeadFirst):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return super().forward(inputs).mul_(3)


@pytest.mark.parametrize(
    "model",
    [
        Adapted(),
        ScaledInPlace(),
        nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).eval(),
        nn.Sequential(nn.Linear(4, 6), nn.Unflatten(1, (3, 2)), nn.AvgPool1d(2), nn.Flatten()),
    ],
)
def test_where_no_layer_gives_the_logits_there_is_none(model):
    assert head_of(model.double(), Objective(points(7, 4, 3))) is None


class InParts(HeadFirst):
    """Calls its head for a few inputs at a time."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.head(self.body(part).tanh()) for part in inputs.split(3)])


class OneByOne(HeadFirst):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.head(self.body(row).tanh()) for row in inputs])


class OnceMore(HeadFirst):
    """Calls its head for something else, too."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        logits = self.head(self.body(inputs).tanh())
        self.auxiliary = self.head(self.body(3 * inputs).tanh())
        return logits


class ByName(HeadFirst):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(input=self.body(inputs).tanh())


@pytest.mark.parametrize("kind", [InParts, OneByOne, OnceMore, ByName])
def test_relative_flatness_is_of_the_features_that_gave_the_logits(kind):
    torch.manual_seed(0)
    usual, model = HeadFirst(), kind()
    model.load_state_dict(usual.state_dict())
    inputs, labels = torch.randn(17, 4), torch.arange(17) % 3
    expected, found = (
        measure(network, inputs, labels, "relative_flatness")["relative_flatness"].value
        for network in (usual, model)
    )
    assert found == pytest.approx(expected, rel=1e-5)


class Backwards(HeadFirst):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        parts = [self.head(self.body(part).tanh()) for part in reversed(inputs.split(3))]
        return torch.cat(parts[::-1])


def test_a_head_that_is_called_in_another_order_is_refused():
    with pytest.raises(InputError, match=r"^relative_flatness: [^\n]*; call it once$"):
        measure(Backwards(), torch.randn(17, 4), torch.arange(17) % 3, "relative_flatness")
