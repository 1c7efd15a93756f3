"""Slopes of evaluations along sharpness, within networks and over all, and orders of measures."""

import pandas as pd

from minimascope.analysis.measure_names import measures_of
from minimascope.analysis.model_table import model_table
from minimascope.analysis.tables import at_minima
from minimascope.analysis.trends import condition_means, rank_agreement, trends
from minimascope.analysis.trends_tables import to_html, to_markdown
from minimascope.files import write_text
from minimascope.jobs import job


def main() -> None:
    summary, measures, conditions = (
        pd.read_csv(snakemake.input[name]) for name in ("summary", "measures", "conditions")
    )
    means, models = condition_means(summary), model_table(measures, conditions)
    minima = at_minima(summary)
    sharpness, evaluations = (
        list(measures_of(minima, kind)) for kind in ("sharpness", "evaluation")
    )
    found = trends(means, sharpness, evaluations)
    order = rank_agreement(means, models, [*sharpness, *evaluations])
    output = snakemake.output
    write_text(output.table, found.to_csv(index=False))
    write_text(output.points, means.to_csv(index=False))
    write_text(output.order, order.to_csv(index=False))
    write_text(output.markdown, to_markdown(found, order))
    write_text(output.html, to_html(found, order))


with job(snakemake):
    main()
