"""Loss surfaces against plain loops, and ASC sharpness against closed forms."""

import copy
import math

import numpy as np
import pytest
import torch
from sharpness_cases import (
    dense_hessian,
    images,
    network,
    plain_loss,
    points,
    randomise,
    subject_of,
)
from torch import nn

from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.seeding import generator
from minimascope.sharpness.directions import random_direction
from minimascope.sharpness.eigenvector_surface import eigenvector_surface
from minimascope.sharpness.landscape import asc_sharpness, measure
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.subject import Subject
from minimascope.sharpness.surface import loss_surface, symmetric_grid


def small() -> tuple[nn.Module, Split]:
    """Return a network with layers of every shape: convolutions, BatchNorm, a linear head."""
    torch.manual_seed(2)
    model = nn.Sequential(
        *(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)),
        *(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
    ).double()
    inputs = torch.randn(20, 1, 8, 8, dtype=torch.float64)
    return randomise(model, inputs), Split(inputs, torch.arange(20) % 3)


def pair(model: nn.Module, seed: int = 42, **settings) -> list[dict[str, torch.Tensor]]:
    draws = torch.Generator().manual_seed(seed)
    return [random_direction(model, draws, **settings) for _ in range(2)]


# --- directions -------------------------------------------------------------------------------


@pytest.mark.parametrize("normalisation", ["filter", "layer"])
def test_normalisation_gives_filters_or_layers_the_norms_of_the_networks(normalisation):
    model, _ = small()
    raw, found = (
        random_direction(model, generator(0), kind, "none") for kind in ("none", normalisation)
    )
    for name, parameter in model.named_parameters():
        parts = [(parameter, raw[name], found[name])]
        if normalisation == "filter" and parameter.ndim > 1:
            parts = list(zip(parameter, raw[name], found[name], strict=True))
        for values, drawn, scaled in parts:
            expected = drawn * (values.norm() / drawn.norm())
            torch.testing.assert_close(scaled, expected.detach(), rtol=1e-12, atol=0)


def test_draws_without_normalisation_are_standard_normal():
    model = nn.Linear(300, 100)
    values = random_direction(model, generator(0), "none")["weight"].double()
    assert abs(values.mean()) < 4 / math.sqrt(30000)
    assert abs(values.std() - 1) < 4 / math.sqrt(2 * 30000)


@pytest.mark.parametrize("normalisation", ["filter", "layer", "none"])
def test_biases_and_norms_stay_where_they_are_unless_they_are_asked_for(normalisation):
    model, _ = small()
    ignored, moved = (
        random_direction(model, generator(0), normalisation, ignore)
        for ignore in ("biases_and_norms", "none")
    )
    assert set(ignored) == set(moved) == {name for name, _ in model.named_parameters()}
    for name, parameter in model.named_parameters():
        assert (ignored[name] == 0).all() == (parameter.ndim <= 1)
        assert (moved[name] != 0).all()
        if parameter.ndim > 1:
            assert torch.equal(ignored[name], moved[name])


def test_single_and_double_precision_get_the_same_directions():
    model, _ = small()
    double, single = (
        random_direction(m, generator(0)) for m in (model, copy.deepcopy(model).float())
    )
    for name, drawn in double.items():
        assert single[name].dtype == torch.float32
        torch.testing.assert_close(single[name].double(), drawn, rtol=1e-5, atol=1e-7)


# --- surfaces ---------------------------------------------------------------------------------


def moved(model: nn.Module, directions, coordinates) -> nn.Module:
    result = copy.deepcopy(model)
    state = result.state_dict()
    for direction, coordinate in zip(directions, coordinates, strict=True):
        for name, step in direction.items():
            state[name] += coordinate * step
    return result


@pytest.mark.parametrize("architecture", ["resnet18", "vit"])
def test_a_surface_is_a_plain_loop_over_moved_copies(architecture):
    model, split = network(architecture), images(architecture, 10)
    directions = pair(model, ignore="none")
    axes = [torch.tensor([-0.25, 0.0, 0.1]), torch.tensor([0.0, 0.2])]
    surface = loss_surface(model, Objective(split), directions, axes, batch_size=7)
    assert surface.shape == (3, 2)
    assert surface.dtype == torch.float64
    for i, x in enumerate(axes[0].tolist()):
        for j, y in enumerate(axes[1].tolist()):
            expected = plain_loss(moved(model, directions, (x, y)), split)
            assert surface[i, j].item() == pytest.approx(expected, rel=1e-10)


def test_the_centre_is_the_loss_of_the_network_itself():
    model, split = small()
    single = copy.deepcopy(model).float()
    for given in (model, single):
        axis = symmetric_grid(0.25, 11)
        surface = loss_surface(given, Objective(split), pair(given), [axis, axis])
        assert surface[5, 5] == Objective(split).mean(given)


def test_rescaled_filters_before_batchnorm_give_the_same_surface():
    """α w, α μ and α² σ² is the same function, and a direction is rescaled with its filter."""
    model, split = small()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 0.0
    rescaled = copy.deepcopy(model)
    with torch.no_grad():
        for convolution, norm in ((rescaled[0], rescaled[1]), (rescaled[3], rescaled[4])):
            for k in range(len(convolution.weight)):
                alpha = 0.3 * (k + 2)
                convolution.weight[k] *= alpha
                if convolution.bias is not None:
                    convolution.bias[k] *= alpha
                norm.running_mean[k] *= alpha
                norm.running_var[k] *= alpha**2
    axis = symmetric_grid(0.25, 5)
    surfaces = [loss_surface(m, Objective(split), pair(m), [axis, axis]) for m in (model, rescaled)]
    torch.testing.assert_close(*surfaces, rtol=1e-10, atol=0)
    raw = [
        loss_surface(m, Objective(split), pair(m, normalisation="none"), [axis, axis])
        for m in (model, rescaled)
    ]
    assert not torch.allclose(*raw, rtol=1e-3)


# --- ASC sharpness ----------------------------------------------------------------------------


@pytest.mark.parametrize("points_", [1, 2, 11, 51])
def test_the_grid_is_symmetric_with_an_exact_zero(points_):
    grid = symmetric_grid(0.25, points_)
    np.testing.assert_allclose(grid, np.linspace(-0.25, 0.25, points_) if points_ > 1 else [0])
    assert torch.equal(grid, -grid.flip(0))
    assert (0 in grid.tolist()) == bool(points_ % 2)


@pytest.mark.parametrize(("a", "b", "lowest"), [(8, 2, 0.5), (2, 8, 0.0), (1, 1, 3.0)])
def test_asc_sharpness_of_a_paraboloid(a, b, lowest):
    """L = lowest + a x² + b y² is largest on the circle, at r² times the larger of a and b."""
    axis = symmetric_grid(0.25, 11)
    surface = lowest + a * axis[:, None] ** 2 + b * axis**2
    expected = 100 * max(a, b) * 0.0625 / (1 + lowest)
    assert asc_sharpness(surface, axis) == pytest.approx(expected, rel=1e-12)
    half = 100 * max(a, b) * 0.04 / (1 + lowest)
    assert asc_sharpness(surface, axis, 0.2) == pytest.approx(half, rel=1e-12)


def test_asc_sharpness_leaves_out_the_corners_and_takes_the_lowest_point_anywhere():
    axis = symmetric_grid(0.25, 11)
    surface = torch.ones(11, 11)
    surface[0, 0] = surface[10, 0] = torch.inf
    # (-0.2, -0.15) is exactly on the circle but for rounding.
    surface[7, 4], surface[1, 2] = 0.5, 2.0
    assert asc_sharpness(surface, axis) == pytest.approx(100 * 1.5 / 1.5, rel=1e-12)


@pytest.mark.parametrize(
    ("surface", "axis", "radius", "message"),
    [
        (torch.zeros(3, 2), torch.zeros(3), 1.0, "do not belong together"),
        (torch.zeros(3, 3), torch.arange(-1.0, 2), 0.5, "holds 1 grid points"),
        (torch.full((3, 3), torch.nan), torch.arange(-1.0, 2), 1.0, "not finite in the disc"),
    ],
)
def test_surfaces_without_a_sharpness_are_refused(surface, axis, radius, message):
    with pytest.raises(InputError, match=message) as caught:
        asc_sharpness(surface, axis, radius)
    assert "\n" not in str(caught.value)


def test_measure_is_the_plain_procedure_with_its_statistics():
    model, split = small()
    measured = measure(
        Subject(model, Objective(split)), generator(0), dtype="float64", points=5, line_points=3
    )
    axis, sharpness = [-0.25, -0.125, 0.0, 0.125, 0.25], []
    for index, seed in enumerate((42, 43, 44)):
        directions, inside = pair(model, seed), []
        for i, x in enumerate(axis):
            for j, y in enumerate(axis):
                loss = plain_loss(moved(model, directions, (x, y)), split)
                found = measured.arrays["surfaces"][index, i, j]
                assert found == pytest.approx(loss, rel=1e-10)
                if x * x + y * y <= 0.0625:
                    inside.append(loss)
        sharpness.append(100 * (max(inside) - min(inside)) / (1 + min(inside)))
        ends = [plain_loss(moved(model, directions, (x, 0)), split) for x in (-0.25, 0, 0.25)]
        np.testing.assert_allclose(measured.arrays["lines"][index], ends, rtol=1e-10)
    mean = sum(sharpness) / 3
    deviation = math.sqrt(sum((s - mean) ** 2 for s in sharpness) / 2)
    found = {m.measure: m for m in measured.measurements}
    expected = {
        "asc_sharpness": mean,
        "asc_sharpness_max": max(sharpness),
        "asc_sharpness_std": deviation,
        "asc_sharpness_cv": deviation / mean,
    }
    assert {name: m.value for name, m in found.items()} == pytest.approx(expected, rel=1e-8)
    error = found["asc_sharpness"].standard_error
    assert error == pytest.approx(deviation / math.sqrt(3), rel=1e-8)
    assert measured.details["asc_sharpness"] == pytest.approx(sharpness, rel=1e-8)


def test_one_pair_of_directions_has_no_spread():
    measured = measure(
        subject_of(*small()), generator(0), points=3, direction_seeds=[1], line_points=0
    )
    assert [m.measure for m in measured.measurements] == ["asc_sharpness", "asc_sharpness_max"]
    assert measured.measurements[0].standard_error is None
    assert "lines" not in measured.arrays


# --- along eigenvectors -----------------------------------------------------------------------


def eigenvector_problem() -> tuple[nn.Module, Split, torch.Tensor]:
    """A smooth network with a dense Hessian of its own."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    split = points(30, 4, 3)
    names = [name for name, _ in model.named_parameters()]
    return model, split, dense_hessian(model, split, names)


def test_second_differences_along_eigenvectors_are_the_eigenvalues():
    model, split, dense = eigenvector_problem()
    step = 1e-3
    axis = step * torch.arange(-2.0, 3.0, dtype=torch.float64)
    found = eigenvector_surface(model, Objective(split), axis, generator(0))
    losses = found.arrays["eigenvector_losses"]
    along = losses[:, 2], losses[2]
    exact = torch.linalg.eigvalsh(dense).flip(0)[:2].tolist()
    for values, expected in zip(along, exact, strict=True):
        assert (values[3] - 2 * values[2] + values[1]) / step**2 == pytest.approx(
            expected, rel=1e-4
        )
    mixed = (losses[3, 3] - losses[3, 1] - losses[1, 3] + losses[1, 1]) / (4 * step**2)
    # An eigenvector has an error of its eigenvalue's tolerance.
    assert abs(mixed) < 2e-3 * exact[0]
    details = found.details["eigenvectors"]
    assert details["eigenvalues"] == pytest.approx(exact, rel=1e-4)
    for values, slope in zip(along, details["slopes"], strict=True):
        assert (values[3] - values[1]) / (2 * step) == pytest.approx(slope, rel=1e-4)
    assert losses[2, 2] == pytest.approx(plain_loss(model, split), rel=1e-12)


def test_the_prediction_is_right_up_to_third_order():
    model, split, _ = eigenvector_problem()
    errors = []
    for radius in (0.1, 0.05):
        axis = symmetric_grid(radius, 5)
        arrays = eigenvector_surface(model, Objective(split), axis, generator(0)).arrays
        difference = arrays["eigenvector_losses"] - arrays["eigenvector_prediction"]
        errors.append(np.abs(difference).max())
        curved = np.ptp(arrays["eigenvector_losses"])
        assert errors[-1] < 0.1 * curved
    assert errors[1] < errors[0] / 6


def test_the_sign_of_an_eigenvector_does_not_depend_on_the_solvers_start():
    model, split, dense = eigenvector_problem()
    axis = symmetric_grid(0.5, 3)
    first, second = (
        eigenvector_surface(model, Objective(split), axis, generator(seed)).arrays
        for seed in (0, 1)
    )
    for name, values in first.items():
        np.testing.assert_allclose(second[name], values, rtol=2e-3)
    vector = torch.linalg.eigh(dense)[1][:, -1]
    vector = vector * vector[vector.abs().argmax()].sign()
    moved = copy.deepcopy(model)
    theta = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
    nn.utils.vector_to_parameters(theta + 0.5 * vector, moved.parameters())
    expected = plain_loss(moved, split)
    assert first["eigenvector_losses"][2, 1] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_landscape_has_the_surface_along_eigenvectors_on_request(dtype):
    subject = subject_of(*eigenvector_problem()[:2])
    settings = {"points": 5, "line_points": 0, "direction_seeds": [42], "dtype": dtype}
    plain = measure(subject, generator(0), **settings)
    found = measure(subject, generator(0), eigenvectors=True, eigenvector_radius=0.3, **settings)
    assert plain.measurements == found.measurements
    assert found.arrays.keys() - plain.arrays.keys() == {
        *("eigenvector_coordinates", "eigenvector_losses", "eigenvector_prediction")
    }
    axis = found.arrays["eigenvector_coordinates"]
    assert axis.tolist() == pytest.approx([-0.3, -0.15, 0, 0.15, 0.3])
    assert len(found.details["eigenvectors"]["eigenvalues"]) == 2


def test_a_second_eigenvalue_that_does_not_exist_is_refused():
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.slope = nn.Parameter(torch.ones(1, dtype=torch.float64))

        def forward(self, inputs):
            return inputs * self.slope

    with pytest.raises(InputError, match="second eigenvalue did not converge"):
        eigenvector_surface(One(), Objective(points(10, 3, 3)), symmetric_grid(1, 3), generator(0))
