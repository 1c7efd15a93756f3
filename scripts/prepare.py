"""Read a source and write the data set in the one prepared format."""

import json

from minimascope.data.part import part_of
from minimascope.data.prepared import save_dataset
from minimascope.jobs.job import job
from minimascope.registry import SOURCES


def main() -> None:
    spec = json.loads(snakemake.params.spec)
    dataset = SOURCES[spec["source"]].load()(spec["data_dir"], **spec["options"])
    dataset = part_of(dataset, **spec["part"])
    save_dataset(snakemake.output.data, dataset, source=spec["source"])
    print(f"{len(dataset.train)} training and {len(dataset.test)} test inputs")


with job(snakemake):
    main()
