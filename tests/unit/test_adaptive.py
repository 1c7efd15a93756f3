"""Adaptive sharpness against closed forms for small radii and exhaustive search for large ones."""

import copy
import itertools
import math

import pytest
import torch
from scipy.optimize import minimize
from sharpness_cases import dense_hessian, drawn_like, gradient, images, network, plain_loss, points
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
    return worst_sharpness(model, split, ascent, group_size, generator=generator(0), **settings)[0]


# --- average case -----------------------------------------------------------------------------


def test_average_case_is_a_plain_loop_over_relative_perturbations():
    model, split = relu_network()
    estimate = average_sharpness(model, split, 0.3, 10, generator=generator(0))
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


def test_both_signs_of_each_draw_leave_little_noise_far_from_a_minimum():
    """The slope of the loss cancels, and the error is that of its curvature alone."""
    model, split = logistic_regression()
    estimate = average_sharpness(model, split, 1e-3, 200, generator=generator(0))
    slope = (gradient(model, split) * vector(model)).norm().item() * 1e-3
    assert estimate.signed_standard_error < 0.02 * slope / math.sqrt(200)


def test_an_odd_number_of_perturbations_is_refused():
    model, split = logistic_regression()
    for samples in (2, 5):
        with pytest.raises(InputError, match="samples"):
            average_sharpness(model, split, 0.1, samples, generator=generator(0))


def test_at_a_minimum_a_small_radius_gives_the_closed_form_of_the_curvature():
    """E L(θ + δ) − L(θ) = ½ ρ² Σ θ_i² H_ii + O(ρ⁴)."""
    model, split = logistic_regression()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=200, tolerance_grad=1e-10)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = nn.functional.cross_entropy(model(split.inputs), split.labels)
        value.backward()
        return value

    optimizer.step(loss)
    assert gradient(model, split).norm() < 1e-5
    hessian = dense_hessian(model, split, ["weight", "bias"])
    expected = 0.5 * 0.03**2 * (vector(model).square() * hessian.diagonal()).sum().item()
    estimate = average_sharpness(model, split, 0.03, 2000, generator=generator(1))
    assert estimate.signed_standard_error < 0.05 * expected
    assert abs(estimate.signed_mean - expected) < 4 * estimate.signed_standard_error


def test_elsewhere_it_is_the_second_order_of_the_loss_for_the_same_draws():
    model, split = logistic_regression()
    hessian = dense_hessian(model, split, ["weight", "bias"])
    theta = vector(model)
    draws, expected = generator(3), 0.0
    for _ in range(200):
        steps = drawn_like(list(model.parameters()), 1e-3, draws)
        delta = theta * torch.cat([step.reshape(-1) for step in steps])
        expected += (0.5 * delta @ hessian @ delta).item() / 200
    estimate = average_sharpness(model, split, 1e-3, 400, generator=generator(3))
    assert estimate.signed_mean == pytest.approx(expected, rel=1e-4)


def test_repetitions_scatter_as_the_standard_error_says():
    model, split = relu_network()
    estimates = [
        average_sharpness(model, split, 0.2, 20, generator=generator(seed)) for seed in range(150)
    ]
    means = torch.tensor([e.signed_mean for e in estimates])
    errors = torch.tensor([e.signed_standard_error for e in estimates])
    assert 0.8 < means.std() / errors.mean() < 1.2  # the ratio is known to 6 %


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


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_larger_ball_holds_a_larger_loss_and_no_draw_in_it_beats_the_search(norm):
    model, split = relu_network()
    values = [worst(model, split, radius, norm) for radius in (0.02, 0.1, 0.5)]
    assert 0 < values[0] < values[1] < values[2]
    theta, draws = vector(model), generator(0)
    for _ in range(200):
        move = torch.randn(len(theta), dtype=F64, generator=draws)
        move *= 0.1 / (move.abs().max() if norm == "linf" else move.norm())
        gain = loss_at(model, split, theta * (1 + move)) - plain_loss(model, split)
        assert gain < values[1]


def test_parameters_that_are_zero_are_not_moved():
    model, split = logistic_regression()
    with torch.no_grad():
        model.bias.zero_()
    fixed = copy.deepcopy(model)
    fixed.bias.requires_grad_(False)
    assert worst(model, split, 0.3, "linf") == pytest.approx(
        worst(fixed, split, 0.3, "linf"), rel=1e-12
    )


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
        average_sharpness(m, split, 0.2, 20, generator=generator(0)).signed_mean
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
                Subject(m, split), generator(0), samples=6, normalise_logits=normalise
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


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_smaller_groups_have_larger_worst_cases(norm):
    """The mean of maxima is at least the maximum of the mean, for equal groups of one order."""
    model, split = logistic_regression(n=48)
    values = [worst(model, split, 0.2, norm, group_size=m) for m in (1, 6, 12, 48)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 1.5 * values[-1]
    assert values[-1] == pytest.approx(worst(model, split, 0.2, norm), rel=1e-12)


def test_groups_are_drawn_without_replacement_and_averaged():
    model, split = logistic_regression(n=10)
    value, error = worst_sharpness(model, split, Ascent(0.1), 6, generator=generator(3))
    order = torch.randperm(10, generator=generator(3))
    gains = [
        worst(model, Split(split.inputs[rows], split.labels[rows]), 0.1)
        for rows in (order[:5], order[5:])
    ]
    assert value == pytest.approx(sum(gains) / 2, rel=1e-10)
    assert error == pytest.approx(abs(gains[0] - gains[1]) / 2, rel=1e-8)


@pytest.mark.parametrize("group_size", [None, 40, 1000])
def test_one_group_has_no_standard_error(group_size):
    model, split = relu_network()
    _, error = worst_sharpness(model, split, Ascent(0.1), group_size, generator=generator(0))
    assert error is None


def test_every_sample_is_in_one_group_where_sizes_do_not_divide():
    model, split = logistic_regression(n=11)
    value, error = worst_sharpness(model, split, Ascent(1e-6), 4, generator=generator(3))
    order = torch.randperm(11, generator=generator(3))
    norms = []
    for rows in (order[:4], order[4:8], order[8:]):
        part = Split(split.inputs[rows], split.labels[rows])
        norms.append(1e-6 * (vector(model) * gradient(model, part)).norm(1).item())
    assert value == pytest.approx(sum(norms) / 3, rel=1e-4)
    assert error > 0


def test_the_size_of_batches_changes_nothing():
    model, split = relu_network()
    for norm in ("linf", "l2"):
        whole, parts = (worst(model, split, 0.1, norm, batch_size=size) for size in (1024, 7))
        assert parts == pytest.approx(whole, rel=1e-9)
    whole, parts = (
        average_sharpness(model, split, 0.1, 6, generator=generator(0), batch_size=size).signed_mean
        for size in (1024, 7)
    )
    assert parts == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize("normalise", [False, True])
def test_the_model_is_left_as_it_was(normalise):
    model, split = network("resnet18").train(), images("resnet18", 10)
    before = copy.deepcopy(model.state_dict())
    settings = {"samples": 4, "steps": 2, "group_size": 5, "normalise_logits": normalise}
    average, worst_ = adaptive_sharpness(Subject(model, split), generator(0), **settings)
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert average.unit == worst_.unit == "nats"
    assert average.standard_error > 0
    assert worst_.standard_error > 0
