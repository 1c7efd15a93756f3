"""Read a source and write the data set in the one prepared format."""

from minimascope.data.own_source import as_dataset
from minimascope.data.part import part_of
from minimascope.data.prepared import save_dataset
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.registry import find

with job(snakemake):
    spec = settings(snakemake.params)
    source = spec["source"].pop("source")
    component = find("sources", source)
    read = component.call({"data_dir": spec["data_dir"]}, **spec["source"])
    dataset = part_of(as_dataset(read, component.location), **spec["part"])
    save_dataset(snakemake.output.data, dataset, source=source)
    print(f"{len(dataset.train)} training and {len(dataset.test)} test inputs")
