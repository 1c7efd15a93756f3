"""Write copies of test images under one corruption, at every severity."""

import json
from pathlib import Path

from minimascope.data.corruptions.copies import CorruptionRequest, save_corrupted
from minimascope.data.prepared import load_dataset
from minimascope.jobs.job import job
from minimascope.registry import CORRUPTED_SETS


def main() -> None:
    spec, wildcards = json.loads(snakemake.params.spec), snakemake.wildcards
    dataset, data_hash = load_dataset(snakemake.input.data)
    request = CorruptionRequest(
        wildcards.corruption, tuple(spec["severities"]), spec["samples"], wildcards.dataset
    )
    # The official archive, where there is one.
    raw = [Path(path) for path in snakemake.input.raw]
    corrupted = CORRUPTED_SETS[spec["set"]].load()(request, dataset, *raw)
    save_corrupted(snakemake.output.data, corrupted, data=data_hash)


with job(snakemake):
    main()
