"""What gradients with respect to the inputs tell of each sample: norms, margins and distances."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ..batches import Batch, Batches
from ..jobs.progress import progress
from ..seeding import child
from .cross_entropy import counted
from .inputs import NormalRows, numbers
from .objective import Objective


@dataclass(frozen=True)
class InputGradients:
    """What `input_gradients` finds of each sample, in float64.

    Attributes:
        norms: ‖J_i‖_F, [n].
        margins: z_y − max_{c≠y} z_c, [n]; None for a loss without a softmax over classes.
        distances: min_{c≠y} (z_y − z_c) / ‖∇(z_y − z_c)‖₂, [n]; None likewise. Infinite, or 0 for
            equal logits, where a difference has no gradient.
    """

    norms: torch.Tensor
    margins: torch.Tensor | None
    distances: torch.Tensor | None


def input_gradients(
    model: nn.Module,
    objective: Objective,
    projections: int | None,
    *,
    generator: torch.Generator,
    batch_size: int,
) -> InputGradients:
    """Return norms of the logits' Jacobian J = ∂z/∂x of each sample, margins and distances.

    Exact ones take C products with Jᵀ for C outputs, each for all samples of a batch at once, after
    one forward pass. The first product is that of the label's own logit, so that each of the others
    gives both a row of J and the gradient of a difference.

    With K projections, K < C, the norm is estimated from K unit vectors v_k that are uniform on the
    sphere for each sample, E C ‖Jᵀv‖² = ‖J‖_F² (Hoffman et al. 2019, arXiv:1908.02729); the bias of
    the square root of a mean is removed to first order by a jackknife over k. Distances are then to
    the K other classes with the largest logits alone, so none is too small in size.

    Args:
        model: in evaluation mode; its floating type is that of the gradients.
        objective: whose samples; see `inputs.check_continuous`.
        projections: K, at least 2; None, or K ≥ C, for exact ones.
        generator: names the stream of the unit vectors.
        batch_size: the largest number of inputs at once.
    """

    def whole(batches: Batches) -> InputGradients:
        # Anew in each call, which may be one of several with smaller and smaller batches.
        draws = child(generator, "projections")
        columns: list[tuple[torch.Tensor | None, ...]] = []
        vectors: NormalRows | None = None
        for batch in progress(batches, "input gradients", "batch"):
            of_batch = _Batch.of(model, objective, batch)
            size = of_batch.outputs.shape[1]
            if projections is None or projections >= size:
                columns.append(of_batch.exact())
                continue
            dtype = of_batch.outputs.dtype
            vectors = vectors or NormalRows(draws, (projections, size), dtype)
            columns.append(of_batch.estimated(vectors.take(len(of_batch.outputs))))
        joined = zip(*columns, strict=True)
        return InputGradients(*(None if c[0] is None else torch.cat(c) for c in joined))

    return objective.samples.over_batches(whole, batch_size)


@dataclass(frozen=True)
class _Batch:
    """Outputs [b, C] of a batch with their graph, its inputs [b, …], and its labels if any."""

    inputs: torch.Tensor
    outputs: torch.Tensor
    labels: torch.Tensor | None

    @classmethod
    def of(cls, model: nn.Module, objective: Objective, batch: Batch) -> "_Batch":
        inputs, labels = batch
        labels = labels.reshape(-1) if objective.loss.softmax else None
        if labels is not None:
            inputs, labels = counted(inputs, labels), counted(labels, labels)
        with torch.enable_grad():
            moved = numbers(model, inputs).requires_grad_()
            outputs = objective.outputs(model, moved)
            return cls(moved, outputs.reshape(len(outputs), -1), labels)

    def exact(self) -> tuple[torch.Tensor | None, ...]:
        """Return norms, margins and distances of the samples."""
        classes = self.outputs.shape[1]
        first = self.outputs.new_zeros(len(self.outputs), dtype=torch.int64)
        first = first if self.labels is None else self.labels
        squares, nearest, own = 0.0, None, None
        for step in range(classes):
            chosen = (first + step) % classes
            slopes = self._slopes_of(chosen, last=step == classes - 1)
            squares = squares + _norms(slopes).square()
            if self.labels is not None and step > 0:
                nearest = self._nearer(nearest, chosen, own, slopes)
            own = slopes if step == 0 else own
        return squares.sqrt(), self._margins(), nearest

    def estimated(self, vectors: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the same from vectors [b, K, C], of which only the directions count."""
        count, classes = vectors.shape[1:]
        units = F.normalize(vectors, dim=2)
        found = [_norms(self._slopes(unit)).square() for unit in units.unbind(1)]
        norms = _jackknifed(torch.stack(found, 1) * classes)
        if self.labels is None:
            return norms, None, None
        others = self.outputs.detach().scatter(1, self.labels[:, None], -math.inf)
        own, nearest = self._slopes_of(self.labels), None
        for step, chosen in enumerate(others.topk(count).indices.unbind(1)):
            slopes = self._slopes_of(chosen, last=step == count - 1)
            nearest = self._nearer(nearest, chosen, own, slopes)
        return norms, self._margins(), nearest

    def _slopes(self, cotangents: torch.Tensor, last: bool = False) -> torch.Tensor:
        """Return Jᵀv of each sample, [b, numbers of an input], for v [b, C]."""
        (found,) = torch.autograd.grad(
            self.outputs, self.inputs, cotangents, retain_graph=not last, materialize_grads=True
        )
        return found.flatten(1)

    def _slopes_of(self, classes: torch.Tensor, last: bool = False) -> torch.Tensor:
        chosen = F.one_hot(classes, self.outputs.shape[1]).to(self.outputs.dtype)
        return self._slopes(chosen, last)

    def _margins(self) -> torch.Tensor | None:
        if self.labels is None:
            return None
        return margins(self.outputs.detach(), self.labels)

    def _nearer(
        self,
        nearest: torch.Tensor | None,
        classes: torch.Tensor,
        own: torch.Tensor,
        slopes: torch.Tensor,
    ) -> torch.Tensor:
        """Return the smaller of distances so far and those to a class of each sample."""
        logits = self.outputs.detach().double()
        ours, theirs = (logits.gather(1, index[:, None])[:, 0] for index in (self.labels, classes))
        found = ((ours - theirs) / _norms(own - slopes)).nan_to_num(0, math.inf, -math.inf)
        return found if nearest is None else torch.minimum(nearest, found)


def margins(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return z_y − max_{c≠y} z_c of each sample, [n] in float64, of logits [n, C], labels [n]."""
    logits = logits.double()
    own = logits.gather(1, labels[:, None])
    return (own - logits.scatter(1, labels[:, None], -math.inf)).amin(1)


def _norms(rows: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(rows, dim=1).double()


def _jackknifed(squares: torch.Tensor) -> torch.Tensor:
    """Return √ of the mean of unbiased squares [n, K], without the bias of first order in 1/K."""
    count, totals = squares.shape[1], squares.sum(1, keepdim=True)
    without = ((totals - squares) / (count - 1)).clamp(min=0).sqrt().mean(1)
    return count * (totals[:, 0] / count).sqrt() - (count - 1) * without
