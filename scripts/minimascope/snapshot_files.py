"""Files of the weights that a training passes through."""

import shutil
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .errors import InputError
from .files import atomic
from .models import save_model
from .networks import NetworkSpec
from .optim import preconditioner
from .snapshots import Moment


class SnapshotFiles:
    """Where a training keeps snapshots, each of them in a file.

    Until the training is finished they have other names: Snakemake removes the outputs of an
    interrupted job, which goes on from its checkpoint.
    """

    def __init__(
        self,
        places: Mapping[Moment, str | PathLike],
        spec: NetworkSpec,
        normalize: Mapping[str, Any],
        **metadata: Any,
    ):
        """Name the files.

        Args:
            places: the path of each moment.
            spec: of the network.
            normalize: see `models.save_model`.
            **metadata: of every file.
        """
        self.places = {moment: Path(path) for moment, path in places.items()}
        self.spec, self.normalize, self.metadata = spec, normalize, metadata

    def unfinished(self, moment: Moment) -> Path:
        """Return where the weights of a moment are until the training is finished."""
        return self.places[moment].with_suffix(".checkpoint.safetensors")

    def missing(self, epochs: int, steps: int) -> list[Moment]:
        """Return what a training that has come so far should have kept, and has not."""
        done = {"epoch": epochs, "step": steps}
        return [
            moment
            for moment in self.places
            if moment.count <= done[moment.unit] and not self.unfinished(moment).exists()
        ]

    def check(self, epochs: int, steps: int) -> None:
        """Raise InputError if a moment lies beyond the end of a training."""
        for moment in self.places:
            last = epochs if moment.unit == "epoch" else steps
            if moment.count > last:
                key = "" if moment.unit == "epoch" else ".steps"
                raise InputError(
                    f"training.keep{key}: {moment.count} is beyond the last {moment.unit}, {last};"
                    " leave it out"
                )

    def take(
        self, moment: Moment, model: nn.Module, optimizer: torch.optim.Optimizer, **place: Any
    ) -> None:
        """Write the weights of a moment.

        Args:
            moment: the present one, one of `places`.
            model: with these weights.
            optimizer: what it divides gradients by is kept with them.
            **place: how far the training is.
        """
        path, metadata = self.unfinished(moment), self.metadata | {"moment": place}
        divisors = preconditioner(model, optimizer)
        save_model(path, model, self.spec, self.normalize, divisors, **metadata)

    def finish(self) -> None:
        """Give the files the names that they are wanted by; those before stay until `remove`."""
        for moment, place in self.places.items():
            with atomic(place) as partial:
                shutil.copyfile(self.unfinished(moment), partial)

    def remove(self) -> None:
        """Delete what is needed no longer, once all is safely written."""
        for moment in self.places:
            self.unfinished(moment).unlink(missing_ok=True)
