"""The weights that all conditions of a seed start from: drawn, or published ones in their place."""

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from .data.prepared import Dataset
from .models import save_model
from .networks import NetworkSpec, check_logits, initialise
from .networks.normalised import NormalisedInput, check_channels, with_own_statistics
from .networks.starting import start_from
from .registry import FIND_WEIGHTS, LOAD_PRETRAINED, PRETRAINED

# Keys of a network in a study that say from which weights it starts, not what it is.
OF_THE_START = ("weights", "new_head")


def network_spec(
    network: Mapping[str, Any], shape: tuple[int, int, int], classes: int
) -> NetworkSpec:
    """Return what a study says of a network, for inputs [channels, height, width] and classes."""
    options = {key: value for key, value in network.items() if key not in OF_THE_START}
    return NetworkSpec(
        architecture=options.pop("architecture"),
        channels=shape[0],
        input_size=shape[1:],
        classes=classes,
        width=options.pop("width"),
        options=options,
    )


def with_norm(
    model: NormalisedInput, spec: NetworkSpec, norm: str, seed: int
) -> tuple[NormalisedInput, NetworkSpec]:
    """Return a network of initial weights with another norm, drawn by the same seed.

    Args:
        model: as `models.load_model` returns it.
        spec: of its network, which has an option ``norm``.
        norm: what replaces it.
        seed: that the initial weights were drawn by.
    """
    spec = replace(spec, options={**spec.options, "norm": norm})
    model.network = initialise(spec, seed).to(model.mean.device)
    return model.eval(), spec


def save_initial(
    path: str | PathLike,
    dataset: Dataset,
    name: str,
    network: Mapping[str, Any],
    normalize: Mapping[str, Any],
    seed: int,
    weights: Path | None,
    data_dir: str | None,
) -> None:
    """Write the network that all conditions of a seed start from.

    Args:
        path: of the file.
        dataset: what the network is for.
        name: of the data set.
        network: ``architecture``, ``width`` and the architecture's own settings.
        normalize: ``mean`` and ``std`` of the inputs; None for the training split's own.
        seed: of the drawn weights.
        weights: file of weights; None where published ones are looked for, or all are drawn.
        data_dir: where they are looked for, besides torch's cache.

    Raises:
        InputError: a normalisation of other channels than the data have, inputs that the network
            cannot take, or weights that are missing or of another network.
    """
    check_channels(normalize, dataset.channels, f"datasets.{name}.normalize")
    normalize = with_own_statistics(normalize, dataset.train.inputs)
    shape = (dataset.channels, *dataset.input_size)
    spec = network_spec(network, shape, len(dataset.classes))
    drawn, told = initialise(spec, seed), {}
    check_logits(drawn, spec)
    if spec.architecture in LOAD_PRETRAINED:
        # In place of the drawn ones, except in the last layer.
        published = spec.architecture.removeprefix(PRETRAINED)
        if weights is None:
            folders = [Path(data_dir), Path(torch.hub.get_dir(), "checkpoints")]
            weights = FIND_WEIGHTS[spec.architecture].load()(published, folders)
        LOAD_PRETRAINED[spec.architecture].load()(drawn, published, weights)
    elif weights is not None:
        told["head"] = start_from(drawn, spec, weights, network.get("new_head", False))
        print(f"all weights but a {told['head']} head are those of {weights}")
    save_model(path, NormalisedInput(drawn, **normalize), spec, normalize, seed=seed, **told)
