"""How much noise the parameters bear, and the PAC-Bayes bounds that follow from it."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from ..batches import Batches
from ..jobs.progress import progress
from ..measurement import Measurement
from ..network_copy import copied
from ..seeding import child
from .cross_entropy import counted
from .estimate import standard_error
from .flat import FlatTensors
from .objective import BATCH_SIZE, Objective

# How far the training error may rise on average (Jiang et al. 2020, appendix C.4).
DEVIATION = 0.1
# Between which deviations of the noise the largest is looked for.
LOWEST, HIGHEST = 1e-5, 10.0
# ε of noise in proportion to the parameters' sizes.
SMALLEST = 1e-3
# A step of ln σ, by which the slope of the error is taken.
STEP = 0.1


@dataclass(frozen=True)
class Bearable:
    """The largest noise that a network bears.

    Attributes:
        sigma: its standard deviation σ, of each parameter or relative to its size.
        error: standard error of ln σ, from the scatter of the training error over draws; None
            where the error does not rise around σ.
    """

    sigma: float
    error: float | None


@dataclass(frozen=True)
class _Noise:
    """Noise of a network's parameters.

    Attributes:
        model: moved by it.
        objective: whose samples count.
        relative: whether its deviation is √(σ² w² + ε²) for a parameter w, or σ.
        samples: number of draws, the same for every σ.
        generator: names their streams.
    """

    model: nn.Module
    objective: Objective
    relative: bool
    samples: int
    generator: torch.Generator

    def errors(self, sigma: float, parameters: FlatTensors, origin: torch.Tensor) -> torch.Tensor:
        """Return the training error with each draw, [samples] in float64."""
        scale = torch.full_like(origin, sigma)
        if self.relative:
            scale = (sigma**2 * origin.square() + SMALLEST**2).sqrt()
        found, noise = [], torch.empty_like(origin)
        for k in range(self.samples):
            noise.normal_(generator=child(self.generator, "noise", k))
            torch.addcmul(origin, scale, noise, out=parameters.vector)
            found.append(error_share(self.model, self.objective))
        return torch.tensor(found, dtype=torch.float64)


@torch.no_grad()
def bearable_noise(
    model: nn.Module,
    objective: Objective,
    relative: bool,
    samples: int,
    steps: int,
    *,
    generator: torch.Generator,
) -> Bearable | None:
    """Return the largest σ with E err(w + u) − err(w) ≤ 0.1 for Gaussian noise u.

    u ∼ N(0, σ² I), or relative to the parameters u_i ∼ N(0, σ² w_i² + ε²) with ε = 10⁻³ (Jiang et
    al. 2020, arXiv:1912.02178, appendix C.4; there err(w) is almost zero). err is the share of
    wrong predictions. Found by bisection of ln σ, with the same draws at each step.

    Args:
        model: unchanged by the call; all parameters that require a gradient are moved.
        objective: whose samples are predicted.
        relative: see above.
        samples: number of draws, at least 2.
        steps: of the bisection, which ends within 14 / 2^steps of ln σ.
        generator: names the streams of draws.

    Returns:
        None where the error rises too much at σ = 10⁻⁵, or not enough at σ = 10.
    """
    model = copied(model)
    parameters = FlatTensors([p for p in model.parameters() if p.requires_grad])
    origin = parameters.vector.clone()
    noise = _Noise(model, objective, relative, samples, generator)
    most = error_share(model, objective) + DEVIATION

    def errors(logarithm: float) -> torch.Tensor:
        return noise.errors(math.exp(logarithm), parameters, origin)

    low, high = math.log(LOWEST), math.log(HIGHEST)
    if errors(low).mean() > most or errors(high).mean() <= most:
        return None
    for _ in progress(range(steps), "search for the largest noise", "step"):
        middle = (low + high) / 2
        if errors(middle).mean() > most:
            high = middle
        else:
            low = middle
    below, above = errors(low - STEP), errors(low + STEP)
    slope = ((above - below).mean() / (2 * STEP)).item()
    error = standard_error((above + below) / 2) / slope if slope > 0 else None
    return Bearable(math.exp(low), error)


@torch.no_grad()
def error_share(model: nn.Module, objective: Objective) -> float:
    """Return the share of samples that are predicted wrong."""

    def right(batches: Batches) -> torch.Tensor:
        found = [
            counted(objective.loss.right(objective.outputs(model, inputs), labels), labels)
            for inputs, labels in batches
        ]
        return torch.cat(found)

    return 1 - objective.samples.over_batches(right, BATCH_SIZE).double().mean().item()


def bound(name: str, found: Bearable, squared_norm: float, n: int) -> Measurement:
    """Return ‖w‖² / (4 σ²) + ln(n / σ) + 10, of weights w or of their distance from the first."""
    value = squared_norm / (4 * found.sigma**2) + math.log(n / found.sigma) + 10
    slope = squared_norm / (2 * found.sigma**2) + 1
    error = None if found.error is None else slope * found.error
    return Measurement(name, value, "1", n, standard_error=error)


def flatness(name: str, found: Bearable, n: int) -> Measurement:
    """Return 1 / σ²."""
    value = found.sigma**-2
    error = None if found.error is None else 2 * value * found.error
    return Measurement(name, value, "1", n, standard_error=error)
