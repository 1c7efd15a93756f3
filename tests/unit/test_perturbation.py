"""SAM-sharpness against a plain loop, a closed form and its own error bar."""

import copy
import math

import pytest
import torch
from sharpness_cases import drawn_like, images, network
from torch import nn

from minimascope.data.prepared import Split
from minimascope.seeding import generator
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.perturbation import measure, sam_sharpness
from minimascope.sharpness.subject import Subject


def small_problem() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 4)).double()
    inputs = torch.randn(30, 5, dtype=torch.float64)
    return model, inputs, torch.randint(0, 4, (30,))


def test_equals_a_plain_loop_over_perturbed_copies():
    model, inputs, labels = small_problem()
    estimate = sam_sharpness(
        model, Objective(Split(inputs, labels)), 0.1, 20, generator=generator(0)
    )

    draws, loss = generator(0), nn.CrossEntropyLoss()
    count = sum(p.numel() for p in model.parameters())
    with torch.no_grad():
        centre = loss(model(inputs), labels)
        differences = []
        for _ in range(20):
            moved = copy.deepcopy(model)
            steps = drawn_like(list(moved.parameters()), 0.1 / math.sqrt(count), draws)
            for p, step in zip(moved.parameters(), steps, strict=True):
                p += step
            differences.append((loss(moved(inputs), labels) - centre).item() / 0.1)
    absolute = [abs(d) for d in differences]
    mean = sum(absolute) / 20
    deviation = math.sqrt(sum((a - mean) ** 2 for a in absolute) / 19)
    assert estimate.mean == pytest.approx(mean, rel=1e-9)
    assert estimate.signed_mean == pytest.approx(sum(differences) / 20, rel=1e-8)
    assert estimate.standard_deviation == pytest.approx(deviation, rel=1e-9)
    assert estimate.standard_error == pytest.approx(deviation / math.sqrt(20), rel=1e-9)
    assert estimate.samples == 20


def test_small_radius_gives_the_closed_form_of_the_gradient():
    """For ρ → 0, S = E|⟨g, δ⟩|/ρ = ‖g‖ √(2/(πP)) for the gradient g of the loss."""
    model, inputs, labels = small_problem()
    nn.functional.cross_entropy(model(inputs), labels).backward()
    gradient = torch.cat([p.grad.reshape(-1) for p in model.parameters()])
    expected = gradient.norm().item() * math.sqrt(2 / (math.pi * len(gradient)))
    estimate = sam_sharpness(
        model, Objective(Split(inputs, labels)), 1e-6, 1000, generator=generator(1)
    )
    assert abs(estimate.mean - expected) < 4 * estimate.standard_error
    assert estimate.standard_error < 0.03 * expected


def test_repetitions_scatter_as_the_standard_error_says():
    model, inputs, labels = small_problem()
    estimates = [
        sam_sharpness(model, Objective(Split(inputs, labels)), 0.05, 50, generator=generator(seed))
        for seed in range(200)
    ]
    means = torch.tensor([e.mean for e in estimates])
    errors = torch.tensor([e.standard_error for e in estimates])
    ratio = means.std() / errors.mean()
    assert 0.82 < ratio < 1.18  # the ratio itself is known to 5 %


def test_rounding_is_the_distance_of_the_loss_from_that_in_float64():
    split = images("resnet18", 40)
    double = network("resnet18")
    single, draws = copy.deepcopy(double).float(), generator(0)
    found = measure(
        Subject(single, Objective(split)), draws, samples=5, published=False
    ).measurements[0]
    exact, rounded = (
        Objective(split).mean(model) for model in (copy.deepcopy(single).double(), single)
    )
    floor = abs(exact - rounded).item() / 0.005
    assert found.noise_floor == pytest.approx(floor, abs=1e-12)
    assert 0 < found.noise_floor < found.value
    settings = {"samples": 2, "dtype": "float64", "published": False}
    (first, *_) = measure(Subject(double, Objective(split)), draws, **settings).measurements
    assert first.noise_floor is None


def test_running_statistics_are_not_perturbed():
    """A network whose only parameters are behind BatchNorm's statistics sees them fixed."""
    model = nn.Sequential(nn.BatchNorm1d(3, affine=False), nn.Linear(3, 2)).double().eval()
    model[0].running_mean += 2
    inputs, labels = torch.randn(20, 3, dtype=torch.float64), torch.arange(20) % 2
    head = copy.deepcopy(model[1])
    value = sam_sharpness(model, Objective(Split(inputs, labels)), generator=generator(0)).mean
    expected = sam_sharpness(
        head, Objective(Split(model[0](inputs), labels)), generator=generator(0)
    ).mean
    assert value == pytest.approx(expected, rel=1e-9)
