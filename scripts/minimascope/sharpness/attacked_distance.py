"""Distances to the decision boundary as an attack finds them, of some samples of any data."""

import torch
from torch import nn

from ..attacks.attack import Attacker
from ..attacks.inputs import box_of
from ..attacks.smallest import Search
from ..attacks.spec import LOSSES, AttackSpec
from ..batches import Batch, Batches
from .cross_entropy import counted
from .inputs import numbers
from .objective import Objective


def attacked_distances(
    model: nn.Module, objective: Objective, samples: int, batch_size: int
) -> torch.Tensor:
    """Return how far inputs are moved by an L2 attack that fools the network, [m] in float64.

    These are upper bounds of the distance to the boundary, from `attacks.smallest.Search` with
    Auto-PGD on the cross-entropy and, for three classes or more, the ratio of logits. They are 0
    where the prediction is wrong without an attack, and infinite where none succeeds.

    Args:
        model: in evaluation mode; its floating type is that of the attack.
        objective: a loss with a softmax over classes, and the samples; see
            `inputs.check_continuous`.
        samples: how many are attacked at most, evenly spread over all.
        batch_size: the largest number of inputs at once.
    """
    inputs, labels = _spread(objective, samples, batch_size)
    logits, points = _Logits(model, objective), numbers(model, inputs)
    with torch.no_grad():
        classes = logits(points[:1]).shape[1]
    spec = AttackSpec(losses=LOSSES if classes > 2 else ("ce",))
    attacker = Attacker(logits, "l2", spec, box_of(inputs), batch_size=batch_size)
    return Search(attacker, points, labels).smallest().double()


def _spread(objective: Objective, samples: int, batch_size: int) -> Batch:
    """Return inputs [m, …] and labels [m], evenly spread over the samples that count."""
    count = objective.count
    wanted = torch.arange(min(samples, count)) * count // min(samples, count)

    def chosen(batches: Batches) -> Batch:
        start, parts = 0, []
        for inputs, labels in batches:
            inputs, labels = counted(inputs, labels), counted(labels, labels)
            inside = (wanted >= start) & (wanted < start + len(inputs))
            rows = (wanted[inside] - start).to(inputs.device)
            parts.append((inputs[rows], labels[rows]))
            start += len(inputs)
        return tuple(torch.cat(column) for column in zip(*parts, strict=True))

    return objective.samples.over_batches(chosen, batch_size)


class _Logits(nn.Module):
    """A network of inputs in their own units that returns nothing but its outputs."""

    def __init__(self, model: nn.Module, objective: Objective):
        super().__init__()
        self.model, self._outputs = model, objective.outputs

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the logits, [n, classes]."""
        return self._outputs(self.model, inputs)
