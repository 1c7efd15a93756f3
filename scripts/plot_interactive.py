"""Draw the landscapes of one network on one data set as a page that a reader can turn."""

import pandas as pd

from minimascope.files import write_text
from minimascope.jobs.job import job
from minimascope.plots.interactive import page


def main() -> None:
    landscape = pd.read_csv(snakemake.input.landscape)
    wildcards = snakemake.wildcards
    write_text(snakemake.output.page, page(landscape, wildcards.dataset, wildcards.network))


with job(snakemake):
    main()
