"""Analyse the printed models of acoustic scenes as a study's own."""

import io
import json

import pandas as pd

from minimascope.analysis.correlation_tables import (
    comparison_table,
    correlation_tables,
    share_tables,
    stability_sentence,
    to_html,
    to_markdown,
)
from minimascope.analysis.correlations import correlations
from minimascope.analysis.model_table import accuracies_of
from minimascope.analysis.scenes_in_print import (
    as_expected,
    compare_with_expected,
    printed_domains,
    printed_models,
    printed_pair_values,
)
from minimascope.analysis.stability import MEASURE, order_stability, stability
from minimascope.analysis.trends import CONDITION, trends
from minimascope.analysis.variance import variance_shares
from minimascope.files import write_text
from minimascope.jobs import job


def main() -> None:
    spec = json.loads(snakemake.params.spec)
    printed, expected = (pd.read_csv(io.StringIO(spec[key])) for key in ("models", "expected"))
    models = printed_models(printed)
    accuracies = accuracies_of(models)
    found, shares = correlations(models, [MEASURE], accuracies), variance_shares(models, [MEASURE])
    values = printed_pair_values(models)
    means = models.groupby(CONDITION, as_index=False, sort=False)[[MEASURE, *accuracies]].mean()
    tables = {
        "comparison": compare_with_expected(as_expected(found, shares), expected),
        "models": models,
        "correlations": found,
        "trends": trends(means, [MEASURE], accuracies),
        "trend_points": means,
        "variance_shares": shares,
        "stability": stability(values),
        "stability_order": order_stability(values),
        "domains": printed_domains(printed),
    }
    for name, table in tables.items():
        write_text(snakemake.output[name], table.to_csv(index=False))
    readable = [
        comparison_table(tables["comparison"]),
        *correlation_tables(found),
        *share_tables(shares),
    ]
    sentence = stability_sentence(tables["stability"])
    write_text(snakemake.output.markdown, to_markdown(readable, sentence))
    write_text(snakemake.output.html, to_html(readable, sentence))


with job(snakemake):
    main()
