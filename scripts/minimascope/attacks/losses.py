"""Losses that an attack raises, each of one sample."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from .spec import Loss


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return −ln p_y of each sample, [n], from logits [n, classes] and labels [n].

    In float64, in which the loss of a sure network keeps a gradient for longer.
    """
    return F.cross_entropy(logits.double(), labels, reduction="none")


def logit_ratio(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the difference-of-logits ratio of each sample, [n].

    −(z_y − max_{i≠y} z_i) / (z_π1 − z_π3), π1 and π3 the largest and the third largest logit (Croce
    & Hein 2020, arXiv:2003.01690, equation 6). It does not change with the scale of the logits, and
    so has a gradient where the cross-entropy's vanishes; above 0 the sample is fooled. It needs
    three classes.
    """
    logits = logits.double()
    largest = logits.topk(3, dim=1).values
    own = logits.gather(1, labels[:, None])[:, 0]
    right = largest[:, 0] == own
    rival = torch.where(right, largest[:, 1], largest[:, 0])
    smallest = torch.finfo(logits.dtype).tiny
    return (rival - own) / (largest[:, 0] - largest[:, 2]).clamp(min=smallest)


LOSSES: dict[Loss, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "ce": cross_entropy,
    "dlr": logit_ratio,
}
