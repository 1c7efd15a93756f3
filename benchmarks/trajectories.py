"""What measures on the way cost, as a share of the training that they follow, in processor seconds.

Three trainings on 500 digits: ResNet-18 and a transformer as in the default study (30 epochs in
batches of 50), and the perceptron of studies/edge_of_stability.yaml (3,000 epochs, full batches).
"""

import copy
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from minimascope.data.digits import load
from minimascope.data.prepared import Dataset
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.optim.stability import Update
from minimascope.sharpness.family import FamilySpec
from minimascope.sharpness.trajectory import Snapshot, Trajectory
from minimascope.snapshots import Moment
from minimascope.training import TrainingSpec, train

SGD = {"name": "sgd", "lr": 0.02, "momentum": 0.9, "weight_decay": 0.0, "nesterov": False}
IN_BATCHES = {"epochs": 30, "batch_size": 50, "optimizer": SGD, "schedule": {"name": "cosine"}}
FULL = {"epochs": 3000, "batch_size": "full", "loss": "squared_error", "test_every": 3000}
FULL |= {"optimizer": SGD | {"lr": 0.1, "momentum": 0.0}}
# Architecture, its options, width, training, and the epochs that are kept.
CASES: dict[str, tuple[str, dict[str, Any], float, dict[str, Any], tuple[int, ...]]] = {
    "ResNet-18 × 1/8": (
        *("resnet18", {}, 0.125, IN_BATCHES),
        (*range(11), *range(12, 29, 2)),
    ),
    "transformer × 1/8": (
        *("vit", {"patch_size": 4}, 0.125, IN_BATCHES),
        (*range(11), *range(12, 29, 2)),
    ),
    "perceptron, full batches": (
        *("mlp", {"hidden_layers": 2, "activation": "tanh"}, 0.6, FULL),
        tuple(range(0, 3001, 158)),
    ),
}
# Families, their settings, and how many samples they are measured on; None for all.
FAMILIES = {
    "forward": ("forward", {"published": False}, None),
    "forward, without the gradient norm": (
        *("forward", {"published": False, "gradient": False}),
        None,
    ),
    "edge of stability": ("edge_of_stability", {}, None),
    "edge of stability, no batches": ("edge_of_stability", {"batches": 0}, None),
    "the same on 100 samples, to 5 %": (
        "edge_of_stability",
        {"batches": 0, "tolerance": 0.05},
        100,
    ),
}


class Kept:
    """Copies of a network at some epochs, in place of files."""

    def __init__(self, epochs: tuple[int, ...]):
        self.places, self.snapshots = {Moment("epoch", epoch) for epoch in epochs}, []

    def check(self, epochs: int, steps: int) -> None:
        """Nothing lies beyond the end."""

    def missing(self, epochs: int, steps: int) -> list[Moment]:
        """Nothing was kept before."""
        return []

    def take(self, moment: Moment, model: nn.Module, optimizer: Any, **place: Any) -> None:
        """Keep a copy."""
        self.snapshots.append((copy.deepcopy(model).eval(), place | {"moment": moment.name}))


def seconds_of(data: Dataset, kept: Kept, spec: TrainingSpec, case: tuple) -> float:
    """Return the processor seconds of a family at all snapshots."""
    trajectory = Trajectory(data, 0, torch.device("cpu"))
    family, settings, samples = case
    own = FamilySpec(family, settings, "clean", None, 0.0, 0.0, loss=spec.loss, samples=samples)
    start = time.process_time()
    for model, place in kept.snapshots:
        update = Update(place["learning_rate"], spec.optimizer, spec.batch_size)
        trajectory.measured(Snapshot(model, place, update), own)
    return time.process_time() - start


def main(data: Dataset, cases: Mapping[str, Any] = CASES) -> None:
    """Print a table of shares."""
    print("| training | seconds | snapshots |", " | ".join(FAMILIES), "|")
    for name, (architecture, options, width, training, epochs) in cases.items():
        spec = TrainingSpec.from_config(training)
        network = NetworkSpec(architecture, 1, (8, 8), 10, width=width, options=options)
        model, kept = NormalisedInput(initialise(network, 0), [0.3], [0.35]), Kept(epochs)
        start = time.process_time()
        train(model, data, spec, 0, snapshots=kept)
        whole = time.process_time() - start
        shares = [seconds_of(data, kept, spec, family) / whole for family in FAMILIES.values()]
        cells = " | ".join(f"{share:.2f}" for share in shares)
        print(f"| {name} | {whole:.1f} | {len(kept.snapshots)} | {cells} |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(load("", train_size=500, split_seed=0, image_size=8))
