"""Paths between trained networks: straight, after matching, and along trained curves."""

import copy
from functools import cache

import numpy as np
import pytest
import torch
from refusals import refused
from torch import nn

from minimascope.data.prepared import Split
from minimascope.networks import NetworkSpec, initialise
from minimascope.seeding import generator
from minimascope.sharpness.bezier import bezier
from minimascope.sharpness.interpolation import barrier, line, paths
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.symmetries import permuted

LINE = {"points": 13, "margin": 0.25, "batchnorm": "reestimated"}
CURVE = {"steps": 200, "lr": 0.1, "batch_size": 50}


@cache
def problem() -> tuple[nn.Module, nn.Module, Objective]:
    """Two perceptrons that learnt which of four blobs points belong to, from two starts."""
    draws = torch.Generator().manual_seed(0)
    labels = torch.arange(200) % 4
    centres = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    points = centres[labels ^ (labels >> 1)] + 0.3 * torch.randn(200, 2, generator=draws)
    split = Split(points[:, :, None, None], labels)
    models = []
    for seed in range(2):
        spec = NetworkSpec("mlp", 2, (1, 1), 4, 0.3, options={"hidden_layers": 2})
        model = initialise(spec, seed)
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        for _ in range(150):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(split.inputs), labels).backward()
            optimizer.step()
        models.append(model.eval())
    return *models, Objective(split)


@cache
def found() -> dict[str, dict[str, np.ndarray]]:
    start, end, objective = problem()
    return paths(start, end, objective, LINE | {"matched": True, "bezier": CURVE}, generator(0))


def test_matching_lowers_the_barrier_between_two_seeds():
    straight, matched = (barrier(found()[kind]) for kind in ("straight", "matched"))
    assert straight > 0.1
    assert matched < straight


def test_every_path_ends_at_both_networks():
    start, end, objective = problem()
    for path in found().values():
        for x, model in ((0.0, start), (1.0, end)):
            loss = path["losses"][list(path["x"]).index(x)]
            assert loss == pytest.approx(objective.mean(model).item(), rel=1e-4)


def test_a_trained_curve_has_a_lower_loss_than_the_straight_line():
    straight, curve = found()["straight"], found()["bezier"]
    between = straight["losses"][(straight["x"] >= 0) & (straight["x"] <= 1)]
    assert (curve["losses"] <= between + 1e-4).all()
    assert barrier(curve) < 0.2 * barrier(straight)


def test_a_curve_of_vanishing_rate_is_the_straight_line():
    start, end, objective = problem()
    straight = line(start, end, objective, 5, 0.0)
    still = CURVE | {"steps": 1, "lr": 1e-12}
    curve = bezier(start, end, objective, straight["x"], generator(0), **still)
    np.testing.assert_allclose(curve["losses"], straight["losses"], rtol=1e-6)


def test_between_a_network_and_its_permuted_copy_only_the_straight_line_has_a_barrier():
    start, _, objective = problem()
    wanted = LINE | {"matched": True, "bezier": None}
    between = paths(start, permuted(start, generator(1)), objective, wanted, generator(0))
    assert list(between) == ["straight", "matched"]
    assert barrier(between["straight"]) > 0.1
    assert barrier(between["matched"]) == pytest.approx(0, abs=1e-6)


def test_paths_are_the_same_each_time_and_depend_on_the_generator():
    start, end, objective = problem()
    wanted = LINE | {"matched": False, "bezier": CURVE | {"steps": 20}}
    first, again, other = (
        paths(start, end, objective, wanted, generator(seed))["bezier"]["losses"]
        for seed in (0, 0, 1)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_a_curve_that_diverges_is_refused():
    start, end, objective = problem()
    with refused("sharpness.interpolation.bezier.lr: the curve diverged; take a lower rate"):
        bezier(start, end, objective, np.array([0, 0.5, 1]), generator(0), **CURVE | {"lr": 1e30})


@pytest.mark.parametrize("kind", [{"matched": True}, {"bezier": CURVE}])
@pytest.mark.parametrize("broken", [0, 1])
def test_networks_that_are_not_finite_are_refused(kind, broken):
    *models, objective = problem()
    models[broken] = copy.deepcopy(models[broken])
    next(models[broken].parameters()).data[0, 0] = float("nan")
    wanted = LINE | {"matched": False, "bezier": None} | kind
    with refused("holds NaN or infinite values"):
        paths(*models, objective, wanted, generator(0))
