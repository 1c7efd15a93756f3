"""Errors that curvature states: of traces, of eigenvalues, and that something did not converge."""

import math

import numpy as np
import pytest
import torch
from sharpness_cases import attentive, dense_hessian, points
from torch import nn

from minimascope.errors import InputError
from minimascope.seeding import generator
from minimascope.sharpness.hessian import extreme_eigenvalues, loss_hessian, measure
from minimascope.sharpness.operator import LossHessian
from minimascope.sharpness.subject import Subject
from minimascope.sharpness.trace import hutchpp_trace

F64 = torch.float64


def quadratic(matrix: torch.Tensor) -> LossHessian:
    """Return the Hessian of θᵀAθ/2, which is A."""
    theta = nn.Parameter(torch.ones(len(matrix), dtype=matrix.dtype))
    return LossHessian([theta], lambda total: total([None]), lambda _: theta @ matrix @ theta / 2)


def symmetric(eigenvalues: torch.Tensor) -> torch.Tensor:
    size = len(eigenvalues)
    basis, _ = torch.linalg.qr(torch.randn(size, size, dtype=F64, generator=generator(0, "basis")))
    return basis @ torch.diag(eigenvalues.double()) @ basis.T


SPECTRA = {
    "outliers and a bulk": torch.cat([torch.linspace(10, 50, 5), torch.linspace(-0.5, 0.5, 395)]),
    "flat": torch.linspace(-1, 5, 100),
    "power law": 1 / torch.arange(1, 201),
}


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_traces_are_unbiased_and_scatter_as_their_standard_error_says(spectrum):
    operator, expected = quadratic(symmetric(SPECTRA[spectrum])), SPECTRA[spectrum].sum().item()
    traces = [hutchpp_trace(operator, 30, generator(seed)) for seed in range(200)]
    values = np.array([t.value for t in traces])
    scatter = values.std(ddof=1)
    assert abs(values.mean() - expected) < 4 * scatter / math.sqrt(200)
    # The mean of the squares is without bias; each comes from ten estimates.
    stated = math.sqrt(np.mean([t.standard_error**2 for t in traces]))
    assert 0.8 < scatter / stated < 1.25  # the ratio itself is known to 6 %


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


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("rank", [1, 5, 21, 22])
def test_the_trace_of_low_rank_is_exact(rank, dtype):
    eigenvalues = torch.zeros(80)
    eigenvalues[:rank] = torch.linspace(1, 3, rank)
    trace = hutchpp_trace(quadratic(symmetric(eigenvalues).to(dtype)), 66, generator(0))
    tolerance = 1e-5 if dtype == torch.float32 else 1e-9
    assert trace.value == pytest.approx(eigenvalues.double().sum().item(), rel=tolerance)
    assert trace.standard_error < tolerance * trace.value


def test_random_signs_that_agree_do_not_bias_the_trace():
    """They often agree in all that this matrix sees, the differences between its two halves.

    The Hessian of the last layer for two classes has its form.
    """
    block = symmetric(torch.linspace(0.2, 2, 5))
    operator = quadratic(torch.kron(torch.tensor([[1.0, -1], [-1, 1]], dtype=F64), block))
    values = np.array([hutchpp_trace(operator, 9, generator(seed)).value for seed in range(200)])
    expected = 2 * torch.linspace(0.2, 2, 5).sum().item()
    assert abs(values.mean() - expected) < 4 * values.std(ddof=1) / math.sqrt(200)


def test_ten_repetitions_on_a_network_scatter_as_the_standard_error_says():
    model, split = attentive()
    traces = []
    for seed in range(10):
        measured = measure(
            Subject(model, split), generator(seed), dtype="float64", **only_trace(60)
        )
        traces += measured.measurements
    names = [name for name, _ in model.named_parameters()]
    expected = dense_hessian(model, split, names).trace().item()
    error = np.mean([t.standard_error for t in traces])
    # Of ten values the standard deviation is known to 24 %.
    assert 0.4 < np.std([t.value for t in traces], ddof=1) / error < 1.8
    assert abs(np.mean([t.value for t in traces]) - expected) < 4 * error / math.sqrt(10)


def only_trace(products: int) -> dict:
    none = {"eigenvalues": 0, "smallest_eigenvalues": 0, "density_probes": 0}
    return {"trace_products": products} | none


@pytest.mark.parametrize("tolerance", [1e-1, 1e-3])
def test_the_largest_eigenvalue_is_known_to_its_residual_for_every_start(tolerance):
    eigenvalues = SPECTRA["flat"]
    operator = quadratic(symmetric(eigenvalues))
    for seed in range(10):
        found = extreme_eigenvalues(operator, 3, generator(seed), tolerance)
        assert found.converged
        assert found.values == sorted(found.values, reverse=True)
        for value, residual in zip(found.values, found.residuals, strict=True):
            assert (eigenvalues.double() - value).abs().min() <= residual + 1e-12


def test_repetitions_of_the_largest_eigenvalue_agree_within_their_residuals():
    subject = Subject(*attentive())
    tops = []
    for seed in range(10):
        settings = {"smallest_eigenvalues": 0, "trace_products": 0, "density_probes": 0}
        measured = measure(subject, generator(seed), dtype="float64", **settings)
        (top,) = measured.measurements
        assert top.standard_error is None
        tops.append(top)
    names = [name for name, _ in subject.model.named_parameters()]
    exact = torch.linalg.eigvalsh(dense_hessian(*attentive(), names))[-1].item()
    for top in tops:
        assert abs(top.value - exact) <= top.noise_floor + 1e-12
        assert top.noise_floor < 1e-2 * exact
    assert max(t.value for t in tops) - min(t.value for t in tops) <= 2 * max(
        t.noise_floor for t in tops
    )


def test_what_did_not_converge_is_reported():
    operator = quadratic(symmetric(torch.linspace(-1, 5, 60)))
    found = extreme_eigenvalues(operator, 5, generator(1), 1e-12, 3)
    assert not found.converged
    assert 0 < len(found.values) == len(found.residuals) < 5
    with pytest.raises(
        InputError, match=r"no eigenvalue .* converged to 1e-12 in 1 restarts; raise"
    ):
        extreme_eigenvalues(operator, 5, generator(1), 1e-12, 1)


def test_that_an_eigenvalue_did_not_converge_is_in_the_document():
    subject = Subject(*attentive())
    settings = {"tolerance": 1e-14, "max_iterations": 3, "eigenvalues": 20}
    settings |= {"smallest_eigenvalues": 0, "dtype": "float64"} | {
        "trace_products": 0,
        "density_probes": 0,
    }
    found = measure(subject, generator(0), **settings)
    assert [m.converged for m in found.measurements] == [False]
    details = found.details["largest_eigenvalues"]
    assert details["converged"] is False
    assert len(details["values"]) < 20
    assert details["tolerance"] == 1e-14


def test_the_smallest_eigenvalue_of_a_convex_loss_is_zero():
    """Adding the same to all logits changes nothing, so the Hessian of a last layer is singular."""
    torch.manual_seed(0)
    operator = loss_hessian(nn.Linear(20, 5).double(), points(200, 20, 5))
    for seed in range(10):
        found = extreme_eigenvalues(operator, 1, generator(seed), end="smallest")
        assert abs(found.values[0]) < 1e-6
