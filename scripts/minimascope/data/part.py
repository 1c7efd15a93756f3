"""A part of a data set: some classes, domains in training, or samples for a small machine."""

from collections.abc import Collection
from dataclasses import replace

import torch

from ..errors import InputError, nearest
from ..seeding import generator
from .prepared import Dataset, Split


def part_of(
    dataset: Dataset,
    train: int | None = None,
    test: int | None = None,
    classes: Collection[str] | None = None,
    train_domains: Collection[str] | None = None,
) -> Dataset:
    """Return a data set with at most this many training and test samples; None means all.

    They are drawn without replacement, by a generator that is always the same, and keep their
    order. Classes keep their shares up to rounding.

    Args:
        dataset: the whole.
        train: number of training samples.
        test: number of test samples.
        classes: names of the classes that are used, which keep their order; None for all.
        train_domains: names of the domains that training samples are of; None for all. The others
            become unseen, and stay in the test split.

    Raises:
        InputError: fewer samples are wanted than there are classes, a class or domain that there
            is not, or domains without training samples of a class.
    """
    if train_domains is not None:
        dataset = _trained_on(dataset, train_domains)
    if classes is not None:
        dataset = _with_classes(dataset, classes)
    count = len(dataset.classes)
    return replace(
        dataset,
        train=_part(dataset.train, train, "train", count),
        test=_part(dataset.test, test, "test", count),
    )


def _with_classes(dataset: Dataset, classes: Collection[str]) -> Dataset:
    for name in classes:
        if name not in dataset.classes:
            raise InputError(f"classes: no class {name!r}; {nearest(name, dataset.classes)}")
    kept = [place for place, name in enumerate(dataset.classes) if name in classes]
    numbers = torch.full((len(dataset.classes),), -1)
    numbers[kept] = torch.arange(len(kept))
    splits = {}
    for name, split in (("train", dataset.train), ("test", dataset.test)):
        part = split.rows((numbers[split.labels] >= 0).nonzero()[:, 0])
        splits[name] = replace(part, labels=numbers[part.labels])
    return replace(dataset, **splits, classes=tuple(dataset.classes[place] for place in kept))


def _trained_on(dataset: Dataset, domains: Collection[str]) -> Dataset:
    """Return the data set with the training samples of some domains alone."""
    split = dataset.train
    if split.domains is None:
        raise InputError("train_domains: the data have no domains; leave it out")
    there = [dataset.domains[index] for index in split.domains.unique().tolist()]
    for name in domains:
        if name not in there:
            raise InputError(
                f"train_domains: no training sample of domain {name!r}; {nearest(name, there)}"
            )
    kept = torch.tensor([name in domains for name in dataset.domains])
    train = split.rows(kept[split.domains].nonzero()[:, 0])
    for label in split.labels.unique().tolist():
        if not (train.labels == label).any():
            raise InputError(
                f"train_domains: no training sample of class {dataset.classes[label]!r} is of"
                " these domains; add the domain that has some"
            )
    seen = tuple(name in domains for name in dataset.domains)
    return replace(dataset, train=train, seen=seen)


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
