"""Adaptive sharpness against closed forms for small radii and exhaustive search for large ones."""

import copy
import itertools
import math
import statistics

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sharpness_cases import drawn_like, gradient, plain_loss, points
from torch import nn

from minimascope.ascent.auto_pgd import Seen, largest_values
from minimascope.ascent.ball import Ball, in_unit_ball
from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.seeding import generator
from minimascope.sharpness.adaptive import (
    Ascent,
    NormalisedLogits,
    average_sharpness,
    worst_sharpness,
)
from minimascope.sharpness.cross_entropy import CrossEntropy
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


def perceptron(seed: int) -> tuple[nn.Module, Split]:
    """A perceptron that has learnt most of 40 random labels."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3)).double()
    split = points(40, 6, 3)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(split.inputs), split.labels).backward()
        optimizer.step()
    return model, split


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


def by_the_book(evaluate, start, ascent) -> float:
    """Auto-PGD as Algorithm 1 states it, with all points and values kept."""

    def projected(point):
        if ascent.norm == "linf":
            return point.clip(-ascent.radius, ascent.radius)
        return point * min(1, ascent.radius / np.linalg.norm(point))

    def rising(point, size):
        gradient = evaluate(point)[1]
        unit = np.sign(gradient) if ascent.norm == "linf" else gradient / np.linalg.norm(gradient)
        return projected(point + size * unit)

    shares = [0.22, 0.41, 0.57, 0.7, 0.8, 0.87, 0.93, 0.99]
    # Whole numbers of hundredths are divided without rounding.
    checkpoints = [0, *(-(-round(100 * share) * ascent.steps // 100) for share in shares)]
    sizes, values = {0: 2 * ascent.radius}, [evaluate(start)[0]]
    points = [start, rising(start, sizes[0])]
    size, best, met = sizes[0], {0: 0}, [start]
    for step in range(1, ascent.steps + 1):
        values.append(evaluate(points[-1])[0])
        met.append(points[-1])
        if step in checkpoints:
            last = checkpoints[checkpoints.index(step) - 1]
            rises = sum(values[i + 1] > values[i] for i in range(last, step))
            best[step] = int(np.argmax(values))
            kept = last in sizes and last > 0 and sizes[last] == size
            stalled = kept and values[best[last]] == values[best[step]]
            sizes[step] = size
            if rises < 0.75 * (step - last) or stalled:
                size /= 2
                points[-1] = met[best[step]]
                values[-1] = values[best[step]]
        target = rising(points[-1], size)
        mixed = points[-1] + 0.75 * (target - points[-1]) + 0.25 * (points[-1] - points[-2])
        points.append(projected(mixed))
    return max(values)


@pytest.mark.parametrize("steps", [3, 20, 50])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_auto_pgd_is_algorithm_1_of_croce_and_hein_for_every_row(norm, steps):
    """All rows at once find what each finds alone, with a function and a radius of its own."""
    # With the last four it matters that neither the step nor the best value has changed.
    seeds = (*range(20), 65, 69, 70, 93)
    waves, phases, expected = [], [], []
    radii = torch.tensor([2.0, 0.5] * (len(seeds) // 2), dtype=F64)
    for seed, radius in zip(seeds, radii.tolist(), strict=True):
        random = np.random.default_rng(seed)
        waves.append(random.normal(size=(8, 5)))
        phases.append(random.normal(size=8))

        def in_numpy(point, waves=waves[-1], phases=phases[-1]):
            angles = waves @ point + phases
            return np.sin(angles).sum(), np.cos(angles) @ waves

        expected.append(by_the_book(in_numpy, np.zeros(5), Ascent(radius, norm, steps)))
    waves, phases = (torch.tensor(np.stack(each)) for each in (waves, phases))

    def in_torch(points, rows):
        angles = torch.einsum("nwd,nd->nw", waves[rows], points) + phases[rows]
        return Seen(angles.sin().sum(1), torch.einsum("nw,nwd->nd", angles.cos(), waves[rows]))

    centre = torch.zeros(len(seeds), 5, dtype=F64)
    values, points = largest_values(in_torch, centre, Ball(centre, radii, norm), steps)
    assert values.tolist() == pytest.approx(expected, rel=1e-9)
    torch.testing.assert_close(in_torch(points, torch.arange(len(seeds))).values, values)


def shrinking_steps(model, split, radius, norm) -> float:
    """Ascent by twenty steps that shrink to nothing and add up to twice the radius."""
    theta = vector(model)
    moves, losses = torch.zeros_like(theta), [plain_loss(model, split)]
    for step in range(20):
        moved = copy.deepcopy(model)
        nn.utils.vector_to_parameters(theta * (1 + moves), moved.parameters())
        slope = theta * gradient(moved, split)
        direction = slope.sign() if norm == "linf" else slope / slope.norm()
        moves = moves + 0.2 * radius * (1 - step / 20) * direction
        if norm == "linf":
            moves = moves.clamp(-radius, radius)
        else:
            moves = moves * min(1, radius / moves.norm().item())
        losses.append(loss_at(model, split, theta * (1 + moves)))
    return max(losses) - losses[0]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("norm", "radius"), [("linf", 0.01), ("linf", 0.05), ("l2", 0.1), ("l2", 0.5)]
)
def test_auto_pgd_finds_more_than_steps_that_only_shrink(seed, norm, radius):
    model, split = perceptron(seed)
    assert worst(model, split, radius, norm) >= shrinking_steps(model, split, radius, norm)


@pytest.mark.parametrize(("norm", "radius"), [("linf", 0.01), ("l2", 0.1)])
def test_more_steps_and_more_starts_find_no_less(norm, radius):
    model, split = perceptron(1)

    def found(**settings):
        ascent = Ascent(radius, norm, **settings)
        return worst_sharpness(model, Objective(split), ascent, generator=generator(0))[0]

    for values in (
        [found(steps=steps) for steps in (1, 3, 10, 20, 40)],
        [found(starts=starts) for starts in (1, 2, 5, 8)],
    ):
        assert values == sorted(values)
        assert values[-1] > values[0] > 0


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_random_starts_lie_in_the_ball(norm):
    points = 0.3 * in_unit_ball((20, 50), norm, generator(0))
    sizes = points.norm(dim=1) if norm == "l2" else points.abs().amax(1)
    assert sizes.max() <= 0.3 * (1 + 1e-12)
    assert sizes.min() > 0.25
    assert abs(points.mean()) < 0.3 * {"linf": 0.1, "l2": 0.02}[norm]


def test_parameters_that_are_zero_neither_move_nor_count():
    model, split = relu_network()
    with torch.no_grad():
        model[4].weight[1].zero_()
    wider = copy.deepcopy(model)
    wider[4] = nn.Linear(8, 3).double()
    with torch.no_grad():
        wider[4].weight.copy_(model[4].weight)
        wider[4].bias.zero_()
    ascent = Ascent(0.3, "l2", starts=1)
    values = [
        worst_sharpness(m, Objective(split), ascent, generator=generator(0))[0]
        for m in (model, wider)
    ]
    assert values[1] == pytest.approx(values[0], rel=1e-9)


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


def normalised_in_numpy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Losses of softmax(z), z = (f - mean f) / sd f over classes, of logits [m, classes]."""
    logits = (logits - logits.mean(1, keepdims=True)) / logits.std(1, keepdims=True)
    return np.log(np.exp(logits).sum(1)) - logits[np.arange(len(logits)), labels]


def test_normalised_logits_of_pixels_are_those_of_each_pixel():
    outputs, labels = torch.randn(2, 3, 4, 5, dtype=F64), torch.randint(0, 3, (2, 4, 5))
    expected = normalised_in_numpy(
        outputs.permute(0, 2, 3, 1).reshape(-1, 3).numpy(), labels.flatten().numpy()
    )
    for found in (outputs, outputs.permute(0, 2, 3, 1)):
        loss = NormalisedLogits()
        np.testing.assert_allclose(loss.terms(found, labels), expected)
        assert loss.total(found, labels).item() == pytest.approx(expected.sum())


def test_logits_are_normalised_only_for_a_softmax():
    model, split = perceptron(0)
    other = CrossEntropy()
    other.name, other.softmax = "own_loss", False
    with pytest.raises(InputError, match="normalise_logits: own_loss has no softmax"):
        adaptive_sharpness(
            Subject(model, Objective(split, other)), generator(0), normalise_logits=True
        )


@pytest.mark.parametrize("constant", [0.0, 1.0, 10.0])
def test_a_constant_added_to_all_logits_changes_nothing_once_they_are_normalised(constant):
    model, split = perceptron(2)
    with torch.no_grad():
        model[2].bias += constant
    model[2].bias.requires_grad_(False)
    logits = model(split.inputs).detach().numpy()
    loss = Objective(split, NormalisedLogits()).mean(model).item()
    assert loss == pytest.approx(normalised_in_numpy(logits, split.labels.numpy()).mean())
    plain = perceptron(2)[0]
    plain[2].bias.requires_grad_(False)
    expected = adaptive_sharpness(
        Subject(plain, Objective(split)), generator(0), samples=20, normalise_logits=True
    )
    found = adaptive_sharpness(
        Subject(model, Objective(split)), generator(0), samples=20, normalise_logits=True
    )
    for before, after in zip(expected, found, strict=True):
        assert after.value == pytest.approx(before.value, rel=1e-6)


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
