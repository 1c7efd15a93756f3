"""Draw the initial weights that all conditions of a seed start from."""

import json
from pathlib import Path

import torch

from minimascope.data.prepared import load_dataset
from minimascope.errors import InputError
from minimascope.jobs import job
from minimascope.models import save_model
from minimascope.networks import Classifier, NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput
from minimascope.registry import FIND_WEIGHTS, LOAD_PRETRAINED, PRETRAINED


def main() -> None:
    config = json.loads(snakemake.params.spec)
    seed = int(snakemake.wildcards.seed)
    dataset, _ = load_dataset(snakemake.input.data)
    network, normalize = config["network"], config["normalize"]
    for key, values in normalize.items():
        if len(values) not in (1, dataset.channels):
            raise InputError(
                f"datasets.{snakemake.wildcards.dataset}.normalize.{key}: {len(values)} values for"
                f" {dataset.channels} channel(s); give one for each channel, or one for all"
            )
    architecture = network.pop("architecture")
    spec = NetworkSpec(
        architecture=architecture,
        channels=dataset.channels,
        image_size=dataset.image_size,
        classes=len(dataset.classes),
        width=network.pop("width"),
        options=network,
    )
    drawn = initialise(spec, seed)
    if architecture.startswith(PRETRAINED):
        put_pretrained(drawn, architecture.removeprefix(PRETRAINED))
    model = NormalisedInput(drawn, **config["normalize"])
    save_model(snakemake.output.model, model, spec, config["normalize"], seed=seed)


def put_pretrained(network: Classifier, architecture: str) -> None:
    """Put ImageNet weights in place of the drawn ones, except in the last layer."""
    configured = [Path(path) for path in snakemake.input.weights]
    folders = [Path(snakemake.params.data_dir), Path(torch.hub.get_dir(), "checkpoints")]
    path = configured[0] if configured else FIND_WEIGHTS.load()(architecture, folders)
    LOAD_PRETRAINED.load()(network, architecture, path)


with job(snakemake.log[0], snakemake.threads):
    main()
