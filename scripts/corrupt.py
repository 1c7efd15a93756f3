"""Write corrupted copies of test images, every corruption at every severity."""

import json

from minimascope.data.corrupted import corrupt_split, save_corrupted
from minimascope.data.prepared import load_dataset
from minimascope.jobs import job


def main() -> None:
    spec = json.loads(snakemake.params.spec)
    dataset, data_hash = load_dataset(snakemake.input.data)
    corrupted = corrupt_split(
        dataset.test,
        spec["names"],
        spec["severities"],
        spec["samples"],
        stream=snakemake.wildcards.dataset,
    )
    save_corrupted(snakemake.output.data, corrupted, data=data_hash)


with job(snakemake.log[0], snakemake.threads):
    main()
