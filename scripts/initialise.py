"""Draw the initial weights that all conditions of a seed start from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from minimascope.data.prepared import Dataset, load_dataset
from minimascope.errors import InputError
from minimascope.jobs.job import job
from minimascope.models import save_model
from minimascope.networks import Classifier, NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput, with_own_statistics
from minimascope.registry import FIND_WEIGHTS, LOAD_PRETRAINED, PRETRAINED


def main() -> None:
    config = json.loads(snakemake.params.spec)
    seed = int(snakemake.wildcards.seed)
    dataset, _ = load_dataset(snakemake.input.data)
    normalize = normalisation(config["normalize"], dataset)
    network = config["network"]
    architecture = network.pop("architecture")
    spec = NetworkSpec(
        architecture=architecture,
        channels=dataset.channels,
        input_size=dataset.input_size,
        classes=len(dataset.classes),
        width=network.pop("width"),
        options=network,
    )
    drawn = initialise(spec, seed)
    if architecture in LOAD_PRETRAINED:
        put_pretrained(drawn, architecture, config["data_dir"])
    model = NormalisedInput(drawn, **normalize)
    save_model(snakemake.output.model, model, spec, normalize, seed=seed)


def normalisation(configured: Mapping[str, Any], dataset: Dataset) -> dict[str, list[float]]:
    """Return mean and standard deviation, the training split's own where none are configured."""
    for key, values in configured.items():
        if values is not None and len(values) not in (1, dataset.channels):
            raise InputError(
                f"datasets.{snakemake.wildcards.dataset}.normalize.{key}: {len(values)} values for"
                f" {dataset.channels} channel(s); give one for each channel, or one for all"
            )
    return with_own_statistics(configured, dataset.train.inputs)


def put_pretrained(network: Classifier, architecture: str, data_dir: str | None) -> None:
    """Put published weights in place of the drawn ones, except in the last layer.

    Where the study names no file, one is looked for in the folder of raw data and torch's cache.
    """
    name = architecture.removeprefix(PRETRAINED)
    if snakemake.input.weights:
        path = Path(*snakemake.input.weights)
    else:
        folders = [Path(data_dir), Path(torch.hub.get_dir(), "checkpoints")]
        path = FIND_WEIGHTS[architecture].load()(name, folders)
    LOAD_PRETRAINED[architecture].load()(network, name, path)


with job(snakemake):
    main()
