"""Write copies of test images under one corruption, at every severity."""

from pathlib import Path

from minimascope.data.corruptions.copies import CorruptionRequest, save_corrupted
from minimascope.data.prepared import load_dataset
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.registry import CORRUPTED_SETS

with job(snakemake):
    spec, wildcards = settings(snakemake.params)["corruptions"], snakemake.wildcards
    dataset, data_hash = load_dataset(snakemake.input.data)
    request = CorruptionRequest(
        wildcards.corruption, tuple(spec["severities"]), spec["samples"], wildcards.dataset
    )
    # The official archive, where there is one.
    raw = map(Path, snakemake.input.raw)
    corrupted = CORRUPTED_SETS[spec["set"]].load()(request, dataset, *raw)
    save_corrupted(snakemake.output.data, corrupted, data=data_hash)
