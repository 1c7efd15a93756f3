"""Small data sets and networks to train, and what an interrupted or watched training needs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from study_cases import completed
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from minimascope.checkpoints import CheckpointFile
from minimascope.data.prepared import Dataset, Split
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.seeding import generator

F64 = torch.float64


def feature_data(n: int = 20) -> Dataset:
    draws = generator(0, "features")
    inputs = torch.randn(n + 8, 3, generator=draws, dtype=F64)[:, :, None, None]
    labels = (inputs.sum((1, 2, 3)) > 0).long()
    return Dataset(Split(inputs[:n], labels[:n]), Split(inputs[n:], labels[n:]), ("a", "b"))


def image_data(n: int = 24, channels: int = 1) -> Dataset:
    draws = generator(0, "images")
    images = torch.randint(0, 256, (n + 8, channels, 8, 8), generator=draws, dtype=torch.uint8)
    labels = torch.arange(n + 8) % 3
    return Dataset(Split(images[:n], labels[:n]), Split(images[n:], labels[n:]), ("a", "b", "c"))


def perceptron() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()


def resnet(dropout: float = 0.0, channels: int = 1, width: float = 0.0625) -> NormalisedInput:
    spec = NetworkSpec("resnet18", channels, (8, 8), 3, width=width, dropout=dropout)
    return NormalisedInput(initialise(spec, 0), [0.5], [0.5])


CPU = torch.device("cpu")
SGD = {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}
# Of three steps in an epoch, some of which need neither new factors nor new inverses.
KFAC = completed("optimizer", name="kfac", lr=0.01, damping=0.01, factor_every=2, inverse_every=4)
GDTUO = completed("optimizer", name="gdtuo", lr=0.001, hyper_lr=0.0001, weight_decay=0.01)


class TrainingInterruptedError(Exception):
    pass


class InterruptedAfter(CheckpointFile):
    """Writes a checkpoint after every epoch, and stops the training after some."""

    def __init__(self, path, identity, device, epochs):
        super().__init__(path, identity, device)
        self.epochs = epochs

    def save_if_cheap(self, model, optimizer, progress, average=None):
        self.save(model, optimizer, progress, average)
        if progress.epoch == self.epochs:
            raise TrainingInterruptedError


@contextmanager
def after_each_step(look: Callable[[torch.optim.Optimizer], Any]) -> Iterator[list[Any]]:
    """Fill a list with what is seen of the optimiser after each step inside the block."""
    seen: list[Any] = []
    hook = register_optimizer_step_post_hook(lambda found, *_: seen.append(look(found)))
    try:
        yield seen
    finally:
        hook.remove()


def numbers(history: list[dict[str, float]]) -> list[dict[str, float | None]]:
    """Return a history without its timing; what was not tested is None, not NaN."""
    timing = {"seconds", "samples_per_second"}
    return [
        {key: value if value == value else None for key, value in row.items() if key not in timing}
        for row in history
    ]


def same_bytes(one: nn.Module, other: nn.Module) -> bool:
    """Return whether two networks have the same weights and statistics, bit for bit."""
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)
