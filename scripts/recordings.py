"""List the recordings of a source: what each is of, and which split and domain it belongs to."""

import json
from pathlib import Path

from minimascope.data.recordings import write_recordings
from minimascope.jobs.job import job
from minimascope.registry import SOURCES


def main() -> None:
    spec = json.loads(snakemake.params.spec)
    folder = Path(*snakemake.input.scenes or [spec["data_dir"]])
    recordings = SOURCES[spec["source"]].load()(folder, **spec["options"])
    write_recordings(snakemake.output.table, recordings)
    print(f"{len(recordings)} recordings")


with job(snakemake):
    main()
