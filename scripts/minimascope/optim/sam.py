"""Sharpness-aware minimisation (Foret et al. 2021, arXiv:2010.01412), and variants of it.

A SAM step evaluates the gradient at θ + ρ g/‖g‖ instead of θ, g being the gradient at θ of the
same batch (their Algorithm 1), and lets any base optimiser take the step from θ. Each variant
changes one part of it, so that they can be had together:

- ASAM (Kwon et al. 2021, arXiv:2102.11600) goes to θ + ρ T²g/‖Tg‖, T = diag(|θ| + η); of
  biases T is 1, as in its authors' code;
- GSAM (Zhuang et al. 2022, arXiv:2203.08065) takes α times the part of g that is orthogonal to
  SAM's gradient from that. SAM's gradient lowers the loss at the ascended point; to go against
  this part raises the loss at θ alone, and so narrows the gap between them (their surrogate gap).
  ρ is constant here, where they let it follow the learning rate;
- m-SAM (Foret et al. 2021, section 4.1; Andriushchenko and Flammarion 2022, arXiv:2206.06232)
  ascends for each group of m samples by itself, and takes the mean of their gradients.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from ..batchnorm import tracking

Loss = Callable[[], torch.Tensor]


@dataclass(frozen=True)
class SAM:
    """What a SAM step does.

    Attributes:
        rho: length of the ascent step: Euclidean, or of T⁻¹ times the step where it is adaptive.
        adaptive: η of ASAM; None for SAM's step.
        gap_weight: α of GSAM; None for SAM's gradient.
        group_size: m of m-SAM; None for the whole batch.
    """

    rho: float
    adaptive: float | None = None
    gap_weight: float | None = None
    group_size: int | None = None

    def groups(self, samples: int) -> list[slice]:
        """Return the rows of each group of a batch; the last may have fewer."""
        size = self.group_size or samples
        return [slice(start, min(start + size, samples)) for start in range(0, samples, size)]


def mean_sam_gradient(
    model: nn.Module, losses: Sequence[Loss], shares: Sequence[float], sam: SAM
) -> torch.Tensor:
    """Leave the mean over groups of `sam_gradient` in ``.grad``; return the mean loss at θ.

    BatchNorm normalises each group by statistics of its own. The running ones are updated once, by
    the mean of those of all groups at θ.

    Args:
        model: as for `sam_gradient`.
        losses: of each group, as there.
        shares: of the groups in the batch; they sum to one.
        sam: what a step does.
    """
    if len(losses) == 1:
        return sam_gradient(model, losses[0], sam)
    statistics = [buffer for layer in tracking(model) for buffer in layer.buffers()]
    before = [buffer.clone() for buffer in statistics]
    # How many batches there were is a whole number, and the same after each group.
    running = [buffer for buffer in statistics if buffer.is_floating_point()]
    values, sums = [], None
    for loss, share in zip(losses, shares, strict=True):
        for buffer, start in zip(statistics, before, strict=True):
            buffer.copy_(start)
        values.append(share * sam_gradient(model, loss, sam))
        moved = [p for p in model.parameters() if p.grad is not None]
        parts = torch._foreach_mul([*(p.grad for p in moved), *running], share)
        sums = parts if sums is None else torch._foreach_add(sums, parts)
    for parameter, gradient in zip(moved, sums[: len(moved)], strict=True):
        parameter.grad = gradient
    for buffer, mean in zip(running, sums[len(moved) :], strict=True):
        buffer.copy_(mean)
    return torch.stack(values).sum()


def sam_gradient(model: nn.Module, loss: Loss, sam: SAM) -> torch.Tensor:
    """Leave the gradient of one SAM step in the parameters' ``.grad`` and return the loss at θ.

    Args:
        model: its parameters are the same after the call, bit for bit; BatchNorm's running
            statistics are updated by the first of the two forward passes only.
        loss: computes the loss of the batch with the model's present parameters.
        sam: what the step does, to the batch as a whole.
    """
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    value = loss()
    _backward(parameters.values(), value)
    moved = {name: p for name, p in parameters.items() if p.grad is not None}
    gradients = [p.grad for p in moved.values()]
    if sam.gap_weight is not None:
        # Copies, since a compiled network may write the next gradients over these.
        gradients = [gradient.clone() for gradient in gradients]
    steps = _ascent(moved, gradients, sam)
    with _ascended([*moved.values()], steps), frozen_statistics(model):
        _backward(parameters.values(), loss())
    if sam.gap_weight is not None:
        _narrow_gap([p.grad for p in moved.values()], gradients, sam.gap_weight)
    return value.detach()


def _backward(parameters: Iterable[nn.Parameter], loss: torch.Tensor) -> None:
    for parameter in parameters:
        parameter.grad = None
    loss.backward()


@torch.no_grad()
def _ascent(
    parameters: Mapping[str, nn.Parameter], gradients: Sequence[torch.Tensor], sam: SAM
) -> Sequence[torch.Tensor]:
    """Return how far each parameter is moved: ρ g/‖g‖, or ρ T²g/‖Tg‖ where SAM is adaptive."""
    scales = None
    if sam.adaptive is not None:
        scales = [
            torch.ones_like(p) if "bias" in name.rpartition(".")[2] else p.abs() + sam.adaptive
            for name, p in parameters.items()
        ]
        gradients = torch._foreach_mul(gradients, scales)
    norm = _length(gradients)
    # A zero gradient has no direction to ascend: the step is then zero, not NaN.
    steps = torch._foreach_mul(gradients, sam.rho / norm.clamp_min(torch.finfo(norm.dtype).tiny))
    return steps if scales is None else torch._foreach_mul(steps, scales)


@torch.no_grad()
def _narrow_gap(
    gradients: Sequence[torch.Tensor], first: Sequence[torch.Tensor], weight: float
) -> None:
    """Take ``weight`` times the part of the first gradient that is orthogonal from the second."""
    products = torch._foreach_mul(gradients, first)
    inner = torch.stack([product.sum() for product in products]).sum()
    square = _length(gradients).square()
    along = inner / square.clamp_min(torch.finfo(square.dtype).tiny)
    orthogonal = torch._foreach_sub(first, torch._foreach_mul(gradients, along))
    torch._foreach_sub_(gradients, torch._foreach_mul(orthogonal, weight))


def _length(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors)))


@contextmanager
def _ascended(parameters: Sequence[nn.Parameter], steps: Sequence[torch.Tensor]) -> Iterator[None]:
    # Kept copies, since (θ + ε) - ε is not θ in floating point.
    originals = [torch.empty_like(p, requires_grad=False) for p in parameters]
    with torch.no_grad():
        torch._foreach_copy_(originals, parameters)
        torch._foreach_add_(parameters, steps)
        try:
            with torch.enable_grad():
                yield
        finally:
            torch._foreach_copy_(parameters, originals)


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Keep BatchNorm layers from updating running statistics; outputs are as in training."""
    layers = tracking(model)
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True
