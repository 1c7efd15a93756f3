"""Adaptive sharpness against closed forms for small radii and exhaustive search for large ones."""

import copy
import itertools
import math
import statistics

import pytest
import torch
from scipy.optimize import minimize
from sharpness_cases import drawn_like, gradient, plain_loss, points
from torch import nn

from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.seeding import generator
from minimascope.sharpness.adaptive import (
    Ascent,
    NormalisedLogits,
    average_sharpness,
    worst_sharpness,
)
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.perturbation import adaptive_sharpness
from minimascope.sharpness.subject import Subject

F64 = torch.float64


def relu_network() -> tuple[nn.Module, Split]:
    torch.manual_seed(0)
    layers = [nn.Linear(6, 8, bias=False), nn.ReLU(), nn.Linear(8, 8, bias=False), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(8, 3, bias=False)).double(), points(40, 6, 3)


def logistic_regression(
    classes: int = 3, features: int = 5, n: int = 40
) -> tuple[nn.Module, Split]:
    torch.manual_seed(1)
    return nn.Linear(features, classes).double(), points(n, features, classes)


def vector(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


def loss_at(model: nn.Module, split: Split, values: torch.Tensor) -> float:
    moved = copy.deepcopy(model)
    nn.utils.vector_to_parameters(values, moved.parameters())
    return plain_loss(moved, split)


def worst(model, split, radius, norm="linf", group_size=None, **settings) -> float:
    ascent = Ascent(radius, norm)
    return worst_sharpness(
        model, Objective(split), ascent, group_size, generator=generator(0), **settings
    )[0]


# --- average case -----------------------------------------------------------------------------


def test_average_case_is_a_plain_loop_over_relative_perturbations():
    model, split = relu_network()
    estimate = average_sharpness(model, Objective(split), 0.3, 10, generator=generator(0))
    draws, differences = generator(0), []
    for _ in range(5):
        steps = drawn_like(list(model.parameters()), 0.3, draws)
        losses = []
        for sign in (1, -1):
            moved = copy.deepcopy(model)
            with torch.no_grad():
                for parameter, step in zip(moved.parameters(), steps, strict=True):
                    parameter *= 1 + sign * step
            losses.append(plain_loss(moved, split))
        differences.append(sum(losses) / 2 - plain_loss(model, split))
    mean = sum(differences) / 5
    deviation = math.sqrt(sum((d - mean) ** 2 for d in differences) / 4)
    assert estimate.signed_mean == pytest.approx(mean, rel=1e-9)
    assert estimate.signed_standard_error == pytest.approx(deviation / math.sqrt(5), rel=1e-9)


def test_an_odd_number_of_perturbations_is_refused():
    model, split = logistic_regression()
    for samples in (2, 5):
        with pytest.raises(InputError, match="samples"):
            average_sharpness(model, Objective(split), 0.1, samples, generator=generator(0))


# --- worst case -------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [relu_network, logistic_regression])
@pytest.mark.parametrize(("norm", "order"), [("linf", 1), ("l2", 2)])
def test_small_radius_gives_the_dual_norm_of_the_relative_gradient(make, norm, order):
    model, split = make()
    radius = 1e-6
    expected = radius * (vector(model) * gradient(model, split)).norm(order).item()
    assert worst(model, split, radius, norm) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("radius", [0.01, 0.3, 1.0])
def test_linf_finds_the_best_of_all_corners_of_a_convex_loss(radius):
    """A convex function is largest over a box in one of its corners, here one of 2⁸."""
    model, split = logistic_regression(classes=2, features=3)
    theta = vector(model)
    best = max(
        loss_at(model, split, theta * (1 + radius * torch.tensor(signs, dtype=F64)))
        for signs in itertools.product((-1.0, 1.0), repeat=len(theta))
    )
    expected = best - plain_loss(model, split)
    assert worst(model, split, radius, "linf") == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("radius", [0.01, 0.3, 1.0])
def test_l2_finds_the_maximum_on_the_sphere(radius):
    model, split = logistic_regression(classes=2, features=3)
    theta, found = vector(model), []
    for seed in range(5):
        start = torch.randn(len(theta), dtype=F64, generator=generator(seed))

        def negative(direction) -> float:
            unit = torch.as_tensor(direction)
            return -loss_at(model, split, theta * (1 + radius * unit / unit.norm()))

        found.append(-minimize(negative, start.numpy(), method="BFGS", options={"gtol": 1e-10}).fun)
    expected = max(found) - plain_loss(model, split)
    value = worst(model, split, radius, "l2")
    assert value == pytest.approx(expected, rel=1e-3)
    assert value <= expected * (1 + 1e-5)


def test_without_a_gradient_nothing_is_gained():
    model, split = logistic_regression()
    with torch.no_grad():
        model.weight.zero_()
        model.bias.zero_()
    for norm in ("linf", "l2"):
        assert worst(model, split, 0.5, norm) == pytest.approx(0, abs=1e-15)


# --- invariance -------------------------------------------------------------------------------


def rescaled(model: nn.Module) -> nn.Module:
    """Multiply what goes into each hidden neuron by its own factor, and divide what comes out."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for layer, factors in ((0, torch.linspace(0.2, 5, 8)), (2, torch.linspace(3, 0.1, 8))):
            model[layer].weight *= factors[:, None]
            model[layer + 2].weight /= factors
    return model


def test_node_wise_rescaling_changes_nothing():
    model, split = relu_network()
    other = rescaled(model)
    torch.testing.assert_close(other(split.inputs), model(split.inputs))
    for norm in ("linf", "l2"):
        before, after = (worst(m, split, 0.2, norm) for m in (model, other))
        assert after == pytest.approx(before, rel=1e-9)
    before, after = (
        average_sharpness(m, Objective(split), 0.2, 20, generator=generator(0)).signed_mean
        for m in (model, other)
    )
    assert after == pytest.approx(before, rel=1e-9)


def test_normalised_logits_make_the_scale_of_the_head_irrelevant():
    model, split = relu_network()
    scaled = copy.deepcopy(model)
    with torch.no_grad():
        scaled[4].weight *= 9
    values = {
        normalise: [
            adaptive_sharpness(
                Subject(m, Objective(split)), generator(0), samples=6, normalise_logits=normalise
            )
            for m in (model, scaled)
        ]
        for normalise in (True, False)
    }
    for plain, other in zip(*values[True], strict=True):
        assert other.value == pytest.approx(plain.value, rel=1e-9)
    for plain, other in zip(*values[False], strict=True):
        assert abs(other.value / plain.value - 1) > 0.1
    logits = NormalisedLogits(model)(split.inputs)
    torch.testing.assert_close(logits.square().mean(1), torch.ones(40, dtype=F64))


# --- groups -----------------------------------------------------------------------------------


@pytest.mark.parametrize("group_size", [None, 40, 1000])
def test_one_group_has_no_standard_error(group_size):
    model, split = relu_network()
    _, error = worst_sharpness(
        model, Objective(split), Ascent(0.1), group_size, generator=generator(0)
    )
    assert error is None


@pytest.mark.parametrize(("n", "ends"), [(10, (5, 10)), (11, (4, 8, 11))])
def test_groups_are_drawn_without_replacement_and_averaged(n, ends):
    model, split = logistic_regression(n=n)
    value, error = worst_sharpness(
        model, Objective(split), Ascent(0.1), ends[0], generator=generator(3)
    )
    order = torch.randperm(n, generator=generator(3))
    gains = [worst(model, split.rows(order[end - ends[0] : end]), 0.1) for end in ends[:-1]]
    gains.append(worst(model, split.rows(order[ends[-2] :]), 0.1))
    assert value == pytest.approx(statistics.fmean(gains), rel=1e-10)
    expected = statistics.stdev(gains) / math.sqrt(len(gains))
    assert error == pytest.approx(expected, rel=1e-8)
