"""SAM-sharpness against a plain loop, a closed form and its own error bar."""

import copy
import math

import pytest
import torch
from sharpness_cases import drawn_like, images, network
from torch import nn

from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.seeding import generator
from minimascope.sharpness.losses import find_loss
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.perturbation import measure, sam_sharpness, sam_sharpness_at
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


RADII = [0.05, 0.2, 1e-3]


def test_further_radii_of_a_quadratic_loss_are_slope_and_curvature_along_the_same_directions():
    """Of squared errors of a linear network, L(θ + δ) − L(θ) = gᵀδ + ½ δᵀHδ at any length."""
    model = nn.Linear(5, 1).double()
    torch.manual_seed(1)
    inputs, targets = torch.randn(2, 40, 5, dtype=torch.float64).unbind()
    rows = torch.cat([inputs, torch.ones(40, 1, dtype=torch.float64)], 1)
    origin = torch.cat([p.detach().flatten() for p in model.parameters()])
    slope = 2 * rows.T @ (rows @ origin - targets[:, 0]) / 40
    hessian = 2 * rows.T @ rows / 40
    objective = Objective(Split(inputs, targets[:, :1]), find_loss("mse"))
    found = sam_sharpness_at(model, objective, RADII, 300, generator=generator(2))
    draws, parameters = generator(2), list(model.parameters())
    steps = [drawn_like(parameters, 1 / math.sqrt(6), draws) for _ in range(300)]
    steps = [torch.cat([part.flatten() for part in step]) for step in steps]
    for radius, estimate in zip(RADII, found, strict=True):
        changes = [slope @ (radius * d) + radius**2 / 2 * d @ hessian @ d for d in steps]
        changes = torch.stack(changes) / radius
        assert estimate.signed_mean == pytest.approx(changes.mean().item(), rel=1e-8)
        assert estimate.mean == pytest.approx(changes.abs().mean().item(), rel=1e-8)
        error = changes.abs().std().item() / math.sqrt(300)
        assert estimate.standard_error == pytest.approx(error, rel=1e-8)
        expected = radius * hessian.trace().item() / 12
        assert abs(estimate.signed_mean - expected) < 4 * estimate.signed_standard_error


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_each_radius_is_what_it_is_alone_and_the_first_bit_for_bit(dtype):
    model, inputs, labels = small_problem()
    model, objective = model.to(dtype), Objective(Split(inputs, labels))
    first, *others = sam_sharpness_at(model, objective, RADII, 10, generator=generator(0))
    alone = [sam_sharpness(model, objective, r, 10, generator=generator(0)) for r in RADII]
    assert first == alone[0]
    near = 1e-8 if dtype == torch.float64 else 2e-3
    for estimate, expected in zip(others, alone[1:], strict=True):
        assert estimate.mean == pytest.approx(expected.mean, rel=near)
        assert estimate.standard_error == pytest.approx(expected.standard_error, rel=near)
        assert estimate.signed_mean == pytest.approx(expected.signed_mean, rel=10 * near)
        assert estimate.rounding == expected.rounding


def test_further_radii_have_names_errors_and_floors_of_their_own_and_change_nothing_else():
    split, chosen = images("resnet18", 20), {"samples": 4, "published_samples": 2, "adaptive": {}}
    chosen["adaptive"] = {"samples": 4, "steps": 2, "starts": 1}
    subject = Subject(network("resnet18").float(), Objective(split))
    plain = measure(subject, generator(0), **chosen)
    more = measure(subject, generator(0), more_radii=[0.02, 1], **chosen)
    added = [m for m in more.measurements if m not in plain.measurements]
    assert [m for m in more.measurements if m not in added] == plain.measurements
    assert more.details == plain.details
    bases, radii = ("sam_sharpness", "sam_sharpness_signed"), {"0p02": 0.02, "1": 1.0}
    assert [m.measure for m in added] == [f"{base}_{name}" for name in radii for base in bases]
    floor = plain.measurements[0].noise_floor
    for measurement in added:
        radius = radii[measurement.measure.rpartition("_")[2]]
        assert measurement.noise_floor == pytest.approx(floor * 0.005 / radius)
        assert measurement.standard_error > 0
        assert (measurement.unit, measurement.n) == ("1", 20)
    assert measure(subject, generator(0), more_radii=(), **chosen) == plain


@pytest.mark.parametrize(
    ("radii", "message"),
    [
        ([0.0], "radius: 0.0 is no length"),
        ([math.nan], "radius: nan is no length"),
        ([0.1, -1.0], "more_radii: -1.0 is no length"),
        ([0.1, math.inf], "more_radii: inf is no length"),
        ([0.1, 0.1], "more_radii: 0.1 is measured already"),
        ([0.1, 1, 1.0], "more_radii: 1.0 is measured already"),
        ([0.1, 1e300], "more_radii: 1e+300: the loss is not finite at"),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_radii_that_make_no_sense_are_refused(radii, message, dtype):
    model, inputs, labels = small_problem()
    objective = Objective(Split(inputs, labels))
    with pytest.raises(InputError) as caught:
        sam_sharpness_at(model.to(dtype), objective, radii, 3, generator=generator(0))
    assert str(caught.value).startswith(message)
