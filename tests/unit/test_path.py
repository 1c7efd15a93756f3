"""The plane of a training's principal directions, against singular values and the weights."""

import copy

import numpy as np
import pytest
import torch
from networks_cases import randomise
from refusals import refused
from torch import nn
from training_cases import F64

from minimascope.data.prepared import Split
from minimascope.seeding import generator
from minimascope.sharpness.directions import state_of
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.path import measure
from minimascope.sharpness.subject import Subject


def network() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)).double()
    randomise(model)
    return model.eval()


def subject_of(model: nn.Module) -> Subject:
    draws = torch.Generator().manual_seed(1)
    split = Split(torch.randn(30, 4, generator=draws, dtype=F64), torch.arange(30) % 3)
    return Subject(model, Objective(split))


def moved(model: nn.Module, *steps: float) -> list[nn.Module]:
    """Copies whose parameters, and statistics, lie beside the network's; the network comes last."""
    found = []
    for number, step in enumerate(steps):
        other = copy.deepcopy(model)
        draws = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for tensor in state_of(other).values():
                tensor += step * torch.rand(tensor.shape, generator=draws, dtype=F64)
        found.append(other)
    return [*found, model]


def measured(models: list[nn.Module], **settings):
    path = [{n: t.clone() for n, t in state_of(model).items()} for model in models]
    return measure(
        *(subject_of(models[-1]), generator(0, "path")),
        **{"path": path, "points": 5, "dtype": "float64", **settings},
    )


def parameters(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_shares_and_coordinates_are_those_of_singular_values():
    models = moved(network(), 1.0, 0.7, 0.3)
    found = measured(models)
    rows = torch.stack([parameters(model) - parameters(models[-1]) for model in models])
    left, values, _ = torch.linalg.svd(rows, full_matrices=False)
    shares = (values**2 / (values**2).sum()).tolist()
    assert [one.value for one in found.measurements[:2]] == pytest.approx(shares[:2])
    for axis, name in enumerate("xy"):
        expected = (left[:, axis] * values[axis]).numpy()
        assert np.abs(found.details[name]) == pytest.approx(np.abs(expected), abs=1e-10)
        assert found.details[name][0] >= 0
        assert found.details[name][-1] == pytest.approx(0, abs=1e-10)


def test_a_path_in_a_plane_has_the_losses_of_the_plane():
    """That of two moments and the last holds all three, statistics of BatchNorm included."""
    models = moved(network(), 1.0, 0.6)
    found = measured(models, points=41, margin=0.1)
    x, y, surface = (found.arrays[name] for name in ("x", "y", "losses"))
    for place, other, loss in zip(*(found.details[k] for k in ("x", "y", "losses")), strict=True):
        i, j = np.abs(x - place).argmin(), np.abs(y - other).argmin()
        near = surface[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
        assert near.min() - 0.01 <= loss <= near.max() + 0.01
    assert sum(one.value for one in found.measurements[:2]) == pytest.approx(1)
    own = [subject_of(model).objective.mean(model).item() for model in models]
    assert found.details["losses"] == pytest.approx(own)


def test_length_and_directness_of_a_path_there_and_back():
    model = network()
    there = copy.deepcopy(model)
    with torch.no_grad():
        there[0].weight[0, 0] += 3
    half = copy.deepcopy(model)
    with torch.no_grad():
        half[0].weight[0, 0] += 1
    values = {one.measure: one.value for one in measured([half, there, model]).measurements}
    assert values["path_length"] == pytest.approx(2 + 3)
    assert values["path_directness"] == pytest.approx(1 / 5)
    # A straight path has one direction.
    assert values["path_share_first"] == pytest.approx(1)
    assert values["path_share_second"] == 0


def test_the_grid_is_larger_than_the_path_by_its_margin():
    found = measured(moved(network(), 1.0, 0.7, 0.3), margin=0.5)
    spans = [max(found.details[name]) - min(found.details[name]) for name in "xy"]
    for name, span in zip("xy", spans, strict=True):
        axis = found.arrays[name]
        assert axis[-1] - axis[0] == pytest.approx(span + max(spans))


def test_weights_that_do_not_move_are_refused():
    model = network()
    for models in ([model], [model, copy.deepcopy(model)]):
        with refused("sharpness.path: needs the weights of two moments or more that differ"):
            measured(models)


def test_the_network_is_the_same_afterwards():
    models = moved(network(), 1.0, 0.7)
    before = {name: tensor.clone() for name, tensor in models[-1].state_dict().items()}
    measured(models)
    assert all(torch.equal(t, before[name]) for name, t in models[-1].state_dict().items())


def test_across_a_straight_path_there_is_a_grid_without_a_margin_too():
    found = measured(moved(network(), 1.0), margin=0.0)
    x, y = found.arrays["x"], found.arrays["y"]
    assert np.ptp(x) == pytest.approx(np.ptp(found.details["x"]))
    assert np.diff(y).min() > 0
    usual = measured(moved(network(), 1.0)).arrays["y"]
    assert y == pytest.approx(usual)
