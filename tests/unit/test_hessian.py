"""Products, eigenvalues, trace and spectrum against dense Hessians that torch differentiates."""

import copy
import math

import numpy as np
import pytest
import torch
from sharpness_cases import (
    Attentive,
    attentive,
    dense_hessian,
    gradient,
    images,
    network,
    points,
)
from torch import nn

from minimascope.data.prepared import Split
from minimascope.errors import InputError
from minimascope.seeding import child, generator
from minimascope.sharpness.hessian import (
    extreme_eigenvalues,
    loss_hessian,
    measure,
    spectral_quadrature,
)
from minimascope.sharpness.operator import LossHessian
from minimascope.sharpness.subject import Subject
from minimascope.sharpness.trace import hutchpp_trace
from minimascope.toy.curvature import hessian_geometry
from minimascope.toy.functions import FUNCTIONS

F64 = torch.float64


def convolutional() -> tuple[nn.Module, Split]:
    return network("resnet18"), images("resnet18", 12)


CASES = {
    "attention": (attentive, "all"),
    "resnet18": (convolutional, ["*body.0.*", "*body.[34].*", "*9.shortcut.*", "*head*"]),
    "vgg19": (
        lambda: (network("vgg19"), images("vgg19", 6)),
        ["*body.0.*", "*body.[13].*", "*body.55.*", "*head*"],
    ),
    "vit": (
        lambda: (network("vit"), images("vit", 12)),
        [
            "*class_token",
            "*5.attention.[01].[wt]*",
            "*5.attention.1.proj*bias",
            "*.norm.*",
            "*head*",
        ],
    ),
}


def names_of(model: nn.Module, operator: LossHessian) -> list[str]:
    """Return the names of the operator's parameters, found by identity."""
    names = {id(p): name for name, p in model.named_parameters()}
    return [names[id(p)] for p in operator._parameters]


@pytest.fixture(scope="module", params=CASES)
def case(request):
    make, selection = CASES[request.param]
    model, split = make()
    operator = loss_hessian(model, split, selection, batch_size=7)
    dense = dense_hessian(model, split, names_of(model, operator))
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


def test_largest_eigenvalues_are_those_of_the_dense_hessian(case):
    operator, dense = case
    found = extreme_eigenvalues(operator, 4, generator(0), 1e-10, 300)
    assert found.converged
    expected = torch.linalg.eigvalsh(dense).flip(0)[:4].tolist()
    assert found.values == pytest.approx(expected, rel=1e-6)
    assert all(r < 1e-6 * expected[0] for r in found.residuals)


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


def test_mean_moments_over_probes_are_those_of_the_spectrum():
    operator = loss_hessian(*attentive())
    dense = dense_hessian(*attentive(), [name for name, _ in attentive()[0].named_parameters()])
    nodes, weights = spectral_quadrature(operator, 30, 4, generator(0))
    for k in (1, 2):
        values = (weights * nodes**k).sum(1)
        expected = torch.linalg.matrix_power(dense, k).trace().item() / len(dense)
        error = values.std(ddof=1) / math.sqrt(len(values))
        assert abs(values.mean() - expected) < 4 * error
        assert error < 0.2 * expected


def test_a_small_operators_spectrum_is_exact():
    model, split = nn.Linear(3, 2).double(), points(10, 3, 2)
    nodes, weights = spectral_quadrature(loss_hessian(model, split), 2, 50, generator(0))
    expected = torch.linalg.eigvalsh(dense_hessian(model, split, ["weight", "bias"])).numpy()
    np.testing.assert_allclose(nodes, [expected, expected], atol=1e-14)
    np.testing.assert_allclose(weights, 1 / 8)


def test_global_random_numbers_are_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    measure(Subject(*attentive()), generator(0), density_probes=1, density_steps=5)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), expected)


# --- normalisation layers ---------------------------------------------------------------------


def test_layernorm_weights_agree_with_finite_differences_of_the_gradient():
    """Where forward over reverse fails with torch 2.14 (and so does curvlinops' own Hessian)."""
    torch.manual_seed(0)
    layers = (nn.Linear(6, 5), nn.LayerNorm(5), nn.Tanh(), nn.Linear(5, 3))
    model, split = nn.Sequential(*layers).double(), points(25, 6, 3)
    norm, step = model[1], 1e-4
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(0.5, 1.5, 5))
        norm.bias.copy_(torch.linspace(-0.3, 0.3, 5))
    operator = loss_hessian(model, split)
    columns = operator @ torch.eye(operator.shape[0], dtype=F64)[:, 35:45]
    for index, parameter in enumerate([norm.weight, norm.bias]):
        for k in range(5):
            gradients = []
            for sign in (1, -1):
                moved = copy.deepcopy(model)
                with torch.no_grad():
                    (moved[1].weight if index == 0 else moved[1].bias)[k] += sign * step
                gradients.append(gradient(moved, split))
            expected = (gradients[0] - gradients[1]) / (2 * step)
            column = columns[:, 5 * index + k]
            assert (column - expected).norm() < 1e-6 * expected.norm()
        assert parameter.shape == (5,)


def test_fused_attention_has_the_same_hessian_as_attention_written_out():
    model, split = attentive()

    class WrittenOut(Attentive):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            tokens = self.norm(inputs.unflatten(1, (3, 4)))
            inner = self.attention
            parts = (tokens @ inner.in_proj_weight.T + inner.in_proj_bias).chunk(3, -1)
            heads = []
            for query, key, value in zip(*(part.split(2, -1) for part in parts), strict=True):
                scores = query @ key.transpose(1, 2) / math.sqrt(2)
                heads.append(scores.softmax(-1) @ value)
            tokens = tokens + inner.out_proj(torch.cat(heads, -1))
            scores = self.query(tokens) @ tokens.transpose(1, 2) / math.sqrt(4)
            tokens = scores.softmax(-1) @ tokens
            return self.head(torch.tanh(self.batchnorm(tokens.flatten(1))))

    plain = WrittenOut().double().eval()
    plain.load_state_dict(model.state_dict())
    vector = torch.randn(sum(p.numel() for p in model.parameters()), dtype=F64)
    products = [loss_hessian(m, split) @ vector for m in (model, plain)]
    torch.testing.assert_close(*products, rtol=1e-9, atol=1e-10)


# --- toy functions ----------------------------------------------------------------------------


class Point(nn.Module):
    def __init__(self, x: float, y: float):
        super().__init__()
        self.position = nn.Parameter(torch.tensor([x, y], dtype=F64))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_toy_functions_have_their_known_geometry(name):
    function = FUNCTIONS[name]
    for minimum in function.minima:
        point = Point(*minimum)

        def loss(_: None, position=point.position) -> torch.Tensor:
            return function.value(position[0], position[1])

        operator = LossHessian([point.position], lambda total: total([None]), loss)
        found = extreme_eigenvalues(operator, 2, generator(0))
        expected = hessian_geometry(name, *minimum)
        trace = hutchpp_trace(operator, 6, generator(0)).value
        assert found.values[0] == pytest.approx(expected["max_eigenvalue"], rel=1e-9)
        assert trace == pytest.approx(expected["hessian_trace"], rel=1e-9)
        condition = found.values[0] / found.values[1]
        assert condition == pytest.approx(expected["condition_number"], rel=1e-8)


# --- settings ---------------------------------------------------------------------------------


def numbers(subject: Subject, **settings) -> dict:
    settings = {"dtype": "float64", "density_probes": 0} | settings
    measured = measure(subject, generator(0), **settings)
    return {m.measure: m.value for m in measured.measurements} | {"details": measured.details}


def test_weight_decay_adds_lambda_where_it_is_asked_for():
    model, split = attentive()
    count = sum(p.numel() for p in model.parameters())
    subject = Subject(model, split, weight_decay=0.25)
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


def test_smallest_eigenvalues_are_the_most_negative_ones(case):
    operator, dense = case
    found = extreme_eigenvalues(operator, 2, generator(0), 1e-9, 300, "smallest")
    expected = torch.linalg.eigvalsh(dense)[:2].tolist()
    assert expected[0] < -1e-6
    assert found.values == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        ("head.*", ["head.weight", "head.bias"]),
        (["norm.weight", "query.*"], ["norm.weight", "query.weight", "query.bias"]),
        (
            "weights",
            [
                *("attention.in_proj_weight", "attention.out_proj.weight"),
                *("query.weight", "head.weight"),
            ],
        ),
    ],
)
def test_a_selection_of_parameters_is_a_block_of_the_hessian(selection, names):
    model, split = attentive()
    dense = dense_hessian(model, split, names)
    found = numbers(Subject(model, split), parameters=selection, tolerance=1e-9, trace_products=600)
    assert found["details"]["parameters"] == len(dense)
    assert found["hessian_trace"] == pytest.approx(dense.trace().item(), rel=1e-8)
    top = torch.linalg.eigvalsh(dense)[-1].item()
    assert found["hessian_top_eigenvalue"] == pytest.approx(top, rel=1e-7)


def test_a_pattern_without_parameters_is_an_input_error():
    with pytest.raises(InputError, match=r"'\*\.hed\.\*' matches none"):
        numbers(Subject(*attentive()), parameters=["*.hed.*"])


def test_the_size_of_batches_changes_nothing():
    subject = Subject(*attentive())
    settings = {"tolerance": 1e-9, "trace_products": 12, "smallest_eigenvalues": 0}
    whole, parts = (numbers(subject, batch_size=size, **settings) for size in (1024, 4))
    for name in ("hessian_top_eigenvalue", "hessian_trace"):
        assert parts[name] == pytest.approx(whole[name], rel=1e-8)


def test_the_model_is_left_as_it_was():
    model, split = attentive()
    model.train()
    before = copy.deepcopy(model.state_dict())
    measure(Subject(model, split), generator(0), density_probes=1, density_steps=5)
    assert model.training
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_float32_agrees_with_float64():
    subject = Subject(*attentive())
    settings = {"trace_products": 21, "smallest_eigenvalues": 0}
    single, double = (numbers(subject, dtype=t, **settings) for t in ("float32", "float64"))
    single.pop("details")
    for name, value in single.items():
        assert value == pytest.approx(double[name], rel=2e-3)
