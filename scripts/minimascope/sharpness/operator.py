"""Curvature of a loss as linear operators, through products with vectors."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from curvlinops._torch_base import PyTorchLinearOperator
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..errors import InputError
from .folding import FoldedBatchNorm
from .rewrites import TwiceDifferentiable

Parts = Sequence[torch.Tensor]
# A batch's second derivative along its outputs, as a product with vectors of their shape.
Bend = Callable[[torch.Tensor], torch.Tensor]
OverBatches = Callable[[Callable[[Sequence[Any]], Any]], Any]


class Curvature(PyTorchLinearOperator):
    """A symmetric matrix of the parameters' size, a sum over batches plus λ times the identity.

    What all products share (the passes, and the graph of their gradients) is computed once for the
    vectors of one call, and where the data are a single batch, once for all calls. So the
    parameters must not change in between.

    Args:
        parameters: θ; those that count.
        over_batches: returns what a function of the batches gives, as `batches.in_batches` does,
            which calls it again where memory runs out.
        of_batch: returns the tensor of a batch that products differentiate, with its graph.
        weight_decay: λ.
    """

    SELF_ADJOINT = True

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        over_batches: OverBatches,
        of_batch: Callable[[Any], torch.Tensor],
        weight_decay: float = 0.0,
    ):
        shapes = [tuple(p.shape) for p in parameters]
        super().__init__(shapes, shapes)
        self._parameters = list(parameters)
        self._over_batches = over_batches
        self._of_batch = of_batch
        self._weight_decay = weight_decay
        self.products = 0
        self._held: Any = None

    @property
    def device(self) -> torch.device:
        """Where products are computed."""
        return self._parameters[0].device

    @property
    def dtype(self) -> torch.dtype:
        """In which floating type they are computed."""
        return self._parameters[0].dtype

    @abstractmethod
    def _linearised(self, batch: Any) -> Any:
        """Return what a batch's products with all vectors share, with its graph."""

    @abstractmethod
    def _product(self, shared: Any, vector: Parts, keep: bool) -> Parts:
        """Return a batch's product with a vector, and keep the graph if that is wanted."""

    def _shared(self, batch: Any, alone: bool) -> Any:
        """Return what a batch's products share, and hold it if there is no other batch."""
        shared = self._held or self._linearised(batch)
        if alone:
            self._held = shared
        return shared

    def _matmat(self, matrix: list[torch.Tensor]) -> list[torch.Tensor]:
        vectors = [part.movedim(-1, 0).contiguous() for part in matrix]
        columns = len(vectors[0])
        self.products += columns

        def total(batches: Sequence[Any]) -> list[torch.Tensor]:
            results = [self._weight_decay * part for part in vectors]
            if len(batches) > 1:
                self._held = None
            for batch in batches:
                # Fused attention kernels have no second derivative.
                with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
                    shared = self._shared(batch, alone=len(batches) == 1)
                    for column in range(columns):
                        vector = [part[column] for part in vectors]
                        keep = self._held is not None or column + 1 < columns
                        product = self._product(shared, vector, keep)
                        for result, part in zip(results, product, strict=True):
                            result[column] += part
            return [result.movedim(0, -1) for result in results]

        found = self._over_batches(total)
        if not all(part.isfinite().all() for part in found):
            raise InputError(
                f"a product with the matrix of curvature is not finite in {self.dtype}; use dtype:"
                " float64"
            )
        return found


class Preconditioned:
    """D^−½ A D^−½ of a matrix A and positive numbers D, with the same products.

    For A a Hessian and D what an adaptive optimiser divides gradients by, its largest eigenvalue
    decides whether steps are stable (Cohen et al. 2022, arXiv:2207.14484).

    Args:
        operator: A.
        divisors: D, [P].
    """

    def __init__(self, operator: Curvature, divisors: torch.Tensor):
        self._operator, self._scale = operator, divisors.rsqrt()[:, None]
        self.shape, self.dtype, self.device = operator.shape, operator.dtype, operator.device

    @property
    def products(self) -> int:
        """Number of products so far."""
        return self._operator.products

    def __matmul__(self, matrix: torch.Tensor) -> torch.Tensor:
        return self._scale * (self._operator @ (self._scale * matrix))


class LossHessian(Curvature):
    """Hessian of Σ_b ℓ_b(θ) + λ/2 ‖θ‖², a sum over batches.

    Products differentiate the gradient of each batch once more (reverse over reverse; Pearlmutter
    1994). curvlinops' own Hessian is forward over reverse, which gives wrong numbers for
    LayerNorm's weights with torch 2.14 and is slower (docs/benchmarks.md).

    ``of_batch`` returns a batch's share of the loss, a scalar.
    """

    def gradient(self) -> torch.Tensor:
        """Return the gradient [P], where the data are a single batch of the graph of products."""

        def total(batches: Sequence[Any]) -> list[torch.Tensor]:
            result = [self._weight_decay * p.detach() for p in self._parameters]
            alone = len(batches) == 1
            if not alone:
                self._held = None
            for batch in batches:
                with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
                    found = self._shared(batch, alone) if alone else self._slopes(batch, False)
                torch._foreach_add_(result, [part.detach() for part in found])
            return result

        return torch.cat([part.flatten() for part in self._over_batches(total)])

    def _linearised(self, batch: Any) -> Parts:
        return self._slopes(batch, create_graph=True)

    def _slopes(self, batch: Any, create_graph: bool) -> Parts:
        with TwiceDifferentiable(), FoldedBatchNorm():
            loss = self._of_batch(batch)
        if not loss.requires_grad:  # of outputs in which no parameter has a part
            return [torch.zeros_like(p) for p in self._parameters]
        return torch.autograd.grad(
            loss, self._parameters, create_graph=create_graph, materialize_grads=True
        )

    def _product(self, shared: Parts, vector: Parts, keep: bool) -> Parts:
        return _pulled_back(shared, self._parameters, vector, keep)


class GaussNewton(Curvature):
    """Generalised Gauss–Newton matrix 1/n Σ_i J_iᵀ (∂²ℓ_i/∂z_i²) J_i + λ.

    J_i is the derivative of a sample's outputs z_i along the parameters (Schraudolph 2002, section
    3). It is what remains of the Hessian where the network is replaced by its linearisation. For
    cross-entropy ∂²ℓ/∂z² = diag(p) − p pᵀ with the softmax p of the logits: it then equals the
    Fisher information matrix (Martens 2020, arXiv:1412.1193, section 9.2), and has no negative
    eigenvalue, like that of every loss that is convex in the outputs. J v is the derivative along u
    of Jᵀu, which is linear in u (reverse over reverse, as the Hessian's products).

    ``of_batch`` returns a batch's outputs [b, …], and v ↦ ∂²ℓ/∂z² v for the sum ℓ of its losses.

    Args:
        parameters: see `Curvature`.
        over_batches: see `Curvature`.
        of_batch: see `Curvature`.
        weight_decay: λ.
        count: n, the number of losses that the mean is over.
    """

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        over_batches: OverBatches,
        of_batch: Callable[[Any], tuple[torch.Tensor, Bend]],
        weight_decay: float,
        count: int,
    ):
        super().__init__(parameters, over_batches, of_batch, weight_decay)
        self._count = count

    def _linearised(self, batch: Any) -> tuple[torch.Tensor, Bend, torch.Tensor, Parts]:
        with TwiceDifferentiable(), FoldedBatchNorm():
            outputs, bend = self._of_batch(batch)
        weights = torch.zeros_like(outputs, requires_grad=True)
        rows = torch.autograd.grad(
            outputs, self._parameters, weights, create_graph=True, materialize_grads=True
        )
        return outputs, bend, weights, rows

    def _product(
        self,
        shared: tuple[torch.Tensor, Bend, torch.Tensor, Parts],
        vector: Parts,
        keep: bool,
    ) -> Parts:
        outputs, bend, weights, rows = shared
        (moved,) = _pulled_back(rows, [weights], vector, keep=True)
        weighted = (bend(moved) / self._count).to(outputs.dtype)
        return _pulled_back([outputs], self._parameters, [weighted], keep)


def _pulled_back(
    outputs: Parts,
    inputs: Parts,
    vector: Parts,
    keep: bool,
) -> Parts:
    """Return Jᵀ v, J the derivative of outputs along inputs; zero where nothing depends on them."""
    # An output without a graph does not change with the inputs.
    varied = [i for i, output in enumerate(outputs) if output.requires_grad]
    if not varied:
        return [torch.zeros_like(part) for part in inputs]
    return torch.autograd.grad(
        [outputs[i] for i in varied],
        inputs,
        [vector[i] for i in varied],
        retain_graph=keep,
        materialize_grads=True,
    )
