"""Draw the initial weights that all conditions of a seed start from."""

import json

from minimascope.data.prepared import load_dataset
from minimascope.errors import InputError
from minimascope.jobs import job
from minimascope.models import save_model
from minimascope.networks import NetworkSpec, initialise
from minimascope.networks.normalised import NormalisedInput


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
    spec = NetworkSpec(
        architecture=network.pop("architecture"),
        channels=dataset.channels,
        image_size=dataset.image_size,
        classes=len(dataset.classes),
        width=network.pop("width"),
        options=network,
    )
    model = NormalisedInput(initialise(spec, seed), **config["normalize"])
    save_model(snakemake.output.model, model, spec, config["normalize"], seed=seed)


with job(snakemake.log[0], snakemake.threads):
    main()
