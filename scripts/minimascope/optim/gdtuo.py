"""Adam whose learning rate and betas are tuned by an outer Adam, through hyper-gradients.

Chandra, Xie, Ragan-Kelley & Meijer 2022, arXiv:1909.13371 ("Gradient descent: the ultimate
optimizer"). They differentiate through the update by automatic differentiation; here the
derivatives of Adam's update are written out, so the training loop stays unchanged.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

OUTER_BETAS = (0.9, 0.999)
OUTER_EPS = 1e-8
# The learning rate stays above this share of the one that training starts with.
SMALLEST_SHARE = 1e-3


class Update(NamedTuple):
    """What one step of Adam computes from p parameters.

    Attributes:
        change: to be added to the parameters, [p].
        jacobian: derivatives of the change by the three hyper-parameters, [3, p].
        exp_avg: running mean of the gradients, [p].
        exp_avg_sq: running mean of their squares, [p].
    """

    change: Tensor
    jacobian: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor


def hyper_parameters(lr: float, betas: Sequence[float]) -> Tensor:
    """Return (lr, x₁, x₂) in float64, with β = (tanh x + 1) / 2 between 0 and 1 for every x."""
    halves = torch.logit(torch.tensor(betas, dtype=torch.float64)) / 2
    return torch.cat([torch.tensor([lr], dtype=torch.float64), halves])


def adam_update(
    gradient: Tensor, exp_avg: Tensor, exp_avg_sq: Tensor, hyper: Tensor, step: int, eps: float
) -> Update:
    """Compute Adam's update and its derivatives, the running means before it held constant.

    Args:
        gradient: [p].
        exp_avg: running mean of the gradients before this step, [p].
        exp_avg_sq: running mean of their squares before this step, [p].
        hyper: see `hyper_parameters`.
        step: number of this step, from 1.
        eps: added to the denominator.
    """
    rate, x1, x2 = hyper.unbind()
    squared = gradient.square()
    mean, mean_slope, new_avg = _corrected_mean(exp_avg, gradient, x1, step)
    square, square_slope, new_avg_sq = _corrected_mean(exp_avg_sq, squared, x2, step)
    root = square.sqrt()
    denominator = root + eps
    direction = -mean / denominator
    # Where all gradients were zero the slope of the root is 0 / 0, and the direction zero.
    root_slope = square_slope / (2 * root).clamp_min(torch.finfo(root.dtype).tiny)
    by_x1 = -rate * mean_slope / denominator
    by_x2 = -rate * direction * root_slope / denominator
    jacobian = torch.stack([direction, by_x1, by_x2])
    return Update(rate * direction, jacobian, new_avg, new_avg_sq)


def _corrected_mean(
    average: Tensor, value: Tensor, x: Tensor, step: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the bias-corrected running mean, its derivative by x, and the mean uncorrected."""
    # β = (tanh x + 1) / 2 and 1 - β, each without cancellation.
    beta, rest = torch.sigmoid(2 * x), torch.sigmoid(-2 * x)
    log_power = step * F.logsigmoid(2 * x)
    power, correction = log_power.exp(), -log_power.expm1()
    new = beta * average + rest * value
    corrected = new / correction
    # dβ/dx = 2 β (1 - β)
    slope = 2 * rest * (beta * (average - value) + step * power * corrected) / correction
    return corrected, slope, new


class GDTUO(Optimizer):
    """Adam tuned by Adam.

    Before each step but the first, the derivative of the present loss by the hyper-parameters of
    the step before, ⟨gradient, ∂θ/∂h⟩, moves these by one step of the outer Adam. The learning
    rate is tuned itself, not its logarithm, as in the paper; it is kept from falling below a
    thousandth of its first value, where the derivative can still raise it again.

    Nothing makes the CPU wait for a GPU. All state is kept with the first parameter, so that
    torch restores it in the right type and on the right device.

    Args:
        model: the network to train, on the device where it is trained.
        lr: learning rate to start with.
        betas: decay of the two running means to start with.
        eps: added to Adam's denominator.
        weight_decay: factor on the parameters that are added to the gradients, in both roles of
            these: the penalty is part of the loss.
        hyper_lr: learning rate of the outer Adam, about the most by which one step changes the
            learning rate and the x of the betas (`hyper_parameters`).
    """

    remedy = "lower training.optimizer.hyper_lr or training.optimizer.lr"

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float,
        betas: Sequence[float],
        eps: float,
        weight_decay: float,
        hyper_lr: float,
    ):
        super().__init__(model.parameters(), {"lr": lr})
        self.parameters = self.param_groups[0]["params"]
        self.smallest_lr = lr * SMALLEST_SHARE
        self.eps = eps
        self.weight_decay = weight_decay
        self.hyper_lr = hyper_lr
        zeros = torch.cat([torch.zeros_like(p).flatten() for p in self.parameters])
        hyper = hyper_parameters(lr, betas).to(zeros)
        self.state[self.parameters[0]] = {
            "step": torch.tensor(0),
            "exp_avg": zeros,
            "exp_avg_sq": zeros.clone(),
            "jacobian": zeros.new_zeros(len(hyper), len(zeros)),
            "hyper": hyper,
            "hyper_exp_avg": torch.zeros_like(hyper),
            "hyper_exp_avg_sq": torch.zeros_like(hyper),
        }

    @property
    def learning_rate(self) -> Tensor:
        """The present learning rate, a number on the model's device."""
        return self.state[self.parameters[0]]["hyper"][0]

    @torch.no_grad()
    def step(self) -> None:
        """Tune the hyper-parameters by the gradient, then take Adam's step with them."""
        state = self.state[self.parameters[0]]
        gradient = self._gradient()
        steps = int(state["step"])
        if steps:
            self._tune(state, state["jacobian"] @ gradient, steps)
        means = state["exp_avg"], state["exp_avg_sq"]
        update = adam_update(gradient, *means, state["hyper"], steps + 1, self.eps)
        sizes = [p.numel() for p in self.parameters]
        changes = [
            change.view(p.shape)
            for change, p in zip(update.change.split(sizes), self.parameters, strict=True)
        ]
        torch._foreach_add_(self.parameters, changes)
        state["jacobian"] = update.jacobian
        state["exp_avg"], state["exp_avg_sq"] = update.exp_avg, update.exp_avg_sq
        state["step"] += 1

    def _gradient(self) -> Tensor:
        """Return the gradients of all parameters as one vector, zero for those without."""
        return torch.cat(
            [
                torch.zeros_like(p).flatten()
                if p.grad is None
                else torch.add(p.grad, p, alpha=self.weight_decay).flatten()
                for p in self.parameters
            ]
        )

    def _tune(self, state: dict[str, Tensor], hyper_gradient: Tensor, count: int) -> None:
        """Take the outer Adam's step number ``count``."""
        beta1, beta2 = OUTER_BETAS
        mean = state["hyper_exp_avg"].mul_(beta1).add_(hyper_gradient, alpha=1 - beta1)
        square = state["hyper_exp_avg_sq"].mul_(beta2)
        square.addcmul_(hyper_gradient, hyper_gradient, value=1 - beta2)
        root = (square / (1 - beta2**count)).sqrt()
        change = mean / (1 - beta1**count) / (root + OUTER_EPS)
        # A new tensor: the rates of past steps stay what they were.
        state["hyper"] = state["hyper"] - self.hyper_lr * change
        state["hyper"][0].clamp_(min=self.smallest_lr)
