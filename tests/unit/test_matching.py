"""Hidden units in other places: the same function, found again by matching weights."""

import pytest
import torch
from networks_cases import randomise
from refusals import refused
from torch import nn

from minimascope.data.prepared import Split
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.seeding import generator
from minimascope.sharpness.directions import state_of
from minimascope.sharpness.interpolation import barrier, line
from minimascope.sharpness.matching import matched
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.symmetries import hidden_units, permuted

SIZE = (8, 8)
NETWORKS = {
    "mlp": ("mlp", SIZE, 0.2, {"hidden_layers": 3}),
    "tanh": ("mlp", SIZE, 0.2, {"hidden_layers": 2, "activation": "tanh"}),
    "vgg19": ("vgg19", (64, 32), 0.05, {}),
    "vgg19 group": ("vgg19", (32, 32), 0.1, {"norm": "group"}),
    "resnet18": ("resnet18", SIZE, 0.1, {}),
    "resnet18 group": ("resnet18", SIZE, 0.5, {"norm": "group"}),
    "resnet18 none": ("resnet18", SIZE, 0.1, {"norm": "none"}),
    "noshort": ("resnet", SIZE, 0.1, {"blocks": [1, 2], "shortcuts": False}),
    "vit": ("vit", SIZE, 0.1, {"patch_size": 4}),
    "vit_standard": ("vit_standard", SIZE, 0.1, {"patch_size": 4}),
}


def network(name: str, seed: int = 0) -> nn.Module:
    """A network whose biases, norms and statistics are no zeros and ones, in double precision."""
    architecture, size, width, options = NETWORKS[name]
    spec = NetworkSpec(architecture, 1, size, 4, width, options=options)
    model = NormalisedInput(randomise(initialise(spec, seed)), [0.5], [0.5])
    return model.double().eval()


def split(name: str) -> Split:
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (12, 1, *NETWORKS[name][1]), generator=draws)
    return Split(images.to(torch.uint8), torch.arange(12) % 4)


def assert_same(logits: torch.Tensor, expected: torch.Tensor) -> None:
    """But for rounding, which adds up over the layers."""
    assert (logits - expected).abs().max() <= 1e-9 * expected.abs().max()
    assert expected.std(0).max() > 1e-6 * expected.abs().max()


@pytest.mark.parametrize("name", NETWORKS)
def test_units_in_other_places_leave_the_function_as_it_is(name):
    model, inputs = network(name), split(name).inputs
    for seed in range(3):
        moved = permuted(model, generator(seed))
        pairs = zip(model.parameters(), moved.parameters(), strict=True)
        assert not all(torch.equal(*pair) for pair in pairs)
        assert_same(moved(inputs), model(inputs))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_tensor_of_hidden_units_is_moved(name):
    """Only the head's bias, temperatures, factors and norms of inputs are of no hidden units."""
    model = network(name)
    moved = {place.tensor for units in hidden_units(model) for place in units.places}
    left = state_of(model).keys() - moved
    ends = ("head.bias", "temperature", "factor", "tokenisation.norm.weight")
    assert all(tensor.endswith((*ends, "tokenisation.norm.bias")) for tensor in left)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_permuted_copy_is_matched_exactly_and_has_no_barrier(name):
    model = network(name)
    copy = permuted(model, generator(7))
    found = matched(model, copy, generator(1), starts=0)
    state = state_of(found)
    assert all(torch.equal(state[tensor], value) for tensor, value in state_of(model).items())
    objective = Objective(split(name))
    between, straight = (line(model, end, objective, 5, 0.0) for end in (found, copy))
    loss = straight["losses"][0]
    assert barrier(between) == pytest.approx(0, abs=1e-12 * loss)
    assert abs(straight["losses"][2] / loss - 1) > 1e-5


@pytest.mark.parametrize("name", ["mlp", "resnet18", "vit"])
def test_matching_keeps_the_function_and_brings_networks_nearer(name):
    first, second = network(name, 0), network(name, 1)
    found, inputs = matched(first, second, generator(0), starts=1), split(name).inputs
    assert_same(found(inputs), second(inputs))

    def distance(other: nn.Module) -> float:
        pairs = zip(first.parameters(), other.parameters(), strict=True)
        return sum((a - b).square().sum().item() for a, b in pairs)

    assert distance(found) < 0.9999 * distance(second)
    again = state_of(matched(first, second, generator(0), starts=1))
    assert all(torch.equal(again[tensor], value) for tensor, value in state_of(found).items())


def test_a_network_is_matched_with_itself_as_it_is():
    model = network("resnet18")
    found = state_of(matched(model, model, generator(0), starts=2))
    assert all(torch.equal(found[tensor], value) for tensor, value in state_of(model).items())


@pytest.mark.parametrize("architecture", ["cnn10", "crnn"])
def test_networks_whose_units_are_not_known_are_refused(architecture):
    spec = NetworkSpec(architecture, 1, (64, 64), 4, 0.1)
    model = NormalisedInput(initialise(spec, 0), [0.5], [0.5])
    with refused("matched: which units of", "can change places is not known; it is of mlp"):
        matched(model, model, generator(0))
