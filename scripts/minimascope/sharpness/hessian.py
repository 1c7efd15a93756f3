"""Curvature of the training loss: of its Hessian and of its Gauss–Newton matrix."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial

import numpy as np
import torch
from curvlinops.papyan2020traces.spectrum import fast_lanczos
from torch import nn

from ..batches import Batch
from ..errors import InputError
from ..measurement import Measured, Measurement
from ..seeding import child
from .eigenvalues import Eigenvalues, extreme_eigenvalues
from .flat import Selection, selected_parameters
from .objective import BATCH_SIZE, Objective
from .operator import Bend, Curvature, GaussNewton, LossHessian
from .second_derivatives import check_products
from .subject import Subject
from .trace import hutchpp_trace

TOO_MANY_STEPS = (
    "the Hessian has fewer than {} distinct eigenvalues, which ends the Lanczos iteration early;"
    " lower sharpness.hessian.density_steps"
)


def loss_hessian(
    model: nn.Module,
    objective: Objective,
    parameters: Selection = "all",
    weight_decay: float = 0.0,
    batch_size: int = BATCH_SIZE,
) -> LossHessian:
    """Return the Hessian of the mean loss, plus λ/2 ‖θ‖², with respect to parameters.

    Args:
        model: in evaluation mode; its floating type is that of the products.
        objective: the mean loss.
        parameters: see `flat.selected_parameters`.
        weight_decay: λ.
        batch_size: how many inputs are computed at once; bounds the memory.
    """
    over_batches = partial(objective.samples.over_batches, batch_size=batch_size)
    chosen = list(selected_parameters(model, parameters).values())
    return LossHessian(chosen, over_batches, partial(objective.share, model), weight_decay)


def gauss_newton(
    model: nn.Module,
    objective: Objective,
    parameters: Selection = "all",
    weight_decay: float = 0.0,
    batch_size: int = BATCH_SIZE,
) -> GaussNewton:
    """Return the Gauss–Newton matrix of the same loss; see `loss_hessian`."""
    over_batches = partial(objective.samples.over_batches, batch_size=batch_size)

    def of_batch(batch: Batch) -> tuple[torch.Tensor, Bend]:
        inputs, labels = batch
        outputs = objective.outputs(model, inputs)
        return outputs, objective.loss.curvature(outputs, labels)

    chosen = list(selected_parameters(model, parameters).values())
    return GaussNewton(chosen, over_batches, of_batch, weight_decay, objective.count)


MATRICES = {"hessian": loss_hessian, "gauss_newton": gauss_newton}


def spectral_quadrature(
    operator: Curvature, probes: int, steps: int, generator: torch.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights [probes, steps] of stochastic Lanczos quadrature.

    For each random unit vector, Σ_j weight_j f(node_j) estimates the mean of f over the spectrum
    (Golub & Welsch 1969; Ghorbani et al. 2019, arXiv:1901.10159, section 2). Weights of a probe
    add up to 1.

    Args:
        operator: symmetric.
        probes: random vectors.
        steps: of the Lanczos iteration. A smaller operator's spectrum is computed exactly.
        generator: of the probes, on the operator's device.

    Raises:
        InputError: the spectrum has fewer points than there are steps.
    """
    if operator.shape[0] <= steps:
        eigenvalues = np.linalg.eigvalsh(_dense(operator))[None].repeat(probes, 0)
        return eigenvalues, np.full_like(eigenvalues, 1 / operator.shape[0])
    nodes, weights = [], []
    for probe in range(probes):
        # curvlinops draws from torch's global generator.
        devices = [operator.device] if operator.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(child(generator, probe).initial_seed())
            try:
                eigenvalues, eigenvectors = fast_lanczos(operator, steps)
            except torch.linalg.LinAlgError as error:
                raise InputError(TOO_MANY_STEPS.format(steps)) from error
        nodes.append(eigenvalues.double().cpu().numpy())
        weights.append(eigenvectors[0].double().square().cpu().numpy())
    if not np.isfinite(nodes).all():
        raise InputError(TOO_MANY_STEPS.format(steps))
    return np.stack(nodes), np.stack(weights)


def _dense(operator: Curvature) -> np.ndarray:
    identity = torch.eye(operator.shape[0], dtype=operator.dtype, device=operator.device)
    matrix = (operator @ identity).double().cpu().numpy()
    return (matrix + matrix.T) / 2


def measure(
    subject: Subject,
    generator: torch.Generator,
    *,
    matrices: Sequence[str] = ("hessian", "gauss_newton"),
    eigenvalues: int = 5,
    smallest_eigenvalues: int = 0,
    tolerance: float = 1e-3,
    max_iterations: int = 300,
    eigenvectors: bool = False,
    trace_products: int = 99,
    density_probes: int = 4,
    density_steps: int = 50,
    parameters: Selection = "all",
    l2: bool = False,
    dtype: str = "float32",
    batch_size: int = BATCH_SIZE,
) -> Measured:
    """Return the largest eigenvalue and the trace of each matrix; all eigenvalues, and the density.

    Args:
        subject: the network and its data.
        generator: of starting and test vectors, on the model's device.
        matrices: those measured, names of `MATRICES`. The smallest eigenvalues and the density are
            the Hessian's alone.
        eigenvalues: how many of the largest; 0 for none.
        smallest_eigenvalues: how many of the most negative; 0 for none.
        tolerance: relative accuracy of the eigenvalues.
        max_iterations: steps of the eigenvalue solver.
        eigenvectors: whether the eigenvectors are kept among the arrays.
        trace_products: products of the trace, a multiple of 3 of at least 6; 0 for none.
        density_probes: random vectors of the spectral density; 0 for none.
        density_steps: Lanczos steps of each.
        parameters: ``all``, ``weights``, or patterns of names.
        l2: whether the loss includes the penalty λ/2 ‖θ‖² of the training's weight decay.
        dtype: ``float32`` or ``float64``.
        batch_size: how many inputs are computed at once.
    """
    decay, n = subject.weight_decay if l2 else 0.0, len(subject.objective)
    model = subject.in_dtype(dtype).model
    search = partial(extreme_eigenvalues, tolerance=tolerance, max_iterations=max_iterations)
    parts: list[Measured] = []
    for matrix in matrices:
        check_products(matrix, model, subject.objective, parameters)
        operator = MATRICES[matrix](model, subject.objective, parameters, decay, batch_size)
        parts.append(Measured([], {"parameters": operator.shape[0], "weight_decay": decay}))
        key = "" if matrix == "hessian" else f"{matrix}_"
        if eigenvalues:
            draws = child(generator, f"{key}largest eigenvalues")
            found = search(operator, eigenvalues, draws)
            name = f"{matrix}_top_eigenvalue"
            parts.append(_eigenvalues(found, name, f"{key}largest", n, eigenvectors))
        if smallest_eigenvalues and matrix == "hessian":
            draws = child(generator, "smallest eigenvalues")
            found = search(operator, smallest_eigenvalues, draws, end="smallest")
            name = "hessian_smallest_eigenvalue"
            parts.append(_eigenvalues(found, name, "smallest", n, eigenvectors))
        if trace_products:
            trace = hutchpp_trace(operator, trace_products, child(generator, f"{key}trace"))
            error = trace.standard_error
            value = Measurement(f"{matrix}_trace", trace.value, "1", n, standard_error=error)
            parts.append(Measured([value], {f"{key}trace": asdict(trace)}))
        if density_probes and matrix == "hessian":
            draws = child(generator, "density")
            nodes, weights = spectral_quadrature(operator, density_probes, density_steps, draws)
            details = {"density": {"probes": density_probes, "steps": nodes.shape[1]}}
            parts.append(Measured([], details, {"nodes": nodes, "weights": weights}))
    return _together(parts)


def _eigenvalues(
    found: Eigenvalues, measure: str, end: str, n: int, eigenvectors: bool
) -> Measured:
    """Return the outermost eigenvalue as a measure, and all with their residuals as arrays."""
    how = {"noise_floor": found.residuals[0], "converged": found.converged}
    names = ("values", "residuals", "converged", "products", "tolerance")
    arrays = {f"{end}_eigenvalues": np.array(found.values)}
    arrays[f"{end}_residuals"] = np.array(found.residuals)
    if eigenvectors:
        arrays[f"{end}_eigenvectors"] = found.vectors.T.cpu().numpy()
    return Measured(
        [Measurement(measure, found.values[0], "1", n, **how)],
        {f"{end}_eigenvalues": {name: getattr(found, name) for name in names}},
        arrays,
    )


def _together(parts: Sequence[Measured]) -> Measured:
    measurements = [measurement for part in parts for measurement in part.measurements]
    details = {key: value for part in parts for key, value in part.details.items()}
    arrays = {key: value for part in parts for key, value in part.arrays.items()}
    return Measured(measurements, details, arrays)
