"""Largest eigenvalue and trace of trained networks: ours and others', seconds and error in one run.

Errors are against float64: the eigenvalue by ARPACK, the trace by Hutch++ with many products.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse.linalg import eigsh

from minimascope.data.digits import load
from minimascope.data.prepared import Split
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.schedule import Schedule
from minimascope.seeding import generator
from minimascope.sharpness.eigenvalues import extreme_eigenvalues
from minimascope.sharpness.hessian import MATRICES, gauss_newton, loss_hessian
from minimascope.sharpness.objective import Objective
from minimascope.sharpness.operator import Curvature
from minimascope.sharpness.trace import hutchpp_trace
from minimascope.training import TrainingSpec, train

NETWORKS = {"resnet18": {}, "vit": {"patch_size": 4}}
OTHERS = {"pyhessian": "PyHessian", "hessian_eigenthings": "hessian-eigenthings"}
PRODUCTS, REFERENCE_PRODUCTS = 60, 300


@dataclass(frozen=True)
class Found:
    """A value, and the products with vectors that it took where they were counted."""

    value: float
    products: int | None = None


@dataclass(frozen=True)
class Trained:
    """A network in evaluation mode with its training data, as one batch."""

    model: torch.nn.Module
    split: Split


Method = Callable[[Trained], Found]


def trained(architecture: str, epochs: int = 4, n: int = 500) -> Trained:
    """Return a network of an eighth of the usual width, trained on digits in a few seconds."""
    digits = load(Path(), train_size=n, split_seed=0, image_size=8)
    spec = NetworkSpec(architecture, 1, (8, 8), 10, width=0.125, options=NETWORKS[architecture])
    model = NormalisedInput(initialise(spec, 0), [0.5], [0.5])
    optimizer = {"name": "sgd", "lr": 0.02, "momentum": 0.9}
    train(model, digits, TrainingSpec(epochs, 50, optimizer, Schedule("cosine")), seed=0)
    return Trained(model.eval(), digits.train)


def ours(matrix: str, count: int) -> Method:
    """Return our way to so many of a matrix's largest eigenvalues; the first one is reported."""

    def find(given: Trained) -> Found:
        found = extreme_eigenvalues(
            MATRICES[matrix](given.model, Objective(given.split)), count, generator(0)
        )
        return Found(found.values[0], found.products)

    return find


def our_trace(matrix: str) -> Method:
    """Return our way to a matrix's trace."""

    def estimate(given: Trained) -> Found:
        operator = MATRICES[matrix](given.model, Objective(given.split))
        return Found(hutchpp_trace(operator, PRODUCTS, generator(0)).value, PRODUCTS)

    return estimate


def arpack(operator: Curvature, tolerance: float) -> Found:
    """Return the largest eigenvalue by SciPy's ARPACK, one product at a time on the host."""
    number = np.float64 if operator.dtype == torch.float64 else np.float32
    values = eigsh(operator.to_scipy(number), k=1, which="LA", tol=tolerance)[0]
    return Found(float(values[0]), operator.products)


def power_iteration(given: Trained) -> Found:
    """Return the largest eigenvalue in size as PyHessian finds it (Yao et al. 2020).

    One product after the other from a random vector, from one graph of the gradient, until the
    Rayleigh quotient changes by less than 10⁻³ of itself.
    """
    parameters = list(given.model.parameters())
    loss = F.cross_entropy(given.model(given.split.inputs), given.split.labels)
    gradient = torch.autograd.grad(loss, parameters, create_graph=True)
    draws = generator(0)
    vector = torch.cat([torch.randn(p.numel(), generator=draws) for p in parameters])
    sizes, products, value = [p.numel() for p in parameters], 0, None
    while products < 100:
        vector = vector / vector.norm()
        parts = [v.view(p.shape) for v, p in zip(vector.split(sizes), parameters, strict=True)]
        image = torch.autograd.grad(gradient, parameters, parts, retain_graph=True)
        image, products = torch.cat([part.flatten() for part in image]), products + 1
        previous, value = value, (vector @ image).item()
        if previous is not None and abs(value - previous) < 1e-3 * abs(previous):
            break
        vector = image
    return Found(value, products)


def pyhessian(given: Trained, trace: bool) -> Found:
    """Return PyHessian's largest eigenvalue or trace, with its defaults."""
    from pyhessian import hessian

    batch = (given.split.inputs, given.split.labels)
    computed = hessian(given.model, torch.nn.CrossEntropyLoss(), data=batch, cuda=False)
    if trace:
        return Found(float(np.mean(computed.trace(maxIter=PRODUCTS))))
    return Found(float(computed.eigenvalues(top_n=1)[0][0]))


def eigenthings(given: Trained, trace: bool) -> Found:
    """Return hessian-eigenthings' largest eigenvalue or trace, with its defaults."""
    from hessian_eigenthings import algorithms
    from hessian_eigenthings.loss_fns import supervised_loss
    from hessian_eigenthings.operators import HessianOperator

    batches = [(given.split.inputs, given.split.labels)]
    loss = supervised_loss(F.cross_entropy)
    operator = HessianOperator(model=given.model, dataloader=batches, loss_fn=loss)
    if trace:
        result = algorithms.trace(operator, num_matvecs=PRODUCTS, method="hutch++", seed=0)
        return Found(float(result.estimate), PRODUCTS)
    return Found(float(algorithms.lanczos(operator, k=1, seed=0).eigenvalues[0]))


def curvlinops(kind: str, trace: bool) -> Method:
    """Return curvlinops' way: SciPy's ARPACK, or its own Hutch++."""
    import curvlinops

    def compute(given: Trained) -> Found:
        batches = [(given.split.inputs, given.split.labels)]
        parameters = list(given.model.parameters())
        operator = getattr(curvlinops, kind)(
            given.model, torch.nn.CrossEntropyLoss(), parameters, batches
        )
        if trace:
            return Found(float(curvlinops.hutchpp_trace(operator, PRODUCTS)), PRODUCTS)
        return Found(float(eigsh(operator.to_scipy(), k=1, which="LA", tol=1e-3)[0][0]))

    return compute


def hessian_eigenvalue_methods() -> dict[str, Method]:
    """Return ways to the Hessian's largest eigenvalue, by name."""
    methods = {
        "ours": ours("hessian", 1),
        "ours, with four more eigenvalues": ours("hessian", 5),
        "our products, ARPACK, tolerance 10⁻⁴": lambda given: arpack(
            loss_hessian(given.model, Objective(given.split)), 1e-4
        ),
        "power iteration as PyHessian does it": power_iteration,
        "curvlinops, ARPACK": curvlinops("HessianLinearOperator", False),
    }
    return methods | _of_others(trace=False)


def hessian_trace_methods() -> dict[str, Method]:
    """Return ways to the Hessian's trace, by name."""
    methods = {
        "ours": our_trace("hessian"),
        "curvlinops, Hutch++": curvlinops("HessianLinearOperator", True),
    }
    return methods | _of_others(trace=True)


def gauss_newton_methods() -> dict[str, dict[str, Method]]:
    """Return ways to eigenvalue and trace of the Gauss–Newton matrix, by name."""
    return {
        "Gauss–Newton, largest eigenvalue": {
            "ours": ours("gauss_newton", 1),
            "curvlinops, ARPACK": curvlinops("GGNLinearOperator", False),
        },
        "Gauss–Newton, trace": {
            "ours": our_trace("gauss_newton"),
            "curvlinops, Hutch++": curvlinops("GGNLinearOperator", True),
        },
    }


def _of_others(trace: bool) -> dict[str, Method]:
    methods = {"pyhessian": pyhessian, "hessian_eigenthings": eigenthings}
    return {
        OTHERS[package]: lambda given, method=method: method(given, trace)
        for package, method in methods.items()
        if find_spec(package)
    }


def absent() -> list[str]:
    """Return a line for each package that is not there to compare with."""
    return [f"{name}: not installed, left out" for p, name in OTHERS.items() if not find_spec(p)]


def references(given: Trained) -> dict[str, float]:
    """Return eigenvalues and traces in float64, by what is computed."""
    model = given.model.double()
    values = {}
    for name, matrix in (("Hessian", loss_hessian), ("Gauss–Newton", gauss_newton)):
        operator = matrix(model, Objective(given.split))
        values[f"{name}, largest eigenvalue"] = arpack(operator, 1e-9).value
        trace = hutchpp_trace(operator, REFERENCE_PRODUCTS, generator("reference"))
        values[f"{name}, trace"] = trace.value
    given.model.float()
    return values


def rows(repeats: int, architectures: Sequence[str] = tuple(NETWORKS)) -> Iterator[str]:
    """Yield the table, a row for each method, whose repetitions take turns."""
    yield "| network | what | how | products | processor seconds | relative error |"
    yield "|---|---|---|---:|---:|---:|"
    wanted = {
        "Hessian, largest eigenvalue": hessian_eigenvalue_methods(),
        "Hessian, trace": hessian_trace_methods(),
    } | gauss_newton_methods()
    for architecture in architectures:
        given = trained(architecture)
        exact = references(given)
        for what, methods in wanted.items():
            seconds: dict[str, list[float]] = {name: [] for name in methods}
            found = {}
            for _ in range(repeats):
                for name, method in methods.items():
                    start = time.process_time()
                    found[name] = method(given)
                    seconds[name].append(time.process_time() - start)
            for name in methods:
                products = found[name].products or "–"
                error = abs(found[name].value / exact[what] - 1)
                time_taken = statistics.median(seconds[name])
                yield (
                    f"| {architecture} × 1/8 | {what} ({exact[what]:.5g}) | {name} | {products}"
                    f" | {time_taken:.2f} | {error:.1e} |"
                )
    yield ""
    yield from absent()
