"""What adversarial training learns from in place of a batch (Madry et al. 2018, arXiv:1706.06083).

min_θ E max_{‖δ‖ ≤ ε} L(θ, x + δ): the inner maximum is searched for by PGD on the cross-entropy
from a random point of each ball, the outer step is any optimiser's on what that finds.
"""

import torch
from torch import nn

from ..ascent.ball import Ball, in_unit_ball
from ..ascent.pgd import ascended
from ..networks.normalised import in_units
from .attack import gradients_of
from .inputs import box_of, evaluation_mode
from .spec import AdversarialSpec


def adversarial_batch(
    model: nn.Module,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    spec: AdversarialSpec,
    draws: torch.Generator,
) -> torch.Tensor:
    """Return a batch moved to where the loss is larger, floating and in the units of radii, [n, …].

    Args:
        model: from inputs to logits; attacked in evaluation mode, so that the attack neither sees
            nor changes statistics of batches, and as it was after the call.
        inputs: as they are stored, [n, …]; those in bytes stay in the range of pictures.
        labels: [n].
        spec: the balls and the steps.
        draws: on the inputs' device.
    """
    points = in_units(inputs)
    ball = Ball(points, points.new_full((len(points),), spec.radius), spec.norm, box_of(inputs))
    start = ball.moved(in_unit_ball(points.shape, spec.norm, draws, points.dtype))
    with evaluation_mode(model):
        return ascended(gradients_of(model, labels, "ce"), start, ball, spec.steps)
