"""Distances to the decision boundary as an attack finds them, of samples of any data."""

from typing import Any

import torch
from torch import nn

from ..ascent import Norm
from ..attacks.attack import BATCH_SIZE, Attacker
from ..attacks.inputs import box_of
from ..attacks.smallest import BISECTIONS, Search
from ..attacks.spec import LOSSES, AttackSpec, check_count
from ..batches import Batch, Batches
from ..errors import InputError
from .cross_entropy import CROSS_ENTROPY, counted
from .given import given_network
from .inputs import check_continuous, numbers
from .objective import Objective
from .outputs import Read
from .stream import Stream
from .subject import check_finite, check_loss


def smallest_radii(
    model: nn.Module,
    inputs: Any,
    labels: Any = None,
    norm: Norm = "l2",
    spec: AttackSpec | None = None,
    *,
    outputs: str | int | Read | None = None,
    largest: float | None = None,
    bisections: int = BISECTIONS,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
) -> torch.Tensor:
    """Return the smallest radius found at which an attack fools a network, of each sample, [n].

    It is the distance of an example that fools, so the distance to the decision boundary is at most
    that. 0 for samples that are misclassified as they are; infinite where not even the attack at
    the largest radius succeeds. In the network's floating type, but float32 for half precision.

    Args:
        model: from inputs to logits [n, classes]; any that `minimascope.measure` takes, and as it
            was after the call.
        inputs: likewise, all in memory: features, or pictures as fractions of their range, [n, …].
            Bytes are of a `NormalisedInput` alone, since radii would otherwise have no known unit:
            theirs are fractions of the range, in which their examples stay.
        labels: numbers of classes, [n]; None where the inputs have their own.
        norm: of the distance, ``l2`` or ``linf``.
        spec: the attack; None for Auto-PGD on cross-entropy and, for three classes or more, the
            ratio of logits.
        outputs: where the logits are in what the model returns, as `minimascope.measure` has it.
        largest: radius at which the search begins; None for one at which inputs can become any
            others.
        bisections: attacks on brackets of the radius that it is narrowed down with.
        seed: of random restarts.
        batch_size: how many inputs are computed at once.

    Raises:
        InputError: an unknown norm, gradients with respect to the inputs that are none or are not
            the changes of the outputs (`inputs.check_continuous`), labels that are no classes of
            the network, inputs that are not finite, a largest radius that is not above 0 and
            finite, as that of features that are all one number, a loss that needs more classes; and
            what `minimascope.measure` refuses.
    """
    check_count("bisections", bisections, least=0)
    with given_network(model, inputs, labels, CROSS_ENTROPY, outputs) as (model, objective):
        check_finite(model, objective)
        check_continuous(model, objective, "smallest_radii")
        samples = objective.samples
        if isinstance(samples, Stream) or objective.label_facts.ignored:
            raise InputError(
                "smallest_radii: it attacks inputs of one shape, all in memory, whose labels are"
                " numbers of classes and not -100; give it such a part of the data"
            )
        check_loss(model, objective, objective.mean(model, batch_size).item())
        batch = samples.inputs, samples.labels
        search = _search(model, objective, batch, norm, spec, seed, batch_size)
        return search.smallest(largest, bisections)


def attacked_distances(
    model: nn.Module, objective: Objective, samples: int, batch_size: int
) -> torch.Tensor:
    """Return how far inputs are moved by an L2 attack that fools the network, [m] in float64.

    These are upper bounds of the distance to the boundary, from `attacks.smallest.Search` with
    Auto-PGD on the cross-entropy and, for three classes or more, the ratio of logits. They are 0
    where the prediction is wrong without an attack, and infinite where none succeeds, as where the
    inputs are all one number.

    Args:
        model: in evaluation mode; its floating type is that of the attack.
        objective: a loss with a softmax over classes, and the samples; see
            `inputs.check_continuous`.
        samples: how many are attacked at most, evenly spread over all.
        batch_size: the largest number of inputs at once.
    """
    batch = _spread(objective, samples, batch_size)
    search = _search(model, objective, batch, "l2", batch_size=batch_size)
    return (search.smallest() if search.largest_radius else search.radii).double()


def _search(
    model: nn.Module,
    objective: Objective,
    batch: Batch,
    norm: Norm,
    spec: AttackSpec | None = None,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
) -> Search:
    inputs, labels = batch
    logits, points = _Logits(model, objective), numbers(model, inputs)
    with torch.no_grad():
        classes = logits(points[:1]).shape[1]
    spec = spec or AttackSpec(losses=LOSSES if classes > 2 else ("ce",))
    attacker = Attacker(logits, norm, spec, box_of(inputs), seed, batch_size)
    return Search(attacker, points, labels.reshape(-1))


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
