"""Products, eigenvalues, trace and spectrum against dense Hessians that torch differentiates."""

import copy
import math

import numpy as np
import pytest
import torch
from sharpness_cases import (
    SPECTRA,
    attentive,
    dense_hessian,
    gradient,
    images,
    network,
    points,
    quadratic,
    subject_of,
    symmetric,
)
from torch import nn

from minimascope.seeding import child, generator
from minimascope.sharpness.eigenvalues import extreme_eigenvalues
from minimascope.sharpness.flat import selected_parameters
from minimascope.sharpness.hessian import loss_hessian, measure, spectral_quadrature
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.subject import Subject
from minimascope.sharpness.trace import hutchpp_trace

F64 = torch.float64


CASES = {
    "attention": "all",
    "resnet18": ["*body.0.*", "*body.[34].*", "*9.shortcut.*", "*head*"],
    "vgg19": ["*body.0.*", "*body.[13].*", "*body.55.*", "*head*"],
    "vit": [
        *("*class_token", "*5.attention.[01].[wt]*", "*5.attention.1.proj*bias"),
        *("*.norm.*", "*head*"),
    ],
    "cnn10": ["*bn0.weight", "*blocks.0.*", "*blocks.1.conv1*", "*fc1.bias", "*head*"],
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    name, selection = request.param, CASES[request.param]
    model, split = attentive() if name == "attention" else (network(name), images(name, 12))
    operator = loss_hessian(model, Objective(split), selection, batch_size=7)
    dense = dense_hessian(model, split, list(selected_parameters(model, selection)))
    assert dense.shape == operator.shape
    assert len(dense) > 60
    return operator, dense


def test_products_are_those_of_the_dense_hessian(case):
    operator, dense = case
    vectors = torch.randn(len(dense), 3, dtype=F64, generator=generator(0))
    expected = dense @ vectors
    scale = expected.norm()
    assert (operator @ vectors - expected).norm() < 1e-10 * scale
    assert (operator @ vectors[:, 1] - expected[:, 1]).norm() < 1e-10 * scale


@pytest.mark.parametrize(("end", "count"), [("largest", 4), ("smallest", 2)])
def test_eigenvalues_at_both_ends_are_those_of_the_dense_hessian(case, end, count):
    operator, dense = case
    found = extreme_eigenvalues(operator, count, generator(0), 1e-10, 300, end)
    assert found.converged
    exact = torch.linalg.eigvalsh(dense)
    expected = exact.flip(0)[:count] if end == "largest" else exact[:count]
    assert end == "largest" or expected[0] < -1e-6
    assert found.values == pytest.approx(expected.tolist(), rel=1e-6)
    assert all(residual < 1e-6 * exact[-1] for residual in found.residuals)


def test_trace_is_exact_with_as_many_products_as_parameters(case):
    operator, dense = case
    trace = hutchpp_trace(operator, 3 * math.ceil(len(dense) / 3), generator(0))
    assert trace.value == pytest.approx(dense.trace().item(), rel=1e-9)
    assert trace.standard_error == 0
    assert trace.products == len(dense)


def test_trace_from_fewer_products_is_right_within_its_error(case):
    operator, dense = case
    before = operator.products
    trace = hutchpp_trace(operator, 60, generator(2))
    assert trace.products == operator.products - before == 60
    expected = dense.trace().item()
    assert 0 < trace.standard_error < 0.2 * abs(expected)
    assert abs(trace.value - expected) < 5 * trace.standard_error


def test_quadrature_has_the_moments_of_the_dense_hessian(case):
    """m Lanczos steps from v give vᵀ H^k v exactly for k < 2m."""
    operator, dense = case
    draws = generator(3)
    nodes, weights = spectral_quadrature(operator, 2, 8, draws)
    assert nodes.shape == weights.shape == (2, 8)
    for probe in range(2):
        torch.manual_seed(child(draws, probe).initial_seed())
        vector = torch.randn(len(dense), dtype=F64)
        vector /= vector.norm()
        power = vector
        for k in range(8):
            moment = (weights[probe] * nodes[probe] ** k).sum()
            assert moment == pytest.approx((vector @ power).item(), rel=1e-6)
            power = dense @ power


def test_a_small_operators_spectrum_is_exact():
    model, split = nn.Linear(3, 2).double(), points(10, 3, 2)
    nodes, weights = spectral_quadrature(loss_hessian(model, Objective(split)), 2, 50, generator(0))
    expected = torch.linalg.eigvalsh(dense_hessian(model, split, ["weight", "bias"])).numpy()
    np.testing.assert_allclose(nodes, [expected, expected], atol=1e-14)
    np.testing.assert_allclose(weights, 1 / 8)


def test_layernorm_weights_agree_with_finite_differences_of_the_gradient():
    """Where forward over reverse fails with torch 2.14 (and so does curvlinops' own Hessian)."""
    torch.manual_seed(0)
    layers = (nn.Linear(6, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, 3))
    model, split, step = nn.Sequential(*layers).double(), points(25, 6, 3), 1e-4
    with torch.no_grad():
        model[1].weight.copy_(torch.linspace(0.5, 1.5, 5))
        model[1].bias.copy_(torch.linspace(-0.3, 0.3, 5))
    operator = loss_hessian(model, Objective(split))
    columns = operator @ torch.eye(operator.shape[0], dtype=F64)[:, 35:45]
    for index, column in enumerate(columns.T):
        gradients = []
        for sign in (1, -1):
            moved = copy.deepcopy(model)
            with torch.no_grad():
                (moved[1].weight if index < 5 else moved[1].bias)[index % 5] += sign * step
            gradients.append(gradient(moved, split))
        expected = (gradients[0] - gradients[1]) / (2 * step)
        assert (column - expected).norm() < 1e-6 * expected.norm()


# --- settings ---------------------------------------------------------------------------------


def numbers(subject: Subject, **settings) -> dict:
    settings = {"dtype": "float64", "density_probes": 0} | settings
    measured = measure(subject, generator(0), **settings)
    return {m.measure: m.value for m in measured.measurements} | {"details": measured.details}


def test_weight_decay_adds_lambda_where_it_is_asked_for():
    model, split = attentive()
    count = sum(p.numel() for p in model.parameters())
    subject = Subject(model, Objective(split), weight_decay=0.25)
    settings = {"tolerance": 1e-9, "trace_products": 3 * count, "smallest_eigenvalues": 1}
    without, with_penalty = (numbers(subject, l2=l2, **settings) for l2 in (False, True))
    for name, added in (
        ("hessian_top_eigenvalue", 0.25),
        ("hessian_smallest_eigenvalue", 0.25),
        ("hessian_trace", 0.25 * count),
    ):
        assert with_penalty[name] == pytest.approx(without[name] + added, rel=1e-7)
    assert without["details"]["weight_decay"] == 0
    assert with_penalty["details"]["weight_decay"] == 0.25


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        ("head.*", ["head.weight", "head.bias"]),
        (["norm.weight", "query.*"], ["norm.weight", "query.weight", "query.bias"]),
        (
            "weights",
            [f"{p}weight" for p in ("attention.in_proj_", "attention.out_proj.")]
            + ["query.weight", "head.weight"],
        ),
    ],
)
def test_a_selection_of_parameters_is_a_block_of_the_hessian(selection, names):
    model, split = attentive()
    dense = dense_hessian(model, split, names)
    found = numbers(
        Subject(model, Objective(split)), parameters=selection, tolerance=1e-9, trace_products=600
    )
    assert found["details"]["parameters"] == len(dense)
    assert found["hessian_trace"] == pytest.approx(dense.trace().item(), rel=1e-8)
    top = torch.linalg.eigvalsh(dense)[-1].item()
    assert found["hessian_top_eigenvalue"] == pytest.approx(top, rel=1e-7)


def test_float32_agrees_with_float64():
    subject = subject_of(*attentive())
    settings = {"trace_products": 21, "smallest_eigenvalues": 0}
    single, double = (numbers(subject, dtype=t, **settings) for t in ("float32", "float64"))
    single.pop("details")
    for name, value in single.items():
        assert value == pytest.approx(double[name], rel=2e-3)


# --- operators of known spectra, and stated errors -----------------------------------------------


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_hutchpp_is_the_trace_in_a_random_range_and_hutchinson_outside(spectrum):
    matrix, draws = symmetric(SPECTRA[spectrum]), generator(4)
    trace = hutchpp_trace(quadratic(matrix), 18, generator(4))
    size = len(matrix)
    signs = [torch.randint(0, 2, (size, 6), generator=draws).double() * 2 - 1 for _ in range(2)]
    projector = matrix @ signs[0] @ torch.linalg.pinv(matrix @ signs[0])
    outside = torch.eye(size, dtype=F64) - projector
    estimates = []
    for k in range(6):
        rest = outside @ signs[1][:, k]
        estimates.append((rest @ matrix @ rest).item())
    mean = sum(estimates) / 6
    variance = sum((t - mean) ** 2 for t in estimates) / 5
    expected = (projector @ matrix).trace().item() + mean
    assert trace.value == pytest.approx(expected, rel=1e-8)
    assert trace.standard_error == pytest.approx(math.sqrt(variance / 6), rel=1e-6)
    assert trace.products == 18


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (F64, 1e-9)])
@pytest.mark.parametrize("rank", [1, 22])
def test_the_trace_of_low_rank_is_exact(rank, dtype, tolerance):
    eigenvalues = torch.zeros(80)
    eigenvalues[:rank] = torch.linspace(1, 3, rank)
    trace = hutchpp_trace(quadratic(symmetric(eigenvalues).to(dtype)), 66, generator(0))
    assert trace.value == pytest.approx(eigenvalues.double().sum().item(), rel=tolerance)
    assert trace.standard_error < tolerance * trace.value


@pytest.mark.parametrize(("products", "low", "high"), [(6, 0.6, 0.76), (30, 0.88, 0.98)])
def test_how_often_the_trace_is_within_two_errors(products, low, high):
    eigenvalues = torch.linspace(0.1, 1, 120) ** 3
    matrix = quadratic(symmetric(eigenvalues).double())
    draws = [hutchpp_trace(matrix, products, generator(seed)) for seed in range(400)]
    exact = eigenvalues.double().sum().item()
    within = [abs(draw.value - exact) <= 2 * draw.standard_error for draw in draws]
    assert low < sum(within) / 400 < high


def test_that_an_eigenvalue_did_not_converge_is_in_the_document():
    subject = subject_of(*attentive())
    settings = {"tolerance": 1e-9, "max_iterations": 25, "eigenvalues": 20, "trace_products": 0}
    settings |= {"matrices": ["hessian"], "density_probes": 0}
    found = measure(subject, generator(0), dtype="float64", **settings)
    assert [m.converged for m in found.measurements] == [False]
    details = found.details["largest_eigenvalues"]
    assert details["converged"] is False
    assert len(details["values"]) < 20
    assert details["tolerance"] == 1e-9


def test_measurements_have_the_errors_of_their_estimates():
    subject, settings = subject_of(*attentive()), {"trace_products": 60, "density_probes": 0}
    found = measure(subject, generator(0), dtype="float64", **settings)
    top, trace, *_ = found.measurements
    assert top.noise_floor == found.details["largest_eigenvalues"]["residuals"][0]
    assert trace.standard_error == found.details["trace"]["standard_error"] > 0


def test_the_smallest_eigenvalue_of_a_convex_loss_is_zero():
    """Adding the same to all logits changes nothing, so the Hessian of a last layer is singular."""
    torch.manual_seed(0)
    operator = loss_hessian(nn.Linear(20, 5).double(), Objective(points(200, 20, 5)))
    for seed in range(10):
        found = extreme_eigenvalues(operator, 1, generator(seed), end="smallest")
        assert abs(found.values[0]) < 1e-6


@pytest.mark.parametrize("batch_size", [7, 1024])
def test_the_gradient_of_the_operator_is_that_of_the_loss_with_its_penalty(batch_size):
    model, split = network("resnet18"), images("resnet18", 20)
    objective = Objective(split)
    operator = loss_hessian(model, objective, weight_decay=0.1, batch_size=batch_size)
    _, parts = objective.mean_and_gradient(model)
    pairs = zip(parts, model.parameters(), strict=True)
    expected = torch.cat([(part + 0.1 * p.detach()).flatten() for part, p in pairs])
    vector = torch.randn(len(expected), 1, dtype=expected.dtype, generator=generator(0))
    before = loss_hessian(model, objective, weight_decay=0.1, batch_size=batch_size) @ vector
    assert torch.allclose(operator.gradient(), expected, rtol=1e-10, atol=1e-13)
    assert torch.equal(operator @ vector, before)
    assert not operator.gradient().requires_grad
