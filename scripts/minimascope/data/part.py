"""A part of a data set, for trials on machines that are too small for the whole."""

from dataclasses import replace

import torch

from ..errors import InputError
from ..seeding import generator
from .prepared import Dataset, Split


def part_of(dataset: Dataset, train: int | None, test: int | None) -> Dataset:
    """Return a data set with at most this many training and test samples; None means all.

    They are drawn without replacement, by a generator that is always the same, and keep their
    order. Classes keep their shares up to rounding.

    Raises:
        InputError: fewer samples are wanted than there are classes.
    """
    classes = len(dataset.classes)
    return replace(
        dataset,
        train=_part(dataset.train, train, "train", classes),
        test=_part(dataset.test, test, "test", classes),
    )


def _part(split: Split, samples: int | None, name: str, classes: int) -> Split:
    if samples is None or samples >= len(split):
        return split
    if samples < classes:
        raise InputError(
            f"{name}_samples: {samples} is less than the number of classes, {classes}; raise it"
        )
    # Ranked by how far into its own class a sample is, the first k hold every class's share.
    draws = generator("part", name)
    order = torch.randperm(len(split), generator=draws)
    depth = torch.empty(len(split), dtype=torch.float64)
    for label in range(classes):
        members = order[split.labels[order] == label]
        places = torch.arange(len(members), dtype=torch.float64)
        depth[members] = (places + 0.5) / len(members)
    rows = depth.argsort(stable=True)[:samples].sort().values
    return split.rows(rows)
