"""Networks that were trained elsewhere, put in the place of those that are trained here."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .batches import Batches
from .data.prepared import Dataset, Split
from .errors import InputError, nearest
from .evaluation.class_order import ClassOrder, class_order, doubt
from .networks.normalised import NormalisedInput, check_channels, with_own_statistics
from .networks.weights_file import State, fitted, prefix_of, read_state
from .seeding import generator
from .sharpness.cross_entropy import CROSS_ENTROPY
from .sharpness.head import head_of
from .sharpness.objective import BATCH_SIZE, Objective

# So many training samples tell whether a checkpoint computes what it should.
LARGEST_SAMPLE = 5000
# What no checkpoint tells of its training.
UNKNOWN = ["history", "order of batches"]
# A longer list of classes is not put into a sentence.
MOST_LISTED = 20
# Types in which initial weights may have been kept.
ROUNDED_TO = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Adoption:
    """Which checkpoint a condition takes, and how it is read.

    Attributes:
        condition: its name, for messages.
        path: of the checkpoint.
        key: of the weights in it; see `weights_file.read_state`.
        classes: names in the order of its outputs; None for the data set's.
        normalize: ``mean`` and ``std`` of the inputs in its training; None for the data set's.
        initial: the checkpoint that its training started from; None where it is not matched.
    """

    condition: str
    path: Path
    key: str | None = None
    classes: Sequence[str] | None = None
    normalize: Mapping[str, Sequence[float] | None] | None = None
    initial: Path | None = None

    def where(self, key: str) -> str:
        """Return the path of a key in the study."""
        return f"conditions.{self.condition}.{key}"


def adopt(
    adoption: Adoption,
    network: nn.Module,
    normalize: Mapping[str, Sequence[float]],
    dataset: Dataset,
    seed: int,
) -> tuple[NormalisedInput, dict[str, Sequence[float]], dict[str, Any]]:
    """Put a checkpoint's weights in place of a network's, and say what is known of them.

    Args:
        adoption: the checkpoint, and how it is read.
        network: with the study's initial weights, in evaluation mode; gets the checkpoint's.
        normalize: the data set's normalisation.
        dataset: what the network was trained on.
        seed: of the study, which the samples depend on that accuracy is computed of.

    Returns:
        The network with its normalisation, that normalisation, and what is known as plain data.

    Raises:
        InputError: a file that is no checkpoint of this network, classes that are not the data
            set's, a normalisation of other channels, or initial weights that are not the study's.
    """
    if adoption.normalize is not None:
        check_channels(adoption.normalize, dataset.channels, adoption.where("normalize"))
        normalize = with_own_statistics(adoption.normalize, dataset.train.inputs)
    model = NormalisedInput(network, **normalize).eval()
    own = {name: value.clone() for name, value in network.state_dict().items()}
    outputs = _outputs(adoption, dataset.classes)
    if adoption.initial is not None:
        _load(read_state(adoption.initial), own, model, adoption.initial)
        _reorder(model, outputs, dataset.train, adoption.where("classes"))
        _check_initial(network.state_dict(), own, adoption.initial, seed)
    state = read_state(adoption.path, adoption.key)
    _load(state, own, model, adoption.path)
    _reorder(model, outputs, dataset.train, adoption.where("classes"))
    fit = fit_to(model, dataset.train, len(dataset.classes), seed)
    better = [""] * len(outputs) * bool(fit.best)
    for output, label in zip(outputs, fit.best, strict=bool(fit.best)):
        better[output] = dataset.classes[label]
    return (
        model,
        dict(normalize),
        {
            **_origin(adoption, state, prefix_of(state.tensors, own)),
            "normalize": dict(normalize),
            "train_accuracy": fit.accuracy,
            "n": fit.n,
            "guessing": fit.guessing,
            "better_classes": better,
            "better_accuracy": None if math.isnan(fit.best_accuracy) else fit.best_accuracy,
            "doubt": _doubt(adoption, fit, better),
        },
    )


def _origin(adoption: Adoption, state: State, prefix: str) -> dict[str, Any]:
    """Return where weights are from, and what was done to read them."""
    with adoption.path.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    matched = adoption.initial is not None
    return {
        "checkpoint": str(adoption.path),
        "sha256": checksum,
        "key": state.key,
        "other_entries": list(state.others),
        "prefix": prefix,
        "classes": None if adoption.classes is None else list(adoption.classes),
        "own_normalisation": adoption.normalize is not None,
        "matched": matched,
        "unknown": UNKNOWN if matched else ["initial weights", *UNKNOWN],
    }


def _load(state: State, own: Mapping[str, Tensor], model: NormalisedInput, path: Path) -> None:
    model.network.load_state_dict(fitted(state.tensors, own, path))


def _outputs(adoption: Adoption, classes: Sequence[str]) -> list[int]:
    """Return for each class of the data set the output that a checkpoint has for it."""
    if adoption.classes is None:
        return list(range(len(classes)))
    where, theirs = adoption.where("classes"), list(adoption.classes)
    for name in theirs:
        if name not in classes:
            raise InputError(f"{where}: no class {name!r} in the data; {nearest(name, classes)}")
    if missing := [name for name in classes if name not in theirs]:
        raise InputError(
            f"{where}: has {len(theirs)} of the {len(classes)} classes, not {missing[0]}; list all"
        )
    return [theirs.index(name) for name in classes]


def _reorder(model: nn.Module, outputs: Sequence[int], split: Split, where: str) -> None:
    """Put the outputs of a model in another order, in place: class i gets output ``outputs[i]``."""
    if list(outputs) == sorted(outputs):
        return
    objective = Objective(split)
    few = split.first(8)[0]
    head = head_of(model, objective)
    with torch.no_grad():
        before = objective.outputs(model, few)
        for parameter in head.parameters() if head else ():
            if len(parameter) == len(outputs):
                parameter.copy_(parameter[list(outputs)])
        after = objective.outputs(model, few)
    # A head may compute its weights from parameters of another order, as spectral_norm does.
    expected = before[:, list(outputs)]
    if head is None or not torch.allclose(after, expected, rtol=1e-3, atol=1e-4, equal_nan=True):
        raise InputError(
            f"{where}: the outputs of this network are not those of a plain linear layer, so that"
            " their order cannot be changed; leave it out, and name the classes of the data such"
            " that they have the order of the checkpoint"
        )


def _check_initial(
    theirs: Mapping[str, Tensor], own: Mapping[str, Tensor], path: Path, seed: int
) -> None:
    """Refuse initial weights that are not the study's own, apart from their rounding."""
    for name, value in own.items():
        same = (value.to(dtype).to(value.dtype) for dtype in (value.dtype, *ROUNDED_TO))
        if value.is_floating_point() and not any(torch.equal(theirs[name], each) for each in same):
            raise InputError(
                f"{path}: {name} is not that of the study's initial weights of seed {seed}; begin"
                " that training with the study's, or leave out matched and initial"
            )


@torch.no_grad()
def fit_to(model: nn.Module, split: Split, classes: int, seed: int) -> ClassOrder | None:
    """Return how well a model predicts the classes of random samples, at most `LARGEST_SAMPLE`.

    None if its outputs are not [n, classes].
    """
    chosen = torch.randperm(len(split), generator=generator(seed, "adoption"))[:LARGEST_SAMPLE]
    drawn = split.rows(chosen.to(split.labels.device))
    objective = Objective(drawn)

    def outputs(batches: Batches) -> torch.Tensor:
        return torch.cat([objective.outputs(model, inputs) for inputs, _ in batches])

    found = drawn.over_batches(outputs, BATCH_SIZE)
    if found.shape != (len(drawn), classes):
        return None
    labels = drawn.labels.cpu()
    fit = class_order(found.argmax(1).cpu(), labels, classes)
    loss = F.cross_entropy(found.double().cpu(), labels).item()
    _, guessing = CROSS_ENTROPY.of_guessing(labels.bincount())
    return replace(fit, loss=loss, guessing_loss=guessing)


def _doubt(adoption: Adoption, fit: ClassOrder, better: Sequence[str]) -> str:
    """Return why the weights, or how they are read, are to be doubted; empty if they are not."""
    order = json.dumps(list(better), ensure_ascii=False)
    listed = order if len(better) <= MOST_LISTED else "better_classes in adopted.json"
    return doubt(fit, listed, adoption.where("classes"), adoption.where("normalize"))
