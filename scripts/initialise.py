"""Draw the initial weights that all conditions of a seed start from."""

from pathlib import Path

from minimascope.data.prepared import load_dataset
from minimascope.initial_weights import save_initial
from minimascope.jobs.job import job
from minimascope.jobs.params import settings

with job(snakemake):
    spec = settings(snakemake.params)
    dataset, _ = load_dataset(snakemake.input.data)
    save_initial(
        snakemake.output.model,
        dataset,
        snakemake.wildcards.dataset,
        spec["network"],
        spec["normalize"],
        seed=int(snakemake.wildcards.seed),
        weights=Path(*snakemake.input.weights) if snakemake.input.weights else None,
        data_dir=spec["data_dir"],
    )
