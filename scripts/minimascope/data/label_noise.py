"""Random labels (Zhang et al. 2017, arXiv:1611.03530)."""

from dataclasses import replace

import torch

from ..seeding import generator
from .prepared import Split


def with_label_noise(split: Split, share: float, classes: int, seed: int) -> Split:
    """Return a split whose labels are each random with probability ``share``.

    A random label is uniform over all classes, so it may be the right one. What is drawn depends
    on the seed alone: the labels that are random at one share are so at every larger one.

    Args:
        split: with labels [n], classes 0 … C-1.
        share: between 0 (the split itself) and 1.
        classes: C.
        seed: of the run; the same for all its conditions.
    """
    if share == 0:
        return split
    draws = generator(seed, "label noise")
    n = len(split)
    position = torch.rand(n, generator=draws, dtype=torch.float64)
    labels = torch.randint(0, classes, (n,), generator=draws)
    noisy = (position < share).to(split.labels.device)
    return replace(split, labels=torch.where(noisy, labels.to(split.labels.device), split.labels))
