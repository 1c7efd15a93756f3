"""Read a source and write its test split as a further test set of a data set."""

from minimascope.data.other_sets import other_set, save_other_set
from minimascope.data.own_source import as_dataset
from minimascope.data.part import part_of
from minimascope.data.prepared import load_dataset
from minimascope.errors import InputError
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.registry import TEST_ALONE, find

with job(snakemake):
    spec, place = settings(snakemake.params), snakemake.wildcards
    source = spec["source"].pop("source")
    component = TEST_ALONE.get(source) or find("sources", source)
    trained, _ = load_dataset(snakemake.input.data)
    try:
        read = component.call({"data_dir": spec["data_dir"]}, **spec["source"])
        found = part_of(as_dataset(read, component.location), **spec["part"])
        found = other_set(place.kind, place.other, found, trained)
    except InputError as error:
        where = f"datasets.{place.dataset}.{place.kind}.{place.other}"
        raise InputError(f"{where}: {error}") from None
    save_other_set(snakemake.output.data, found)
    print(f"{len(found.labels)} test inputs")
