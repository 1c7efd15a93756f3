"""Gather the curves, surfaces or spectra of all runs in one tidy table."""

from minimascope.analysis.curves import CURVES, gather
from minimascope.files import read_json, write_text
from minimascope.jobs import job
from minimascope.npz import read_npz
from minimascope.progress import progress


def main() -> None:
    pairs = list(zip(snakemake.input.measures, snakemake.input.arrays, strict=True))
    shown = progress(pairs, "gathering", "file")
    files = ((read_json(document), read_npz(arrays)) for document, arrays in shown)
    table = gather(files, CURVES[snakemake.wildcards.curves])
    write_text(snakemake.output.table, table.to_csv(index=False))


with job(snakemake):
    main()
