"""The benchmark compares equals: both ways give the same number."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def cases(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import cases

    yield cases
    sys.modules.pop("cases")


def test_relative_flatness_by_autodiff_gives_the_closed_form(cases):
    case = cases.relative_flatness_case(classes=4, size=6, n=9)
    assert case.usual() == pytest.approx(case.ours(), rel=1e-10)


def test_the_loop_over_samples_gives_the_fisher_rao_norm(cases):
    case = cases.fisher_rao_case(classes=5, n=30)
    assert case.usual() == pytest.approx(case.ours(), rel=1e-10)


def test_the_other_cases_run(cases):
    for case in (
        cases.large_relative_flatness_case(4, 6, 9),
        cases.training_case(train=True, n=8, width=0.0625),
        cases.training_case(train=False, n=8, width=0.0625),
        cases.perturbation_case(by_copies=False, samples=2),
        cases.perturbation_case(by_copies=True, samples=2),
        cases.landscape_case(points=3),
    ):
        assert not case.equal
        case.ours()
        case.usual()


def test_the_trace_agrees_with_curvlinops(cases):
    """On a network without LayerNorm, where its Hessian is right."""
    case = cases.trace_case(products=9, n=16)
    ours, other = case.ours(), case.usual()
    assert abs(ours.value - other) < 6 * ours.standard_error
