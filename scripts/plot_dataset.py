"""Draw one figure of all networks on one data set from the tables it is made of."""

import json

import pandas as pd

from minimascope.files import write_text
from minimascope.jobs import job
from minimascope.plots.style import save_svg
from minimascope.registry import DATASET_FIGURES


def main() -> None:
    frames = {name: pd.read_csv(path) for name, path in snakemake.input.items()}
    plot = DATASET_FIGURES[snakemake.wildcards.figure].load()
    figure = plot(**frames, dataset=json.loads(snakemake.params.spec)["dataset"])
    write_text(snakemake.output.figure, save_svg(figure).decode())


with job(snakemake):
    main()
