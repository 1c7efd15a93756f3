"""The Hessian of a loss as a linear operator, through products with vectors."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from curvlinops._torch_base import PyTorchLinearOperator
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel


class LossHessian(PyTorchLinearOperator):
    """Hessian of Σ_b ℓ_b(θ) + λ/2 ‖θ‖², a sum over batches, at the parameters' present values.

    Products differentiate the gradient of each batch once more (reverse over reverse; Pearlmutter
    1994). For several vectors at once, the gradient's graph is built once per batch and used for
    all of them. curvlinops' own Hessian is forward over reverse, which gives wrong numbers for
    LayerNorm's weights with torch 2.14 and is slower (docs/benchmarks.md).

    Args:
        parameters: θ; those that count.
        over_batches: returns what a function of the batches gives, as `batches.in_batches` does,
            which calls it anew where memory runs out.
        batch_loss: returns a batch's share of the loss as a scalar with its graph.
        weight_decay: λ.
    """

    SELF_ADJOINT = True

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        over_batches: Callable[[Callable[[Iterable[Any]], Any]], Any],
        batch_loss: Callable[[Any], torch.Tensor],
        weight_decay: float = 0.0,
    ):
        shapes = [tuple(p.shape) for p in parameters]
        super().__init__(shapes, shapes)
        self._parameters = list(parameters)
        self._over_batches = over_batches
        self._batch_loss = batch_loss
        self._weight_decay = weight_decay
        self.products = 0

    @property
    def device(self) -> torch.device:
        """Where products are computed."""
        return self._parameters[0].device

    @property
    def dtype(self) -> torch.dtype:
        """In which floating type they are computed."""
        return self._parameters[0].dtype

    def _matmat(self, matrix: list[torch.Tensor]) -> list[torch.Tensor]:
        self.products += matrix[0].shape[-1]

        def total(batches: Iterable[Any]) -> list[torch.Tensor]:
            results = [self._weight_decay * part for part in matrix]
            for batch in batches:
                # Fused attention kernels have no second derivative.
                with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
                    self._add_products(batch, matrix, results)
            return results

        return self._over_batches(total)

    def _add_products(
        self, batch: Any, matrix: list[torch.Tensor], results: list[torch.Tensor]
    ) -> None:
        loss = self._batch_loss(batch)
        gradient = torch.autograd.grad(
            loss, self._parameters, create_graph=True, materialize_grads=True
        )
        # The row of a parameter that takes no part, or only a linear one, is zero.
        curved = [i for i, part in enumerate(gradient) if part.requires_grad]
        columns = matrix[0].shape[-1] if curved else 0
        for column in range(columns):
            rows = torch.autograd.grad(
                [gradient[i] for i in curved],
                self._parameters,
                [matrix[i][..., column] for i in curved],
                retain_graph=column + 1 < columns,
                materialize_grads=True,
            )
            for result, row in zip(results, rows, strict=True):
                result[..., column] += row
