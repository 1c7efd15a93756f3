"""SAM-sharpness against a plain loop, a closed form and its own error bar."""

import copy
import math

import pytest
import torch
from sharpness_cases import drawn_like
from torch import nn

from minimascope.data.prepared import Split
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.seeding import generator
from minimascope.sharpness.losses import mean_loss
from minimascope.sharpness.perturbation import measure, sam_sharpness
from minimascope.sharpness.subject import Subject


def small_problem() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 4)).double()
    inputs = torch.randn(30, 5, dtype=torch.float64)
    return model, inputs, torch.randint(0, 4, (30,))


def test_equals_a_plain_loop_over_perturbed_copies():
    model, inputs, labels = small_problem()
    estimate = sam_sharpness(model, inputs, labels, 0.1, 20, generator=generator(0))

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
    estimate = sam_sharpness(model, inputs, labels, 1e-6, 1000, generator=generator(1))
    assert abs(estimate.mean - expected) < 4 * estimate.standard_error
    assert estimate.standard_error < 0.03 * expected


def test_repetitions_scatter_as_the_standard_error_says():
    model, inputs, labels = small_problem()
    estimates = [
        sam_sharpness(model, inputs, labels, 0.05, 50, generator=generator(seed))
        for seed in range(200)
    ]
    means = torch.tensor([e.mean for e in estimates])
    errors = torch.tensor([e.standard_error for e in estimates])
    ratio = means.std() / errors.mean()
    assert 0.82 < ratio < 1.18  # the ratio itself is known to 5 %


def test_the_same_generator_gives_the_same_value_in_batches_of_any_size():
    model, inputs, labels = small_problem()
    whole, parts = (
        sam_sharpness(model, inputs, labels, generator=generator(5), batch_size=size)
        for size in (1024, 7)
    )
    assert parts.mean == pytest.approx(whole.mean, rel=1e-6)


def test_the_model_is_left_as_it_was():
    spec = NetworkSpec("resnet18", channels=1, input_size=(8, 8), classes=4, width=0.0625)
    model = NormalisedInput(initialise(spec, 0), [0.5], [0.5]).train()
    images = torch.randint(0, 256, (12, 1, 8, 8), dtype=torch.uint8)
    split = Split(images, torch.arange(12) % 4)
    state = copy.deepcopy(model.state_dict())
    measured = measure(Subject(model, split), generator(0), radius=0.01, samples=3, adaptive={})
    first = measured.measurements[0]
    assert model.training
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert first.standard_error > 0
    assert 0 <= first.noise_floor < first.value


def test_float64_agrees_with_float32_within_the_stated_rounding_floor():
    spec = NetworkSpec("resnet18", channels=1, input_size=(8, 8), classes=4, width=0.0625)
    model = NormalisedInput(initialise(spec, 0), [0.5], [0.5]).eval()
    images = torch.randint(0, 256, (40, 1, 8, 8), dtype=torch.uint8)
    labels = torch.arange(40) % 4
    single = sam_sharpness(model, images, labels, generator=generator(0), samples=5)
    exact = mean_loss(copy.deepcopy(model).double(), images, labels)
    rounded = mean_loss(model, images, labels)
    assert single.rounding == pytest.approx(abs(exact - rounded).item() / 0.005, abs=1e-12)
    double = sam_sharpness(
        copy.deepcopy(model).double(), images, labels, generator=generator(0), samples=5
    )
    assert double.rounding == 0


def test_running_statistics_are_not_perturbed():
    """A network whose only parameters are behind BatchNorm's statistics sees them fixed."""
    model = nn.Sequential(nn.BatchNorm1d(3, affine=False), nn.Linear(3, 2)).double().eval()
    model[0].running_mean += 2
    inputs, labels = torch.randn(20, 3, dtype=torch.float64), torch.arange(20) % 2
    head = copy.deepcopy(model[1])
    value = sam_sharpness(model, inputs, labels, generator=generator(0)).mean
    expected = sam_sharpness(head, model[0](inputs), labels, generator=generator(0)).mean
    assert value == pytest.approx(expected, rel=1e-9)
