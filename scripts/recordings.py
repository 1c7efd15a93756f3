"""List the recordings of a source: its label, split and domain."""

from pathlib import Path

from minimascope.data.recordings import write_recordings
from minimascope.jobs.job import job
from minimascope.jobs.params import settings
from minimascope.registry import find

with job(snakemake):
    spec = settings(snakemake.params)
    read = find("sources", spec["source"].pop("source")).load()
    if snakemake.input.scenes:
        # The options say what was generated, not how that is read.
        recordings = read(Path(*snakemake.input.scenes))
    else:
        recordings = read(Path(spec["data_dir"]), **spec["source"])
    write_recordings(snakemake.output.table, recordings)
    print(f"{len(recordings)} recordings")
