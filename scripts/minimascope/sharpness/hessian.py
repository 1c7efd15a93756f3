"""Curvature of the training loss: eigenvalues, trace and spectral density of its Hessian."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from curvlinops.papyan2020traces.spectrum import fast_lanczos
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import nn

from ..batches import in_batches
from ..data.prepared import Split
from ..errors import InputError
from ..measurement import Measured, Measurement
from ..seeding import child
from .flat import selected_parameters
from .losses import BATCH_SIZE, cross_entropy
from .operator import LossHessian
from .subject import Subject
from .trace import hutchpp_trace

TOO_MANY_STEPS = (
    "the Hessian has fewer than {} distinct eigenvalues, which ends the Lanczos iteration early;"
    " lower sharpness.hessian.density_steps"
)


def loss_hessian(
    model: nn.Module,
    split: Split,
    parameters: str | Sequence[str] = "all",
    weight_decay: float = 0.0,
    batch_size: int = BATCH_SIZE,
) -> LossHessian:
    """Return the Hessian of the mean cross-entropy, plus λ/2 ‖θ‖², with respect to parameters.

    Args:
        model: in evaluation mode; its floating type is that of the products.
        split: what the loss is a mean over.
        parameters: see `flat.selected_parameters`.
        weight_decay: λ.
        batch_size: how many inputs are computed at once; bounds the memory.
    """
    data = (split.inputs, split.labels)
    over_batches = partial(in_batches, tensors=data, batch_size=batch_size)

    def batch_loss(batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return cross_entropy(model, *batch) / len(split)

    chosen = list(selected_parameters(model, parameters).values())
    return LossHessian(chosen, over_batches, batch_loss, weight_decay)


@dataclass(frozen=True)
class Eigenvalues:
    """Eigenvalues at one end of a symmetric operator's spectrum.

    Attributes:
        values: the outermost first; those that converged.
        residuals: ‖Hv − λv‖ of each; there is an eigenvalue at most that far away.
        converged: whether all that were asked for did.
        products: with vectors, that it took.
    """

    values: list[float]
    residuals: list[float]
    converged: bool
    products: int


def extreme_eigenvalues(
    operator: LossHessian,
    count: int,
    generator: torch.Generator,
    tolerance: float = 1e-4,
    max_iterations: int = 100,
    end: Literal["largest", "smallest"] = "largest",
) -> Eigenvalues:
    """Return the largest or smallest eigenvalues, by implicitly restarted Lanczos (ARPACK).

    Args:
        operator: symmetric.
        count: how many; all of a small operator at most.
        generator: of the starting vector.
        tolerance: accuracy of the largest eigenvalues relative to themselves, of the smallest
            relative to the spectrum's size.
        max_iterations: restarts.
        end: of the spectrum; the smallest eigenvalues are the most negative ones.

    Raises:
        InputError: not a single eigenvalue converged.
    """
    before, size = operator.products, operator.shape[0]
    if size <= max(2 * count + 1, 20):
        vectors, converged = np.linalg.eigh(_dense(operator))[1], True
        vectors = vectors[:, -count:] if end == "largest" else vectors[:, :count]
    else:
        start = torch.randn(size, generator=generator, device=operator.device)
        settings = {"k": count, "tol": tolerance, "maxiter": max_iterations}
        vectors, converged = _lanczos(operator, start.to(operator.dtype), end, settings)
    if vectors.shape[1] == 0:
        raise InputError(
            f"no eigenvalue of the Hessian converged to {tolerance:g} in {max_iterations} restarts;"
            " raise sharpness.hessian.max_iterations or tolerance, or use dtype float64"
        )
    columns = torch.from_numpy(np.ascontiguousarray(vectors)).to(operator.device, operator.dtype)
    images = operator @ columns
    values = (columns * images).double().sum(0)
    residuals = (images - columns * values.to(columns.dtype)).double().norm(dim=0)
    order = values.argsort(descending=end == "largest")
    return Eigenvalues(
        values[order].tolist(), residuals[order].tolist(), converged, operator.products - before
    )


def _lanczos(
    operator: LossHessian, start: torch.Tensor, end: str, settings: Mapping[str, Any]
) -> tuple[np.ndarray, bool]:
    """Return the eigenvectors [P, k] that ARPACK finds at one end, and whether that is all."""
    sign, shift = (1, 0.0) if end == "largest" else (-1, _extent(operator, start))
    number = np.float64 if operator.dtype == torch.float64 else np.float32
    hessian = operator.to_scipy(number)
    shifted = LinearOperator(
        hessian.shape, matvec=lambda v: shift * v.ravel() + sign * hessian.matvec(v), dtype=number
    )
    try:
        return eigsh(shifted, which="LA", v0=start.cpu().numpy(), **settings)[1], True
    except ArpackNoConvergence as error:
        return error.eigenvectors, False


def _extent(operator: LossHessian, start: torch.Tensor) -> float:
    """Return about the size of the spectrum, by which it is shifted to find its lower end.

    ARPACK begins with the image of its starting vector, which has no part in the null space: of a
    convex loss it would miss the eigenvalue 0. Besides, an accuracy relative to a smallest
    eigenvalue near 0 would be out of reach.
    """
    image = operator @ start
    return ((operator @ image).norm() / image.norm()).item() if image.any() else 1.0


def spectral_quadrature(
    operator: LossHessian, probes: int, steps: int, generator: torch.Generator
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


def _dense(operator: LossHessian) -> np.ndarray:
    identity = torch.eye(operator.shape[0], dtype=operator.dtype, device=operator.device)
    matrix = (operator @ identity).double().cpu().numpy()
    return (matrix + matrix.T) / 2


def measure(
    subject: Subject,
    generator: torch.Generator,
    *,
    eigenvalues: int = 5,
    smallest_eigenvalues: int = 0,
    tolerance: float = 1e-4,
    max_iterations: int = 100,
    trace_products: int = 99,
    density_probes: int = 4,
    density_steps: int = 50,
    parameters: str | Sequence[str] = "all",
    l2: bool = False,
    dtype: str = "float32",
    batch_size: int = BATCH_SIZE,
) -> Measured:
    """Return the largest eigenvalue and the trace of the Hessian; all eigenvalues, and the density.

    Args:
        subject: the network and its data.
        generator: of starting and test vectors, on the model's device.
        eigenvalues: how many of the largest; 0 for none.
        smallest_eigenvalues: how many of the most negative; 0 for none.
        tolerance: relative accuracy of the eigenvalues.
        max_iterations: restarts of the eigenvalue solver.
        trace_products: Hessian-vector products of the trace, a multiple of 3 of at least 6; 0 for
            none.
        density_probes: random vectors of the spectral density; 0 for none.
        density_steps: Lanczos steps of each.
        parameters: ``all``, ``weights``, or patterns of names.
        l2: whether the loss includes the penalty λ/2 ‖θ‖² of the training's weight decay.
        dtype: ``float32`` or ``float64``.
        batch_size: how many inputs are computed at once.
    """
    decay, n = subject.weight_decay if l2 else 0.0, len(subject.split)
    model = subject.in_dtype(dtype).model
    operator = loss_hessian(model, subject.split, parameters, decay, batch_size)
    measurements: list[Measurement] = []
    details: dict[str, Any] = {"parameters": operator.shape[0], "weight_decay": decay}
    arrays: dict[str, np.ndarray] = {}
    for end, name, count in (
        ("largest", "hessian_top_eigenvalue", eigenvalues),
        ("smallest", "hessian_smallest_eigenvalue", smallest_eigenvalues),
    ):
        if count:
            draws = child(generator, f"{end} eigenvalues")
            found = extreme_eigenvalues(operator, count, draws, tolerance, max_iterations, end)
            how = {"noise_floor": found.residuals[0], "converged": found.converged}
            measurements.append(Measurement(name, found.values[0], "1", n, **how))
            details[f"{end}_eigenvalues"] = asdict(found) | {"tolerance": tolerance}
            arrays[f"{end}_eigenvalues"] = np.array(found.values)
            arrays[f"{end}_residuals"] = np.array(found.residuals)
    if trace_products:
        trace = hutchpp_trace(operator, trace_products, child(generator, "trace"))
        error = trace.standard_error
        measurements.append(Measurement("hessian_trace", trace.value, "1", n, standard_error=error))
        details["trace"] = asdict(trace)
    if density_probes:
        draws = child(generator, "density")
        nodes, weights = spectral_quadrature(operator, density_probes, density_steps, draws)
        arrays |= {"nodes": nodes, "weights": weights}
        details["density"] = {"probes": density_probes, "steps": nodes.shape[1]}
    return Measured(measurements, details, arrays)
