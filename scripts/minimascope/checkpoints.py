"""Trained models, and the checkpoint from which an interrupted training continues."""

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import torch
from torch import nn

from .errors import InputError
from .state_file import StateFile
from .tensors import below


@dataclass(frozen=True)
class Progress:
    """How far a training has come: epochs finished, and a row of history for each."""

    epoch: int = 0
    history: tuple[dict[str, float], ...] = ()


class CheckpointFile(StateFile):
    """The file that an interrupted training continues from."""

    @property
    def epoch(self) -> int:
        """Number of epochs that the checkpoint of this run has; 0 if there is none.

        Raises:
            InputError: the file is there but damaged.
        """
        found = self.read()
        return found[1]["epoch"] if found else 0

    def restore(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, average: nn.Module | None = None
    ) -> Progress:
        """Load model, optimiser and average in place if there is a checkpoint of this run.

        Raises:
            InputError: the file is there but damaged.
        """
        found = self.read()
        if found is None:
            return Progress()
        tensors, metadata = found
        load_weights(model, below(tensors, "model."), self.path)
        if average is not None:
            load_weights(average, below(tensors, "average."), self.path)
        state: dict[int, dict[str, Any]] = {}
        for name, tensor in below(tensors, "optimizer.").items():
            index, _, key = name.partition(".")
            # A copy lies in memory as any new tensor does; products round by that.
            state.setdefault(int(index), {})[key] = tensor.clone()
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
        return Progress(metadata["epoch"], tuple(map(_from_json, metadata["history"])))

    def save_if_cheap(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        progress: Progress,
        average: nn.Module | None = None,
    ) -> None:
        """Write a checkpoint, unless that would slow the training by more than 5 %."""
        if self.is_cheap:
            self.save(model, optimizer, progress, average)

    def save(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        progress: Progress,
        average: nn.Module | None = None,
    ) -> None:
        """Write a checkpoint."""
        tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        for index, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                if value is not None:
                    tensors[f"optimizer.{index}.{key}"] = torch.as_tensor(value)
        if average is not None:
            tensors |= {f"average.{name}": tensor for name, tensor in average.state_dict().items()}
        history = [_to_json(row) for row in progress.history]
        self.write(tensors, epoch=progress.epoch, history=history)


def _to_json(row: Mapping[str, float]) -> list[list[str | float | None]]:
    # Pairs, since metadata are written with sorted keys, and columns have an order of their own.
    return [[key, None if value != value else value] for key, value in row.items()]


def _from_json(row: list[list[str | float | None]]) -> dict[str, float]:
    return {key: float("nan") if value is None else value for key, value in row}


def load_weights(model: nn.Module, tensors: Mapping[str, torch.Tensor], path: PathLike) -> None:
    """Load a state dictionary; raise InputError naming the file if it is another network's."""
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        problem = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: weights do not fit the configured network ({problem}…);"
            " delete the file and run again"
        ) from error
