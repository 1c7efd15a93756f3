"""Whether products with the matrices of curvature are what finite differences say."""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from ..batches import Batch, Batches
from ..errors import InputError
from ..finite_differences import TOLERANCE_32, Slope, agree, agree_32
from ..network_copy import copied
from .flat import FlatTensors, Selection, selected_parameters
from .objective import Objective
from .operator import Bend, Curvature, GaussNewton, LossHessian
from .probes import copy_in, first_samples

# Samples that are looked at.
SAMPLES = 8


def check_products(
    matrix: str, model: nn.Module, objective: Objective, parameters: Selection = "all"
) -> None:
    """Compare a product with a curvature matrix with finite differences along the same direction.

    In float64; where the network does not run in it, in float32 as far as that can tell. Torch's
    second derivatives are wrong without a word where a part of a network keeps results for its
    backward pass outside of the graph, and in some of torch's own functions.

    Args:
        matrix: ``hessian`` or ``gauss_newton``.
        model: in evaluation mode.
        objective: whose first samples are taken.
        parameters: see `flat.selected_parameters`.

    Raises:
        InputError: they differ, torch cannot form the product, or see `check_gradient`.
    """
    few = first_samples(objective, SAMPLES)
    double = copy_in(model, few, torch.float64)
    name = f"{type(model).__name__}: its second derivatives"
    remedy = f"write that part with torch's own differentiable functions, or leave out {matrix}"
    agree = _agree_32 if double is None else _agree
    try:
        check_gradient(model, objective, parameters, measure=matrix)
        right = agree(_Line(double or copied(model), few, parameters), matrix)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{name} cannot be formed ({reason}); {remedy}") from error
    if not right:
        raise InputError(
            f"{name} by torch are not the changes of its first ones; a part keeps results outside"
            f" of the graph, or torch is wrong there; {remedy}"
        )


def check_gradient(
    model: nn.Module, objective: Objective, parameters: Selection = "all", *, measure: str
) -> None:
    """Compare the slope of the loss with finite differences along a random direction.

    Args:
        model: in evaluation mode.
        objective: whose first samples are taken.
        parameters: see `flat.selected_parameters`.
        measure: what needs it, for the message.

    Raises:
        InputError: they differ.
    """
    few = first_samples(objective, SAMPLES)
    double = copy_in(model, few, torch.float64)
    agree = _agree_32 if double is None else _agree
    if not agree(_Line(double or copied(model), few, parameters), "gradient"):
        raise InputError(
            f"{type(model).__name__}: its derivatives by torch are not the changes of its loss; a"
            " part is cut out of the graph, as detach, no_grad and checkpoint with"
            f" use_reentrant=True do; run it without, or leave out {measure}"
        )


class _Line:
    """A line through a network's parameters, in a random direction that is as large as they are."""

    def __init__(self, model: nn.Module, objective: Objective, parameters: Selection):
        self.model, self.objective = model, objective
        self.parameters = list(selected_parameters(model, parameters).values())
        self._flat = FlatTensors(self.parameters)
        self._draws = torch.Generator().manual_seed(0)
        self._origin = self._flat.vector.clone()
        self.direction = self.drawn()
        self.over_batches = partial(objective.samples.over_batches, batch_size=SAMPLES)

    def drawn(self) -> torch.Tensor:
        """Return normal numbers of each tensor's root mean square, as one vector [P]."""
        sizes = (p.detach().square().mean().sqrt() for p in self.parameters)
        draws = (torch.randn(p.shape, generator=self._draws).to(p) for p in self.parameters)
        parts = (draw * (size or 1) for draw, size in zip(draws, sizes, strict=True))
        return torch.cat([part.flatten() for part in parts])

    def start_at(self, place: float) -> None:
        """Let the line go through another point nearby."""
        self._origin += place * self._laid_out(self.drawn())
        self._flat.vector.copy_(self._origin)

    def difference(self, compute: Callable[[], torch.Tensor], step: float) -> torch.Tensor:
        """Return the slope of a function of the network along the line, by central differences."""
        ends, direction = [], self._laid_out(self.direction)
        for place in (step, -step):
            torch.add(self._origin, direction, alpha=place, out=self._flat.vector)
            ends.append(compute())
        self._flat.vector.copy_(self._origin)
        return (ends[0] - ends[1]) / (2 * step)

    def _laid_out(self, vector: torch.Tensor) -> torch.Tensor:
        parts = vector.split([p.numel() for p in self.parameters])
        return self._flat.pack(
            [part.view(p.shape) for part, p in zip(parts, self.parameters, strict=True)]
        )


def _agree(line: _Line, matrix: str) -> bool:
    """Return whether a product is what finite differences say, next to the network."""

    def slope_at(place: float) -> Slope:
        line.start_at(place)
        return ALONG[matrix](line)

    return agree(slope_at)


def _agree_32(line: _Line, matrix: str) -> bool:
    """Return the same in float32, or whether the matrix is symmetric where differences vary."""
    found = agree_32(ALONG[matrix](line))
    if found is None:
        return matrix == "gradient" or _symmetric(line, matrix)
    return found


def _symmetric(line: _Line, matrix: str) -> bool:
    """Return whether uᵀ M v = vᵀ M u for two random vectors."""
    operator = {"hessian": _hessian_of, "gauss_newton": _gauss_newton_of}[matrix](line)
    u, v = line.drawn(), line.direction
    one, other = operator @ u, operator @ v
    usual = (one.norm() * v.norm() + other.norm() * u.norm()) / len(u) ** 0.5
    return bool((one @ v - other @ u).abs() <= TOLERANCE_32 * usual)


def _share(line: _Line, batch: Batch) -> torch.Tensor:
    """Return a batch's share of the loss and of a weighted sum of outputs.

    The loss alone is flat where a network is sure of its predictions.
    """
    (inputs, labels), objective = batch, line.objective
    outputs = objective.outputs(line.model, inputs)
    weights = torch.arange(outputs[0].numel(), device=outputs.device).cos()
    weighted = (outputs.double().reshape(len(outputs), -1) * weights).sum()
    return (objective.loss.total(outputs, labels) + weighted) / objective.count


def _hessian_of(line: _Line) -> Curvature:
    return LossHessian(line.parameters, line.over_batches, partial(_share, line))


def _gradient(line: _Line) -> torch.Tensor:
    """Return the gradient of `_share` of all samples, [P]."""

    def gradient(batches: Batches) -> torch.Tensor:
        found = []
        for batch in batches:
            with torch.enable_grad():
                share = _share(line, batch)
                if not share.requires_grad:
                    return torch.zeros_like(line.direction)
                parts = torch.autograd.grad(share, line.parameters, materialize_grads=True)
            found.append(torch.cat([part.flatten() for part in parts]))
        return torch.stack(found).sum(0)

    return line.over_batches(gradient)


def _slope(line: _Line) -> Slope:
    """Return the slope along the line, its finite difference, and the size of what is summed."""

    @torch.no_grad()
    def value(batches: Batches) -> torch.Tensor:
        return torch.stack([_share(line, batch) for batch in batches]).sum()

    size = line.over_batches(value).abs().item()
    slope = line.direction.double() @ _gradient(line).double()
    slope = slope.to(line.direction.dtype)
    return Slope(slope, partial(line.difference, lambda: line.over_batches(value)), size)


def _hessian(line: _Line) -> Slope:
    """Return a product, its finite difference by the length of a step, and the gradient's size."""
    product = _hessian_of(line) @ line.direction
    size = _gradient(line).norm().item()
    return Slope(product, partial(line.difference, lambda: _gradient(line)), size)


def _gauss_newton_of(line: _Line) -> Curvature:
    objective = line.objective

    def of_batch(batch: Batch) -> tuple[torch.Tensor, Bend]:
        inputs, labels = batch
        outputs = objective.outputs(line.model, inputs)
        return outputs, objective.loss.curvature(outputs, labels)

    return GaussNewton(line.parameters, line.over_batches, of_batch, 0.0, objective.count)


def _gauss_newton(line: _Line) -> Slope:
    """Return vᵀ G v along the line, the same of finite differences of the outputs, and its size."""
    objective = line.objective

    @torch.no_grad()
    def outputs(batches: Batches) -> torch.Tensor:
        return torch.cat([objective.outputs(line.model, inputs) for inputs, _ in batches])

    product = line.direction @ (_gauss_newton_of(line) @ line.direction)
    bend = objective.loss.curvature(line.over_batches(outputs), objective.samples.labels)

    def difference(step: float) -> torch.Tensor:
        slope = line.difference(lambda: line.over_batches(outputs), step)
        return (slope * bend(slope)).sum() / objective.count

    return Slope(product, difference, product.abs().item())


ALONG = {"gradient": _slope, "hessian": _hessian, "gauss_newton": _gauss_newton}
