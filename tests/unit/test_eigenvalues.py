"""Eigenvalues of operators whose spectra are known, and what is said of them."""

import pytest
import torch
from sharpness_cases import SPECTRA, attentive, quadratic, symmetric
from torch import nn

from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.seeding import generator
from minimascope.sharpness.eigenvalues import extreme_eigenvalues
from minimascope.sharpness.hessian import MATRICES, measure
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.subject import Subject

F64 = torch.float64


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


def test_what_did_not_converge_is_reported():
    operator = quadratic(symmetric(SPECTRA["outliers and a bulk"]))
    found = extreme_eigenvalues(operator, 8, generator(1), 1e-9, 12)
    assert not found.converged
    assert found.values == pytest.approx([50, 40, 30, 20, 10])
    assert len(found.residuals) == found.vectors.shape[1] == 5
    with pytest.raises(
        InputError, match=r"no eigenvalue .* converged to 1e-12 in 1 iterations; raise"
    ):
        extreme_eigenvalues(operator, 5, generator(1), 1e-12, 1)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("end", ["largest", "smallest"])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_both_ends_are_right_after_restarts(spectrum, end, dtype):
    """Where most take more vectors than a basis holds; the power law has almost no gaps at 0."""
    eigenvalues, tolerance = SPECTRA[spectrum].double(), 1e-4 if dtype == torch.float32 else 1e-6
    operator = quadratic(symmetric(eigenvalues).to(dtype))
    found = extreme_eigenvalues(operator, 3, generator(0), tolerance, 1000, end)
    assert found.converged
    expected = eigenvalues.sort(descending=end == "largest").values[:3]
    assert found.values == pytest.approx(
        expected.tolist(), abs=tolerance * eigenvalues.max().item()
    )


def test_an_eigenvalue_that_is_there_twice_is_found_twice():
    eigenvalues = torch.linspace(-1, 1, 200)
    eigenvalues[:2] = 7
    found = extreme_eigenvalues(quadratic(symmetric(eigenvalues)), 3, generator(0), 1e-8)
    assert found.values == pytest.approx([7, 7, 1], rel=1e-7)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_zeros_are_found_where_there_is_nothing_else(rank, count, dtype):
    eigenvalues = torch.zeros(150)
    eigenvalues[:rank] = 2
    found = extreme_eigenvalues(quadratic(symmetric(eigenvalues).to(dtype)), count, generator(0))
    assert found.converged
    expected = eigenvalues[:count].tolist()
    assert found.values == pytest.approx(expected, abs=100 * torch.finfo(dtype).eps)


def test_vectors_are_of_unit_norm_and_have_the_stated_residuals():
    matrix = symmetric(SPECTRA["flat"])
    found = extreme_eigenvalues(quadratic(matrix), 3, generator(0))
    values, vectors = torch.tensor(found.values, dtype=F64), found.vectors
    torch.testing.assert_close(vectors.T @ vectors, torch.eye(3, dtype=F64), atol=1e-10, rtol=0)
    residuals = (matrix @ vectors - vectors * values).norm(dim=0)
    assert residuals.tolist() == pytest.approx(found.residuals, rel=1e-6)
    assert (residuals <= 1e-3 * values).all()


def test_a_start_near_the_eigenvector_saves_products():
    matrix = symmetric(SPECTRA["flat"])
    known = torch.linalg.eigh(matrix).eigenvectors[:, -1]
    cold, warm = (
        extreme_eigenvalues(quadratic(matrix), 1, generator(0), start=start)
        for start in (None, 3 * known)
    )
    assert warm.values == pytest.approx(cold.values, rel=1e-4)
    assert warm.products < cold.products


@pytest.mark.parametrize("index", [0, 50, 98])
def test_a_start_that_is_another_eigenvector_does_not_hide_the_largest(index):
    matrix = symmetric(SPECTRA["flat"])
    start = torch.linalg.eigh(matrix).eigenvectors[:, index]
    found = extreme_eigenvalues(quadratic(matrix), 1, generator(0), 1e-6, start=start)
    assert found.values == pytest.approx([5], rel=1e-9)


def test_fewer_products_than_by_arpack():
    """Which asked for at least 20 of any operator, one by one."""
    operator = quadratic(symmetric(SPECTRA["outliers and a bulk"]))
    found = extreme_eigenvalues(operator, 1, generator(0))
    assert found.products < 20


@pytest.mark.parametrize("matrix", MATRICES)
def test_a_single_batch_passes_through_the_network_once(matrix):
    model, split = attentive()
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    operator = MATRICES[matrix](model, Objective(split))
    first = extreme_eigenvalues(operator, 2, generator(0))
    assert first.products > 3
    assert len(calls) == 1
    again = MATRICES[matrix](model, Objective(split), batch_size=16)
    calls.clear()
    found = extreme_eigenvalues(again, 2, generator(0))
    assert len(calls) > 2
    assert found.values == pytest.approx(first.values, rel=1e-6)


def test_eigenvectors_are_kept_on_request_in_the_order_of_the_parameters():
    model, split = attentive()
    settings = {"matrices": ["hessian", "gauss_newton"], "eigenvalues": 2, "density_probes": 0}
    settings |= {"smallest_eigenvalues": 1, "trace_products": 0, "dtype": "float64"}
    plain, found = (
        measure(Subject(model, Objective(split)), generator(0), eigenvectors=kept, **settings)
        for kept in (False, True)
    )
    assert not any("eigenvectors" in name for name in plain.arrays)
    size = sum(p.numel() for p in model.parameters())
    for matrix, end, count in (
        ("hessian", "largest", 2),
        ("hessian", "smallest", 1),
        ("gauss_newton", "gauss_newton_largest", 2),
    ):
        vectors = torch.from_numpy(found.arrays[f"{end}_eigenvectors"])
        assert vectors.shape == (count, size)
        images = (MATRICES[matrix](model, Objective(split)) @ vectors.T.contiguous()).T
        residuals = images - torch.from_numpy(found.arrays[f"{end}_eigenvalues"])[:, None] * vectors
        assert residuals.norm(dim=1).tolist() == pytest.approx(
            found.arrays[f"{end}_residuals"].tolist(), rel=1e-6, abs=1e-12
        )


def test_a_saturated_network_has_a_largest_eigenvalue_of_zero():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 20), nn.ReLU(), nn.Linear(20, 3))
    inputs = torch.randn(30, 5)
    labels = model(inputs).argmax(1)
    with torch.no_grad():
        model[2].weight *= 1e6
        model[2].bias *= 1e6
    settings = {"smallest_eigenvalues": 1, "trace_products": 0, "density_probes": 0}
    subject = Subject(model, Objective(Split(inputs, labels)))
    for m in measure(subject, generator(0), **settings).measurements:
        assert (m.value, m.noise_floor, m.converged) == (0, 0, True)
