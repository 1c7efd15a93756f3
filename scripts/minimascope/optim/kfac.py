"""Natural gradient with Kronecker-factored curvature: K-FAC (Martens & Grosse 2015).

Our own, because no published package was sound on current torch when this was written; the
factors agree with those of curvlinops, which has no optimiser (see the tests).
"""

import torch
from torch import Tensor, nn
from torch.optim import SGD

from ..errors import InputError
from .kfac_factors import (
    Factors,
    damped,
    estimate,
    factored_layers,
    joint_gradient,
    set_joint_gradient,
)
from .sam import frozen_statistics


class KFAC(SGD):
    """Momentum SGD on gradients preconditioned by (A + π√λ I)⁻¹ ⊗ (G + √λ/π I)⁻¹.

    Linear layers and convolutions that the forward pass calls are preconditioned; all other
    parameters follow SGD. λ is ``damping + weight_decay``, because the penalty's curvature is
    known. `step` overwrites the gradients with the directions that it follows.

    Args:
        model: the network to train, on the device where it is trained.
        lr: learning rate.
        momentum: of the preconditioned gradients.
        weight_decay: factor on the parameters that are added to the gradients, before these are
            preconditioned.
        damping: Tikhonov damping λ.
        factor_decay: largest weight of the past in the running averages of the factors, which is
            1 - 1/k at their k-th estimate until then (section 5).
        factor_every: steps between two estimates of the factors.
        inverse_every: steps between two inversions.
        kl_clip: bound κ on lr² Σ ⟨direction, gradient⟩, about twice the KL divergence between the
            predictions before and after a step without momentum: the directions of a longer one
            are shortened to it (Ba, Grosse & Martens 2017). None for no bound.
    """

    remedy = "raise training.optimizer.damping or lower training.optimizer.lr"

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float,
        momentum: float,
        weight_decay: float,
        damping: float,
        factor_decay: float,
        factor_every: int,
        inverse_every: int,
        kl_clip: float | None,
    ):
        # Fused kernels would have torch move the count of steps to the GPU.
        super().__init__(model.parameters(), lr=lr, momentum=momentum, foreach=True)
        self.model = model
        self.layers = factored_layers(model)
        self.weight_decay = weight_decay
        self.damping = damping
        self.factor_decay = factor_decay
        self.factor_every = factor_every
        self.inverse_every = inverse_every
        self.kl_clip = kl_clip

    def observe(self, inputs: Tensor, generator: torch.Generator) -> None:
        """Update factors and inverses if they are due at the coming step.

        Args:
            inputs: the step's batch, [n, …].
            generator: draws labels from the model's predictions, on the inputs' device.

        Raises:
            InputError: a damped factor is not positive definite, or not finite.
        """
        steps = int(self._steps)
        if steps % self.factor_every == 0:
            with frozen_statistics(self.model):
                estimates = estimate(self.model, self.layers, inputs, generator)
            self._average(estimates, steps // self.factor_every + 1)
        if steps % self.inverse_every == 0:
            self._invert()

    @torch.no_grad()
    def step(self) -> None:
        """Follow the preconditioned gradients; `observe` must have been called before it."""
        parameters = [p for p in self.param_groups[0]["params"] if p.grad is not None]
        if self.weight_decay:
            gradients = [p.grad for p in parameters]
            torch._foreach_add_(gradients, parameters, alpha=self.weight_decay)
        self._precondition()
        super().step()
        self._steps.add_(1)

    @property
    def _steps(self) -> Tensor:
        # Kept with a parameter under this name, torch restores it from checkpoints as it is.
        first = self.param_groups[0]["params"][0]
        return self.state[first].setdefault("step", torch.tensor(0))

    @torch.no_grad()
    def _average(self, estimates: dict[nn.Module, Factors], count: int) -> None:
        decay = min(1 - 1 / count, self.factor_decay)
        for layer, factors in estimates.items():
            state = self.state[layer.weight]
            for name, factor in factors._asdict().items():
                average = state.setdefault(f"factor_{name}", torch.zeros_like(factor))
                average.mul_(decay).add_(factor, alpha=1 - decay)

    @torch.no_grad()
    def _invert(self) -> None:
        roots, failures = [], []
        states = [self.state[layer.weight] for layer in self.layers]
        states = [state for state in states if "factor_inputs" in state]
        for state in states:
            factors = Factors(state["factor_inputs"], state["factor_outputs"])
            for factor in damped(factors, self.damping + self.weight_decay):
                root, failure = torch.linalg.cholesky_ex(factor)
                roots.append(root)
                # On a GPU NaN alone need not count as a failure.
                failures.append((failure != 0) | ~root.isfinite().all())
        # Asked once, because the answer makes the CPU wait for a GPU.
        if failures and torch.stack(failures).any():
            raise InputError(
                f"training diverged: after {int(self._steps)} steps the curvature of a layer is"
                f" not finite or not positive; {self.remedy}"
            )
        # Contiguous, as they come back from a checkpoint: products of others round differently.
        inverses = iter(torch.cholesky_inverse(root).contiguous() for root in roots)
        for state in states:
            state["inverse_inputs"], state["inverse_outputs"] = next(inverses), next(inverses)

    def _precondition(self) -> None:
        layers = [layer for layer in self.layers if layer.weight.grad is not None]
        layers = [layer for layer in layers if "inverse_inputs" in self.state[layer.weight]]
        if self.layers and not layers:
            raise RuntimeError("KFAC.observe(inputs, generator) must be called before step()")
        gradients = [joint_gradient(layer) for layer in layers]
        directions = []
        for layer, gradient in zip(layers, gradients, strict=True):
            state = self.state[layer.weight]
            directions.append(state["inverse_outputs"] @ gradient @ state["inverse_inputs"])
        if self.kl_clip is not None and directions:
            torch._foreach_mul_(directions, self._shortening(directions, gradients))
        for layer, direction in zip(layers, directions, strict=True):
            set_joint_gradient(layer, direction)

    def _shortening(self, directions: list[Tensor], gradients: list[Tensor]) -> Tensor:
        products = torch._foreach_mul(directions, gradients)
        length = self.param_groups[0]["lr"] ** 2 * torch.stack([p.sum() for p in products]).sum()
        return (self.kl_clip / length.abs()).sqrt().clamp(max=1.0)
