"""What sharpness is about: the mean loss of a network over samples, in evaluation mode."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import nn

from ..batches import Batch, Batches, Inputs, each
from ..data.prepared import Split
from .cross_entropy import CROSS_ENTROPY
from .loss import LabelFacts, Loss
from .outputs import logits_of
from .stream import Stream

BATCH_SIZE = 1024
Samples = Split | Stream


@dataclass(frozen=True)
class Objective:
    """The mean of a loss over all samples, a function of a network.

    Attributes:
        samples: inputs and labels, on the network's device.
        loss: of outputs and labels.
        read: the outputs in what a network returns.
    """

    samples: Samples
    loss: Loss = CROSS_ENTROPY
    read: Callable[[Any], torch.Tensor] = logits_of

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def count(self) -> int:
        """Number of terms that the mean is over: of samples, or of their pixels or tokens."""
        return self.loss.count(self.label_facts)

    @cached_property
    def label_facts(self) -> LabelFacts:
        """What there is to know of all labels."""
        if isinstance(self.samples, Stream):
            return self.samples.label_facts
        return LabelFacts.of(self.samples.labels)

    def check(self, model: nn.Module) -> None:
        """Raise InputError unless outputs and labels are such as the loss takes."""
        inputs, labels = self.samples.first()
        with torch.no_grad():
            outputs = self.outputs(model, inputs)
            self.loss.check(outputs, labels, self.label_facts)

    def outputs(self, model: nn.Module, inputs: Inputs) -> torch.Tensor:
        """Return a network's outputs for a batch [b, …], with their autograd graph.

        Floating-point inputs are converted to the network's floating type.
        """
        inputs = each(inputs, lambda tensor: in_dtype_of(model, tensor))
        by_name = isinstance(inputs, Mapping)
        return self.read(model(**inputs) if by_name else model(inputs))

    def share(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Return a batch's share of the mean, a float64 scalar with its autograd graph."""
        inputs, labels = batch
        return self.loss.total(self.outputs(model, inputs), labels) / self.count

    @torch.no_grad()
    def sample_losses(self, model: nn.Module, batch_size: int = BATCH_SIZE) -> torch.Tensor:
        """Return all terms of the loss, in float64; 0 where a term does not count.

        Args:
            model: its floating type is that in which outputs are computed.
            batch_size: the largest number of inputs that are computed at once.
        """

        def losses(batches: Batches) -> torch.Tensor:
            return torch.cat(
                [self.loss.terms(self.outputs(model, inputs), labels) for inputs, labels in batches]
            )

        return self.samples.over_batches(losses, batch_size)

    def mean(self, model: nn.Module, batch_size: int = BATCH_SIZE) -> torch.Tensor:
        """Return the mean loss as a float64 scalar tensor; see `sample_losses`."""
        return self.mean_of(self.sample_losses(model, batch_size))

    def mean_of(self, terms: torch.Tensor) -> torch.Tensor:
        """Return the mean of all terms [m] over those that count."""
        return terms.mean() * (len(terms) / self.count)

    @torch.enable_grad()
    def mean_and_gradient(
        self, model: nn.Module, batch_size: int = BATCH_SIZE
    ) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
        """Return the mean loss, a float64 scalar, and its gradient, a tensor for each parameter.

        Parameters with ``requires_grad`` off are left out; for the arguments see `sample_losses`.
        """
        parameters = [p for p in model.parameters() if p.requires_grad]

        def total(batches: Batches) -> tuple[torch.Tensor, Sequence[torch.Tensor]]:
            loss = torch.zeros((), dtype=torch.float64, device=parameters[0].device)
            gradient = [torch.zeros_like(p) for p in parameters]
            for batch in batches:
                part = self.share(model, batch)
                loss += part.detach()
                if not part.requires_grad:  # of outputs in which no parameter has a part
                    continue
                found = torch.autograd.grad(part, parameters, materialize_grads=True)
                torch._foreach_add_(gradient, found)
            return loss, gradient

        return self.samples.over_batches(total, batch_size)

    def of(self, samples: Samples) -> "Objective":
        """Return the same loss over other samples."""
        return replace(self, samples=samples)


def in_dtype_of(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Return inputs in the floating type of a network; integers, as of images, stay."""
    return inputs.to(next(model.parameters()).dtype) if inputs.is_floating_point() else inputs
