import math
from itertools import pairwise

import numpy as np
import pytest
import sympy
import torch

from minimascope.errors import InputError
from minimascope.toy.curvature import hessian_geometry, own_curvature, refine
from minimascope.toy.functions import FUNCTIONS

X, Y = sympy.symbols("x y")
FORMULAS = {
    "sphere": "x**2 + y**2",
    "rosenbrock": "(1 - x)**2 + 100*(y - x**2)**2",
    "rastrigin": "20 + x**2 - 10*cos(2*pi*x) + y**2 - 10*cos(2*pi*y)",
    "beale": "(3/2 - x + x*y)**2 + (9/4 - x + x*y**2)**2 + (21/8 - x + x*y**3)**2",
    "booth": "(x + 2*y - 7)**2 + (2*x + y - 5)**2",
    "three_hump_camel": "2*x**2 - 21/20*x**4 + x**6/6 + x*y + y**2",
    "himmelblau": "(x**2 + y - 11)**2 + (x + y**2 - 7)**2",
}
MINIMA = [(name, *minimum) for name, function in FUNCTIONS.items() for minimum in function.minima]
KEYS = ["condition_number", "hessian_trace", "hessian_determinant", "max_eigenvalue"]


def symbolic(name: str) -> sympy.Expr:
    return sympy.sympify(FORMULAS[name], locals={"x": X, "y": Y})


def symbolic_geometry(name: str, x: float, y: float) -> dict[str, float]:
    """From the characteristic polynomial of the symbolic Hessian, with 40 digits."""
    hessian = sympy.hessian(symbolic(name), (X, Y))
    at = hessian.subs({X: sympy.Rational(x), Y: sympy.Rational(y)}).evalf(40)
    trace, determinant = at.trace(), at.det()
    root = sympy.sqrt(trace**2 - 4 * determinant)
    largest, smallest = (trace + root) / 2, (trace - root) / 2
    condition = max(map(abs, (largest, smallest))) / min(map(abs, (largest, smallest)))
    values = [condition, trace, determinant, largest]
    return dict(zip(KEYS, map(float, values), strict=True))


def test_there_are_seven_functions_with_ten_minima():
    assert set(FUNCTIONS) == set(FORMULAS)
    assert len(MINIMA) == 10
    assert len(set(MINIMA)) == 10


@pytest.mark.parametrize("name", FORMULAS)
def test_values_are_those_of_the_formula_element_by_element(name):
    points = torch.rand((3, 4, 2), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x, y = (8 * points - 4).unbind(-1)
    expected = sympy.lambdify((X, Y), symbolic(name))(x.numpy(), y.numpy())
    value = FUNCTIONS[name].value
    np.testing.assert_allclose(value(x, y).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(value(x.numpy(), y.numpy()), expected, rtol=1e-12)


@pytest.mark.parametrize(("name", "x", "y"), [*MINIMA, *((name, 0.7, 0.3) for name in FORMULAS)])
def test_curvature_is_that_of_the_symbolic_hessian(name, x, y):
    geometry = hessian_geometry(name, x, y)
    assert list(geometry) == KEYS
    assert geometry == pytest.approx(symbolic_geometry(name, x, y), rel=1e-12)
    assert all(type(value) is float for value in geometry.values())


@pytest.mark.parametrize(("name", "x", "y"), MINIMA)
def test_no_point_of_a_dense_grid_is_lower_than_a_minimum(name, x, y):
    line = torch.linspace(-6, 6, 1201, dtype=torch.float64)
    grid = torch.meshgrid(line, line, indexing="xy")
    function = FUNCTIONS[name].value
    at_minimum = function(*torch.tensor(refine(name, x, y), dtype=torch.float64))
    assert at_minimum.item() == pytest.approx(0, abs=1e-24)
    assert function(*grid).min().item() >= -1e-12


@pytest.mark.parametrize(("name", "x", "y"), [*MINIMA, ("rastrigin", 0.001, 3)])
def test_refined_minima_are_the_roots_of_the_symbolic_gradient(name, x, y):
    gradient = [sympy.diff(symbolic(name), variable) for variable in (X, Y)]
    start = (sympy.Float(x, 40), sympy.Float(y, 40))
    root = sympy.nsolve(gradient, (X, Y), start, prec=40)
    assert refine(name, x, y) == pytest.approx([float(value) for value in root], abs=4e-15)


def test_singular_hessian_has_an_infinite_condition_number():
    # At x = 0 Rosenbrock's Hessian is diag(2 - 400 y, 200).
    geometry = hessian_geometry("rosenbrock", 0.0, 0.005)
    assert geometry["condition_number"] == math.inf
    assert geometry["max_eigenvalue"] == pytest.approx(200)


def test_unknown_function_is_answered_with_the_nearest_name():
    for call in (hessian_geometry, refine):
        with pytest.raises(InputError, match=r"'himelblau'.*did you mean 'himmelblau'"):
            call("himelblau", 3, 2)


@pytest.mark.parametrize("point", [(math.nan, 0), (0, math.inf)])
def test_point_that_is_not_finite_is_refused(point):
    for call in (hessian_geometry, refine):
        with pytest.raises(InputError, match="finite"):
            call("sphere", *point)


def test_search_that_does_not_converge_is_reported():
    with pytest.raises(InputError, match="no stationary point"):
        refine("rosenbrock", -1, -1)


@pytest.mark.parametrize("name", FORMULAS)
def test_means_over_the_domain_are_those_of_the_symbolic_hessian(name):
    """By Gauss and Legendre's rule on panels, where the means are taken on a grid of cells."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    edges = np.linspace(-3.5, 3.5, 101)
    line = np.concatenate([(a + b) / 2 + (b - a) / 2 * nodes for a, b in pairwise(edges)])
    share = np.tile(weights / 2, 100) / 100
    x, y = np.meshgrid(line, line)
    hessian = sympy.hessian(symbolic(name), (X, Y))
    parts = [hessian[0, 0], hessian[0, 1], hessian[1, 1], symbolic(name)]
    xx, xy, yy, value = (
        np.broadcast_to(sympy.lambdify((X, Y), part)(x, y), x.shape) for part in parts
    )
    matrices = np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -1)
    found = own_curvature(name)
    expected = {
        "trace_over_domain": share @ abs(xx + yy) @ share,
        "eigenvalue_over_domain": share @ abs(np.linalg.eigvalsh(matrices)).max(-1) @ share,
        "variance": share @ value**2 @ share - (share @ value @ share) ** 2,
    }
    for key, expectation in expected.items():
        assert found[key] == pytest.approx(expectation, rel=1e-4), key


def test_curvature_at_several_minima_is_their_mean_and_each_gives_functions_the_same_order():
    minima = [hessian_geometry("himmelblau", *m) for m in FUNCTIONS["himmelblau"].minima]
    own = own_curvature("himmelblau")
    assert own["trace_at_minimum"] == np.mean([found["hessian_trace"] for found in minima])
    others = {name: own_curvature(name) for name in FORMULAS if name != "himmelblau"}
    for key, of_minimum in (
        ("trace_at_minimum", "hessian_trace"),
        ("eigenvalue_at_minimum", "max_eigenvalue"),
    ):
        less = {name for name, found in others.items() if found[key] < own[key]}
        assert less == {"sphere", "three_hump_camel", "booth", "beale"}
        for found in minima:
            assert less == {name for name in others if others[name][key] < found[of_minimum]}
