"""Draw one figure of one network on one data set from the tables it is made of."""

import pandas as pd

from minimascope.files import write_text
from minimascope.jobs import job
from minimascope.plots.style import save_svg
from minimascope.registry import FIGURES


def main() -> None:
    wildcards = snakemake.wildcards
    frames = {name: pd.read_csv(path) for name, path in snakemake.input.items()}
    figure = FIGURES[wildcards.figure].load()(
        **frames, dataset=wildcards.dataset, network=wildcards.network
    )
    write_text(snakemake.output.figure, save_svg(figure).decode())


with job(snakemake):
    main()
