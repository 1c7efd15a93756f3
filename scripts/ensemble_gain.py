"""Set the gain of ensembles against diversity and sharpness of their members."""

import pandas as pd

from minimascope.analysis.correlation_tables import to_html, to_markdown
from minimascope.analysis.ensemble_gain import gain_correlations, gains_table
from minimascope.analysis.ensemble_tables import ensemble_tables, gain_correlation_tables
from minimascope.files import write_text
from minimascope.jobs import job


def main() -> None:
    ensembles = pd.read_csv(snakemake.input.ensembles)
    summary = pd.read_csv(snakemake.input.summary)
    found = gain_correlations(ensembles, summary)
    tables = ensemble_tables(ensembles, gains_table(ensembles, summary))
    tables += gain_correlation_tables(found)
    output = snakemake.output
    write_text(output.table, found.to_csv(index=False))
    write_text(output.markdown, to_markdown(tables))
    write_text(output.html, to_html(tables))


with job(snakemake):
    main()
