"""Mean and standard error over seeds: the summary, and the papers' table in four formats."""

import pandas as pd

from minimascope.analysis.tables import (
    each_network,
    main_table,
    sharpness_table,
    summarise,
    to_html,
    to_latex,
    to_markdown,
)
from minimascope.files import write_text
from minimascope.jobs import job


def main() -> None:
    measures = pd.read_csv(snakemake.input.measures)
    summary = summarise(measures, pd.read_csv(snakemake.input.disagreement))
    tables = each_network(main_table, summary)
    sharpness = each_network(sharpness_table, summary)
    output = snakemake.output
    write_text(output.summary, summary.to_csv(index=False))
    write_text(output.main, pd.concat(tables, names=["dataset", "network"]).to_csv())
    write_text(output.markdown, "\n".join(map(to_markdown, tables.values())))
    write_text(output.latex, "\n".join(map(to_latex, tables.values())))
    write_text(output.html, to_html(tables.values()))
    write_text(output.sharpness, pd.concat(sharpness, names=["dataset", "network"]).to_csv())
    write_text(output.sharpness_markdown, "\n".join(map(to_markdown, sharpness.values())))
    write_text(output.sharpness_html, to_html(sharpness.values()))


with job(snakemake):
    main()
