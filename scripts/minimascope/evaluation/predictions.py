"""Predictions of one model on the test split and other test sets, as kept in a file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np

from ..errors import InputError
from ..measurement import Measurement
from ..safetensors_files import load_arrays, save_arrays
from .metrics import SCORES


@dataclass(frozen=True)
class Predicted:
    """What a model says of another test set.

    Attributes:
        logits: [m, classes].
        labels: [m], classes of the model; -1 throughout for unseen ones.
    """

    logits: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Predictions:
    """What a model says and what is right.

    Attributes:
        run: data set, network, condition and seed of the model.
        logits: [n, classes].
        labels: [n].
        view: of the test split, ``clean`` or ``augmented``.
        others: of other test sets by kind (`data.other_sets.KINDS`) and name, as ``shifted/thick``.
    """

    run: dict[str, str]
    logits: np.ndarray
    labels: np.ndarray
    view: str = "clean"
    others: Mapping[str, Predicted] = field(default_factory=dict)

    def of_kind(self, kind: str) -> dict[str, Predicted]:
        """Return those of other test sets of a kind, by name."""
        start = f"{kind}/"
        return {
            name.removeprefix(start): predicted
            for name, predicted in self.others.items()
            if name.startswith(start)
        }


def save_predictions(path: str | PathLike, predictions: Predictions, **metadata: Any) -> None:
    """Write predictions as safetensors."""
    arrays = {"logits": predictions.logits, "labels": predictions.labels}
    for name, other in predictions.others.items():
        arrays |= {f"{name}/logits": other.logits, f"{name}/labels": other.labels}
    save_arrays(path, arrays, run=predictions.run, view=predictions.view, **metadata)


def load_predictions(path: str | PathLike) -> Predictions:
    """Read what `save_predictions` wrote; raise InputError if that is not what the file holds."""
    arrays, metadata = load_arrays(path)
    if "logits" not in arrays:
        raise InputError(f"{path}: holds no predictions; delete it and run again")
    names = [name.removesuffix("/logits") for name in arrays if name.endswith("/logits")]
    others = {name: Predicted(arrays[f"{name}/logits"], arrays[f"{name}/labels"]) for name in names}
    own = arrays["logits"], arrays["labels"]
    return Predictions(metadata["run"], *own, metadata["view"], others)


def check_same_samples(models: Sequence[Predictions]) -> None:
    """Raise `InputError` if models do not predict the same samples."""
    first = models[0]
    for other in models[1:]:
        if other.logits.shape != first.logits.shape or (other.labels != first.labels).any():
            raise InputError(
                f"predictions of {'/'.join(first.run.values())} and"
                f" {'/'.join(other.run.values())}: other samples; evaluate both networks on the"
                " same test split"
            )


def measure_predictions(predictions: Predictions) -> list[Measurement]:
    """Return accuracy, negative log-likelihood and Brier score on the test split."""
    data = predictions.logits, predictions.labels
    n = len(predictions.labels)
    return [Measurement(name, score(*data), score.unit, n) for name, score in SCORES.items()]
