"""How sharp a minimum may be for an optimiser to stay at it.

On a quadratic with largest eigenvalue λ, steps diverge where λ is above a threshold. That of
gradient descent is 2/η, η being the learning rate; full-batch training often moves to where λ
hovers just there, the edge of stability (Cohen et al. 2021, arXiv:2103.00065).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

# Keys of SAM that make a variant of it.
VARIANTS = ("adaptive", "gap_weight", "group_size")


@dataclass(frozen=True)
class Update:
    """How the weights of a moment were being changed.

    Attributes:
        learning_rate: η, of the last step.
        optimizer: ``{"name": …, "momentum": …, …}``, resolved settings.
        batch_size: inputs per step; None for all.
        sam: ``{"rho": …, …}``, or None.
        divisors: what an adaptive optimiser divides each gradient by, by the names of parameters
            (`optim.preconditioner`).
    """

    learning_rate: float
    optimizer: Mapping[str, Any]
    batch_size: int | None = None
    sam: Mapping[str, Any] | None = None
    divisors: Mapping[str, torch.Tensor] = field(default_factory=dict)

    @property
    def is_adaptive(self) -> bool:
        """Whether gradients are divided, so that the preconditioned Hessian decides."""
        return self.optimizer["name"] in ("adam", "adamw", "rmsprop")

    @property
    def coupled_decay(self) -> float:
        """λ of a penalty λ/2 ‖θ‖² whose gradient is a part of the step's; 0 where decay is not."""
        return 0.0 if self.optimizer["name"] == "adamw" else self.optimizer["weight_decay"]


def _momentum(update: Update) -> float:
    """(2 + 2β)/η, with Nesterov's momentum (2 + 2β)/(η (1 + 2β)) (Cohen et al. 2021, eq. 1)."""
    rate, beta = update.learning_rate, update.optimizer.get("momentum", 0.0)
    nesterov = 1 + 2 * beta if update.optimizer.get("nesterov") else 1.0
    return (2 + 2 * beta) / (rate * nesterov)


def _adam(update: Update) -> float:
    """(2 + 2β₁)/((1 − β₁) η), of the preconditioned Hessian (Cohen et al. 2022, arXiv:2207.14484).

    That is 38/η for β₁ = 0.9.
    """
    beta = update.optimizer["betas"][0]
    return (2 + 2 * beta) / ((1 - beta) * update.learning_rate)


THRESHOLDS: dict[str, Callable[[Update], float]] = {
    "sgd": _momentum,
    "rmsprop": _momentum,
    "adam": _adam,
    "adamw": _adam,
}


def stability_threshold(update: Update, gradient_norm: float) -> float | None:
    """Return the largest eigenvalue at which full-batch steps are stable; None if not known.

    Of the Hessian, for adaptive optimisers of the preconditioned one, in both cases with coupled
    weight decay λ. With SAM on full batches without momentum it is λ + (‖g‖/2ρ)(√(1 + 4ρc/‖g‖) − 1)
    for c = 2/η − λ, which depends on the gradient g (Long & Bartlett, arXiv:2309.12488, where λ is
    0): SAM ascends along the gradient of the loss alone. In batches it ascends along theirs.

    Args:
        update: what changes the weights.
        gradient_norm: ‖g‖.
    """
    name = update.optimizer["name"]
    if name not in THRESHOLDS or update.learning_rate <= 0:
        return None
    if update.sam is None:
        return THRESHOLDS[name](update)
    plain = name == "sgd" and not update.optimizer["momentum"] and update.batch_size is None
    variant = any(update.sam.get(key) is not None for key in VARIANTS)
    if not plain or variant or gradient_norm <= 0:
        return None
    rho, limit, decay = update.sam["rho"], 2 / update.learning_rate, update.coupled_decay
    if decay >= limit:
        return limit
    root = math.sqrt(1 + 4 * rho * (limit - decay) / gradient_norm)
    return decay + gradient_norm / (2 * rho) * (root - 1)


def small_batch_threshold(update: Update) -> float | None:
    """Return 2(1 − β)/η, at which batch sharpness hovers in small batches (arXiv:2604.14108).

    In large ones it hovers at (2 + 2β)/η. None without momentum, where both are 2/η, for full
    batches, and for other optimisers than SGD.
    """
    beta = update.optimizer.get("momentum", 0.0)
    plain = update.optimizer["name"] == "sgd" and not update.optimizer.get("nesterov")
    in_batches = update.batch_size is not None and update.learning_rate > 0
    if not (plain and in_batches and beta) or update.sam is not None:
        return None
    return 2 * (1 - beta) / update.learning_rate
