"""Measures of the weights that a training passes through, one moment after the other."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from ..data.prepared import Dataset
from ..errors import InputError
from ..measurement import Measured
from ..models import load_divisors, load_model
from ..optim.stability import Update
from .directions import state_of
from .family import FamilySpec, measure_family


@dataclass(frozen=True)
class Snapshot:
    """A network at a moment of its training.

    Attributes:
        model: in evaluation mode, on the device.
        moment: its name, epochs and steps so far, and learning rate of the last step.
        update: how its weights were being changed.
    """

    model: nn.Module
    moment: Mapping[str, Any]
    update: Update

    @property
    def name(self) -> str:
        """Name of the moment."""
        return self.moment["moment"]

    @classmethod
    def read(cls, path: str | PathLike, device: torch.device) -> Self:
        """Read what `snapshot_files.SnapshotFiles` wrote.

        Raises:
            InputError: another file, such as that of a finished network.
        """
        model, _, metadata = load_model(path, device)
        if "moment" not in metadata:
            raise InputError(f"{path}: says of no moment of a training; delete it and run again")
        training, moment = metadata["training"], metadata["moment"]
        update = Update(
            moment["learning_rate"],
            training["optimizer"],
            None if training["batch_size"] == "full" else training["batch_size"],
            training.get("sam"),
            load_divisors(path, device),
        )
        about = {"moment": Path(path).stem, **moment, "model": metadata["content_sha256"]}
        return cls(model, about, update)


@dataclass
class Trajectory:
    """What is measured of a training's snapshots, in their order.

    Attributes:
        dataset: with whose training split the network is trained.
        seed: of the training, and of what is drawn.
        device: where to compute.
        initial: the network that training began with, where that is known.
        previous: arrays of the moment before, or of all together, by family.
        path: states of all moments so far.
    """

    dataset: Dataset
    seed: int
    device: torch.device
    initial: nn.Module | None = None
    previous: dict[str, Mapping[str, np.ndarray]] = field(default_factory=dict)
    path: list[dict[str, torch.Tensor]] = field(default_factory=list)

    def pass_through(self, snapshot: Snapshot) -> None:
        """Add the next snapshot to the path."""
        self.path.append({n: t.clone() for n, t in state_of(snapshot.model).items()})

    def measured(self, snapshot: Snapshot, spec: FamilySpec) -> dict[str, Any]:
        """Return a document of what a family gives of a snapshot, later than those before.

        Draws are the same at all moments, so that differences between these are none of draws.
        """
        before, update = self.previous.get(spec.family, {}), snapshot.update
        if update.batch_size is not None and update.batch_size >= len(self.dataset.train):
            update = replace(update, batch_size=None)
        on_the_way = {"update": update, "previous": before, "path": self.path}
        found, said = measure_family(
            *(snapshot.model, self.dataset, self.seed, self.device, spec),
            initial=self.initial,
            on_the_way=on_the_way,
        )
        self.previous[spec.family] = found.arrays
        return _document(snapshot, found) | {"seconds": said["seconds"]}


def _document(snapshot: Snapshot, found: Measured) -> dict[str, Any]:
    return {
        **snapshot.moment,
        "measures": [asdict(measurement) for measurement in found.measurements],
        "details": dict(found.details),
    }
