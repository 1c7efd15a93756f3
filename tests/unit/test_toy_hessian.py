"""The Hessian of toy networks against the dense one by automatic differentiation."""

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from minimascope.seeding import generator
from minimascope.toy.fits import FitSpec, fit
from minimascope.toy.hessian import TOLERANCE, hessian_trace, top_eigenvalue
from minimascope.toy.measure import measure
from minimascope.toy.networks import initial_parameters, perceptron
from minimascope.toy.problems import Problem, samples

PROBLEM, WIDTH = Problem("himmelblau", 0), 5
DATA = samples(PROBLEM, "train", 40)


def dense_hessian(parameters: Tensor) -> Tensor:
    network = perceptron(WIDTH).double()
    shapes = {name: part.shape for name, part in network.named_parameters()}

    def loss(vector: Tensor) -> Tensor:
        parts = vector.split([shape.numel() for shape in shapes.values()])
        named = zip(shapes.items(), parts, strict=True)
        state = {name: part.view(shape) for (name, shape), part in named}
        return nn.functional.mse_loss(functional_call(network, state, DATA[0])[:, 0], DATA[1])

    return torch.autograd.functional.hessian(loss, parameters)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_trace_and_largest_eigenvalue_are_those_of_the_dense_hessian(seed: int):
    parameters = initial_parameters(WIDTH, seed).double()
    hessian = dense_hessian(parameters)
    assert hessian_trace(parameters, DATA[0]) == pytest.approx(hessian.trace().item(), rel=1e-9)
    largest, residual = top_eigenvalue(parameters, *DATA, generator(seed))
    assert largest == pytest.approx(torch.linalg.eigvalsh(hessian)[-1].item(), rel=1e-6)
    assert residual <= TOLERANCE * largest


def test_the_rows_of_a_network_have_the_hessian_of_its_training_loss():
    spec = FitSpec(points=40, width=WIDTH, lr=0.02, epochs=(1, 300), losses=(1e-9,))
    fits = fit([PROBLEM], spec, torch.device("cpu"))
    settings = {"test_points": 10, "radii": [0.005, 0.5], "perturbations": 3, "dtype": "float32"}
    rows = list(
        measure(PROBLEM, fits.copies[:, 0], fits.epochs[:, 0], spec.kept, points=40, **settings)
    )
    for index in (0, 1):
        hessian = dense_hessian(fits.copies[index, 0].double())
        for row in rows[2 * index : 2 * index + 2]:
            assert row["hessian_trace"] == pytest.approx(hessian.trace().item(), rel=1e-9)
            largest = torch.linalg.eigvalsh(hessian)[-1].item()
            assert row["hessian_top_eigenvalue"] == pytest.approx(largest, rel=1e-5)
            assert row["hessian_residual"] <= TOLERANCE * largest
    assert "hessian_trace" not in rows[-1]
