"""In which order, and how often, an epoch shows the training samples."""

from typing import Literal

import torch

from ..errors import InputError
from .prepared import Split

Sampling = Literal["shuffled", "domain_balanced"]


def epoch_order(split: Split, sampling: Sampling, generator: torch.Generator) -> torch.Tensor:
    """Return the row numbers [n] that an epoch of n samples goes through.

    ``shuffled`` is each row once, in random order. ``domain_balanced`` draws n rows with
    replacement, so that every domain that the split has is as likely as every other and a
    domain's samples are equally likely.

    Args:
        split: of n samples.
        sampling: see above.
        generator: on the CPU, so that every device gets the same order.

    Raises:
        InputError: balanced domains are asked for, but the split has none.
    """
    n = len(split)
    if sampling == "shuffled":
        order = torch.randperm(n, generator=generator)
    elif split.domains is None:
        raise InputError(
            "training.sampling: domain_balanced needs a data set with domains; use shuffled"
        )
    else:
        _, domain, counts = split.domains.cpu().unique(return_inverse=True, return_counts=True)
        weights = 1 / counts.double()[domain]
        order = torch.multinomial(weights, n, replacement=True, generator=generator)
    return order.to(split.labels.device)
