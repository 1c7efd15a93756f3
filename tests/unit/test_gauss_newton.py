"""The Gauss–Newton matrix against Jacobians, the Fisher matrix by its definition, curvlinops."""

import math

import pytest
import torch
from curvlinops import GGNLinearOperator
from sharpness_cases import attentive, dense_gauss_newton, images, network, points, randomise
from torch import nn

from minimascope.data.prepared import Split
from minimascope.seeding import generator
from minimascope.sharpness import measure as measure_model
from minimascope.sharpness.eigenvalues import extreme_eigenvalues
from minimascope.sharpness.flat import selected_parameters
from minimascope.sharpness.hessian import gauss_newton, measure
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.subject import Subject
from minimascope.sharpness.trace import hutchpp_trace

F64 = torch.float64


class Shared(nn.Module):
    """One matrix in two places, one parameter that is not used: [n, 5] to three logits."""

    def __init__(self):
        super().__init__()
        self.tied = nn.Linear(5, 5)
        self.idle = nn.Parameter(torch.ones(4))
        self.head = nn.Linear(5, 3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        once = torch.tanh(self.tied(inputs))
        return self.head(torch.tanh(once @ self.tied.weight))


def shared() -> tuple[nn.Module, Split]:
    torch.manual_seed(2)
    return Shared().double(), points(20, 5, 3)


def convolutional() -> tuple[nn.Module, Split]:
    """Convolution with BatchNorm in evaluation mode."""
    torch.manual_seed(3)
    draws = torch.Generator().manual_seed(0)
    inputs = torch.randn(12, 2, 5, 5, dtype=F64, generator=draws)
    model = nn.Sequential(
        *(nn.Conv2d(2, 4, 3, stride=2, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(16, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 3)),
    ).double()
    return randomise(model, inputs), Split(inputs, torch.arange(12) % 3)


CASES = {
    "attention": lambda: (*attentive(), "all"),
    "shared": lambda: (*shared(), "all"),
    "convolutional": lambda: (*convolutional(), "all"),
    "resnet18": lambda: (network("resnet18"), images("resnet18", 12), ["*body.0.*", "*head*"]),
    "vit": lambda: (network("vit"), images("vit", 12), ["*5.attention.[01].[wt]*", "*head*"]),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    model, split, selection = CASES[request.param]()
    names = list(selected_parameters(model, selection))
    dense = dense_gauss_newton(model, split, names)
    return gauss_newton(model, Objective(split), selection, batch_size=7), dense


def test_products_are_those_of_the_dense_matrix(case):
    operator, dense = case
    vectors = torch.randn(len(dense), 3, dtype=F64, generator=generator(0))
    expected = dense @ vectors
    assert (operator @ vectors - expected).norm() < 1e-10 * expected.norm()


def test_its_largest_eigenvalues_and_trace_are_those_of_the_dense_matrix(case):
    operator, dense = case
    found = extreme_eigenvalues(operator, 3, generator(0), 1e-9)
    expected = torch.linalg.eigvalsh(dense).flip(0)[:3]
    assert found.values == pytest.approx(expected.tolist(), rel=1e-9)
    trace = hutchpp_trace(operator, 3 * math.ceil(len(dense) / 3), generator(0))
    assert trace.value == pytest.approx(dense.trace().item(), rel=1e-9)


def test_it_has_no_negative_eigenvalue(case):
    operator, dense = case
    assert torch.linalg.eigvalsh(dense)[0] > -1e-12 * dense.trace()
    vectors = torch.randn(len(dense), 20, dtype=F64, generator=generator(1))
    assert (vectors * (operator @ vectors)).sum(0).min() > 0


@pytest.mark.parametrize("make", [attentive, shared, convolutional])
def test_it_is_the_fisher_matrix(make):
    """The mean over samples, and over labels as the network draws them, of squared scores."""
    model, split = make()
    parameters = list(model.parameters())
    fisher = 0.0
    for sample in split.inputs:
        logs = model(sample[None])[0].log_softmax(0)
        for log in logs:
            parts = torch.autograd.grad(log, parameters, retain_graph=True, materialize_grads=True)
            score = torch.cat([part.flatten() for part in parts])
            fisher = fisher + log.exp().detach() * torch.outer(score, score) / len(split)
    operator = gauss_newton(model, Objective(split))
    products = operator @ torch.eye(len(fisher), dtype=F64)
    assert (products - fisher).norm() < 1e-10 * fisher.norm()


def test_products_are_those_of_curvlinops():
    model, split = convolutional()
    batches = [(split.inputs[:7], split.labels[:7]), (split.inputs[7:], split.labels[7:])]
    theirs = GGNLinearOperator(model, nn.CrossEntropyLoss(), list(model.parameters()), batches)
    ours = gauss_newton(model, Objective(split), weight_decay=0.5)
    vectors = torch.randn(ours.shape[0], 2, dtype=F64, generator=generator(0))
    expected = theirs @ vectors + 0.5 * vectors
    assert (ours @ vectors - expected).norm() < 1e-10 * expected.norm()


def test_of_a_linear_network_it_is_the_hessian():
    torch.manual_seed(0)
    subject = Subject(nn.Linear(8, 4).double(), Objective(points(50, 8, 4)), weight_decay=0.25)
    settings = {"matrices": ["hessian", "gauss_newton"], "dtype": "float64", "density_probes": 0}
    for l2 in (False, True):
        found = measure(subject, generator(0), l2=l2, trace_products=39, **settings)
        values = {m.measure: m.value for m in found.measurements}
        for name in ("top_eigenvalue", "trace"):
            expected = pytest.approx(values[f"hessian_{name}"], rel=1e-9)
            assert values[f"gauss_newton_{name}"] == expected


def test_a_measure_of_it_alone_leaves_the_hessian_out():
    model, split = attentive()
    built = []
    model.register_forward_hook(lambda *_: built.append(1))
    names = ["gauss_newton_trace", "gauss_newton_top_eigenvalue"]
    found = measure_model(model, split.inputs, split.labels, names)
    assert list(found) == names
    passes = len(built)
    both = measure_model(model, split.inputs, split.labels, [*names, "hessian_trace"])
    assert {name: both[name].value for name in names} == {name: found[name].value for name in names}
    assert len(built) - passes > passes


def test_the_measures_have_their_errors():
    settings = {"matrices": ["gauss_newton"], "trace_products": 60, "eigenvalues": 2}
    model, split = attentive()
    found = measure(Subject(model, Objective(split)), generator(0), dtype="float64", **settings)
    top, trace = found.measurements
    assert [top.measure, trace.measure] == ["gauss_newton_top_eigenvalue", "gauss_newton_trace"]
    dense = dense_gauss_newton(model, split, list(dict(model.named_parameters())))
    expected = torch.linalg.eigvalsh(dense)
    assert abs(top.value - expected[-1].item()) <= top.noise_floor + 1e-12
    assert 0 < top.noise_floor <= 1e-3 * top.value
    assert abs(trace.value - dense.trace().item()) < 5 * trace.standard_error
    assert 0 < trace.standard_error < 0.1 * trace.value
    assert found.arrays["gauss_newton_largest_eigenvalues"] == pytest.approx(
        expected.flip(0)[:2].numpy(), rel=1e-4
    )
