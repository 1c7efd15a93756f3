"""Set sharpness against evaluations over all models: correlations and shares of variance."""

import json

import pandas as pd

from minimascope.analysis.correlation_tables import (
    correlation_tables,
    share_tables,
    to_html,
    to_markdown,
)
from minimascope.analysis.correlations import correlations
from minimascope.analysis.model_table import evaluations_of, model_table, sharpness_of
from minimascope.analysis.variance import variance_shares
from minimascope.files import write_text
from minimascope.jobs import job


def main() -> None:
    measures = pd.read_csv(snakemake.input.measures)
    models = model_table(measures, pd.read_csv(snakemake.input.conditions))
    sharpness = sharpness_of(measures)
    minimum = json.loads(snakemake.params.spec)["minimum_train_accuracy"]
    evaluations = evaluations_of(measures)
    found = correlations(models, sharpness, evaluations, minimum_train_accuracy=minimum)
    shares = variance_shares(models, sharpness, minimum_train_accuracy=minimum)
    tables = [*correlation_tables(found), *share_tables(shares)]
    output = snakemake.output
    write_text(output.models, models.to_csv(index=False))
    write_text(output.correlations, found.to_csv(index=False))
    write_text(output.variance_shares, shares.to_csv(index=False))
    write_text(output.markdown, to_markdown(tables))
    write_text(output.html, to_html(tables))


with job(snakemake):
    main()
