"""How near a training is to the edge of stability: curvature beside what its steps can bear."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import brentq
from torch import nn

from ..measurement import Measured, Measurement
from ..optim.stability import Update, small_batch_threshold, stability_threshold
from ..seeding import child
from .eigenvalues import Eigenvalues, extreme_eigenvalues
from .flat import FlatTensors, selected_parameters
from .hessian import loss_hessian
from .objective import BATCH_SIZE, Objective
from .operator import Curvature, LossHessian, Preconditioned
from .second_derivatives import check_products
from .subject import Subject

TOP, CRITICAL = "hessian_top_eigenvalue", "critical_sharpness"
# Relative width to which the smallest step that raises the loss is narrowed.
WIDTH = 1e-2
# Steps are doubled or halved so often at most, from where the search begins.
SEARCHED = 30
# Rounding of the mean loss, relative to it, below which a change says nothing.
ROUNDING = {torch.float32: 1e-7, torch.float64: 1e-15}
NO_THRESHOLD = (
    "no threshold is known for this optimiser, for SAM with it, or for a learning rate of 0: known"
    " are sgd, rmsprop, adam and adamw, and SAM with sgd on full batches without momentum"
)
NO_STEPS_YET = "before the first step gradients are divided by nothing yet"
NO_GRADIENT = "the gradients of all batches are zero"
NO_STEP = "no step along the update changes the loss by more than rounding and raises it"


def measure(
    subject: Subject,
    generator: torch.Generator,
    *,
    update: Update,
    previous: Mapping[str, np.ndarray],
    batches: int = 16,
    tolerance: float = 1e-2,
    max_iterations: int = 300,
    dtype: str = "float32",
    batch_size: int = BATCH_SIZE,
) -> Measured:
    """Return the largest eigenvalue of the Hessian, the threshold of stability, and cheaper twins.

    Of the mean loss in evaluation mode. What weight decay adds where its gradient is a part of the
    step's counts in the ratio to the threshold alone.

    Args:
        subject: the network at a moment of its training, and its training data.
        generator: of starting vectors and batches, on the model's device.
        update: how its weights were being changed.
        previous: arrays of the moment before, whose eigenvectors and critical sharpness searches
            begin with; nothing at the first moment.
        batches: for batch sharpness; 0 for none.
        tolerance: relative accuracy of eigenvalues.
        max_iterations: steps of the eigenvalue solver.
        dtype: ``float32`` or ``float64``.
        batch_size: how many inputs are computed at once.
    """
    model, objective = subject.in_dtype(dtype).model, subject.objective
    n = len(objective)
    if not previous:
        check_products("hessian", model, objective)
    hessian = loss_hessian(model, objective, batch_size=batch_size)
    # The loss as the search for the critical rate has it, and the gradient of which the products
    # are derivatives.
    loss, gradient = objective.mean(model, batch_size), hessian.gradient()
    norm, unit = gradient.double().norm().item(), objective.loss.unit
    divisors = _divisors(model, update)
    matrices = _matrices(hessian, model, objective, update, divisors, batch_size)
    values = _largest(matrices, generator, previous, tolerance, max_iterations)
    thresholds, left_out = _thresholds(update, norm, values, n)
    critical, why_not = None, NO_STEPS_YET
    # What an adaptive optimiser divides its first step by is not there yet.
    if divisors is not None or not update.is_adaptive:
        direction = gradient if divisors is None else gradient / divisors
        guess, why_not = _guess(update, previous), NO_STEP
        critical = critical_rate(model, objective, direction, loss.item(), guess, batch_size)
    size, draws = update.batch_size or n, child(generator, "batches")
    curvature = batch_sharpness(model, objective, size, batches, draws) if batches else None
    found = [
        Measurement("train_loss", loss.item(), unit, n),
        Measurement("train_gradient_norm", norm, f"{unit} per unit of parameter", n),
        *(_eigenvalue(name, value, n) for name, value in values.items()),
        *([critical.sharpness(n)] if critical else ()),
        *([curvature] if curvature else ()),
        *thresholds,
    ]
    left_out |= {} if critical else {CRITICAL: why_not}
    left_out |= {"batch_sharpness": NO_GRADIENT} if batches and not curvature else {}
    details: dict[str, Any] = {f"{name}_products": value.products for name, value in values.items()}
    details |= {"critical_sharpness_passes": critical.passes} if critical else {}
    details |= {"left_out": left_out} if left_out else {}
    arrays = {name: value.vectors[:, 0].cpu().numpy() for name, value in values.items()}
    arrays |= {CRITICAL: np.array(2 / critical.rate)} if critical else {}
    return Measured(found, details, arrays)


def _divisors(model: nn.Module, update: Update) -> torch.Tensor | None:
    """Return what an adaptive optimiser divides the gradient by, [P]; None for others.

    Those of a user's own file are others: what else their steps do to a gradient is not known.
    """
    if not (update.is_adaptive and update.divisors):
        return None
    # The optimiser has divided nothing of parameters that never had a gradient.
    parts = [
        update.divisors[name].to(p) if name in update.divisors else torch.ones_like(p)
        for name, p in selected_parameters(model).items()
    ]
    return torch.cat([part.detach().flatten() for part in parts])


def _matrices(
    hessian: LossHessian,
    model: nn.Module,
    objective: Objective,
    update: Update,
    divisors: torch.Tensor | None,
    batch_size: int,
) -> dict[str, Curvature | Preconditioned]:
    """Return the matrices whose largest eigenvalues are measured, by the names of these."""
    found: dict[str, Curvature | Preconditioned] = {TOP: hessian}
    if divisors is not None:
        # Decay is divided as the rest of the gradient is.
        decay = update.coupled_decay
        whole = loss_hessian(model, objective, "all", decay, batch_size) if decay else hessian
        found["preconditioned_top_eigenvalue"] = Preconditioned(whole, divisors)
    return found


def _largest(
    matrices: Mapping[str, Curvature | Preconditioned],
    generator: torch.Generator,
    previous: Mapping[str, np.ndarray],
    tolerance: float,
    max_iterations: int,
) -> dict[str, Eigenvalues]:
    """Return the largest eigenvalue of each matrix, searched for from its last vector on."""
    found = {}
    for name, matrix in matrices.items():
        kind = {"dtype": matrix.dtype, "device": matrix.device}
        start = torch.as_tensor(previous[name], **kind) if name in previous else None
        draws = child(generator, name)
        found[name] = extreme_eigenvalues(matrix, 1, draws, tolerance, max_iterations, start=start)
    return found


def _guess(update: Update, previous: Mapping[str, np.ndarray]) -> float:
    """Return where to begin the search for the critical rate: at the last one, if there is one."""
    before = previous[CRITICAL].item() if CRITICAL in previous else 0.0
    return 2 / before if before else update.learning_rate or 1.0


def _eigenvalue(name: str, found: Eigenvalues, n: int) -> Measurement:
    how = {"noise_floor": found.residuals[0], "converged": found.converged}
    return Measurement(name, found.values[0], "1", n, **how)


def _thresholds(
    update: Update, gradient_norm: float, values: Mapping[str, Eigenvalues], n: int
) -> tuple[list[Measurement], dict[str, str]]:
    """Return what steps can bear, and the eigenvalue that decides as a multiple of that."""
    threshold, small = stability_threshold(update, gradient_norm), small_batch_threshold(update)
    found = [] if small is None else [Measurement("small_batch_threshold", small, "1", n)]
    if threshold is None:
        return found, dict.fromkeys(("stability_threshold", "edge_ratio"), NO_THRESHOLD)
    found.append(Measurement("stability_threshold", threshold, "1", n))
    if update.is_adaptive and "preconditioned_top_eigenvalue" not in values:
        return found, {"edge_ratio": NO_STEPS_YET}
    # Without division, decay is a multiple of the identity.
    decay = 0.0 if update.is_adaptive else update.coupled_decay
    decisive = values["preconditioned_top_eigenvalue" if update.is_adaptive else TOP].values[0]
    found.append(Measurement("edge_ratio", (decisive + decay) / threshold, "1", n))
    return found, {}


@dataclass(frozen=True)
class Critical:
    """The smallest learning rate at which a step raises the loss.

    Attributes:
        rate: η_c.
        passes: over the data that the search took.
    """

    rate: float
    passes: int

    def sharpness(self, n: int) -> Measurement:
        """Return 2/η_c, to the width of the interval that η_c lies in."""
        value = 2 / self.rate
        return Measurement(CRITICAL, value, "1", n, noise_floor=WIDTH * value)


@torch.no_grad()
def critical_rate(
    model: nn.Module,
    objective: Objective,
    direction: torch.Tensor,
    loss: float,
    guess: float = 1.0,
    batch_size: int = BATCH_SIZE,
) -> Critical | None:
    """Return the smallest rate η for which L(θ − η d) > L(θ), to a hundredth, or None.

    2/η is the critical sharpness of Kalra et al. 2026 (arXiv:2601.16979), d being the update's
    direction: for a quadratic loss and d its gradient g it is gᵀHg/‖g‖². The rate is doubled, or
    halved, from a guess until the loss falls at one and rises at the other of two, and then
    narrowed by Brent's method on the mean slope (L(θ − η d) − L(θ))/η, a straight line for a
    quadratic loss.

    Args:
        model: its parameters are moved, and are the same after the call.
        objective: the mean loss.
        direction: d, [P], of the parameters in their order.
        loss: L(θ).
        guess: of η.
        batch_size: how many inputs are computed at once.

    Returns:
        None where the loss changes by no more than rounding, or rises at no rate between 2⁻³⁰ and
        2³⁰ times the guess.
    """
    line = _Line(model, objective, direction, loss, batch_size)
    try:
        return _critical(line, guess)
    finally:
        line.at(0.0)


def _critical(line: "_Line", guess: float) -> Critical | None:
    factor = 0.5 if line.slope(guess) > 0 else 2.0
    here = guess
    for _ in range(SEARCHED):
        before, here = here, here * factor
        if (line.slope(here) > 0) != (factor < 1):
            low, high = sorted((before, here))
            break
    else:
        return None
    if max(abs(line.slope(end)) * end for end in (low, high)) <= line.rounding:
        return None
    rate = brentq(line.slope, low, high, rtol=WIDTH, xtol=WIDTH * low)
    return Critical(rate, line.passes)


class _Line:
    """The loss along a line from a network's parameters, over rates of a step."""

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        step: torch.Tensor,
        loss: float,
        batch_size: int,
    ):
        parameters = list(selected_parameters(model).values())
        self.model, self.objective, self.batch_size = model, objective, batch_size
        self.flat = FlatTensors(parameters)
        self.origin = self.flat.vector.clone()
        parts = step.split([p.numel() for p in parameters])
        self.step = self.flat.pack(
            [s.view(p.shape) for s, p in zip(parts, parameters, strict=True)]
        )
        self.passes, self.known, self.loss = 0, {}, loss
        self.rounding = ROUNDING[self.origin.dtype] * abs(self.loss)

    def at(self, rate: float) -> None:
        """Move the parameters there."""
        torch.sub(self.origin, self.step, alpha=rate, out=self.flat.vector)

    def slope(self, rate: float) -> float:
        """Return the mean slope of the loss up to a rate; infinite where the loss is."""
        if rate not in self.known:
            self.at(rate)
            change = self._mean() - self.loss
            self.known[rate] = change / rate if math.isfinite(change) else math.inf
        return self.known[rate]

    def _mean(self) -> float:
        self.passes += 1
        return self.objective.mean(self.model, self.batch_size).item()


def batch_sharpness(
    model: nn.Module,
    objective: Objective,
    size: int,
    batches: int,
    generator: torch.Generator,
) -> Measurement | None:
    """Return the mean of gᵀHg/‖g‖² over batches, g and H being a batch's gradient and Hessian.

    That is said to hover at 2/η in training with small batches, where the eigenvalue of the whole
    loss stays below (Andreyev & Beneventano 2024, arXiv:2412.20553, Definition 3). Batches are
    parts of random orders of the samples; the standard error is over them. None where every
    gradient is zero.

    Args:
        model: in evaluation mode.
        objective: the mean loss over all samples.
        size: inputs in a batch; all samples at most.
        batches: number of batches; one is enough where a batch is all samples.
        generator: of the orders.
    """
    found = []
    for rows in _batch_rows(len(objective), size, batches, generator):
        hessian = loss_hessian(model, objective.of(objective.samples.rows(rows)))
        gradient = hessian.gradient()
        if not (norm := gradient.norm()):
            continue
        gradient /= norm
        product = hessian @ gradient
        found.append((gradient.double() @ product.double()).item())
    if not found:
        return None
    error = float(np.std(found, ddof=1)) / math.sqrt(len(found)) if len(found) > 1 else None
    value = float(np.mean(found))
    return Measurement("batch_sharpness", value, "1", len(objective), standard_error=error)


def _batch_rows(
    samples: int, size: int, batches: int, generator: torch.Generator
) -> Iterator[torch.Tensor]:
    """Yield the row numbers of whole batches."""
    if size >= samples:
        yield torch.arange(samples, device=generator.device)
        return
    found = 0
    while found < batches:
        order = torch.randperm(samples, generator=generator, device=generator.device)
        for rows in order[: samples // size * size].split(size)[: batches - found]:
            yield rows
            found += 1
