"""Compare the predictions of all pairs of models of each network on each data set."""

from minimascope.evaluation.pairs import compare_models
from minimascope.evaluation.predictions import load_predictions
from minimascope.io import write_text
from minimascope.jobs import job


def main() -> None:
    models = [load_predictions(path) for path in snakemake.input.predictions]
    write_text(snakemake.output.table, compare_models(models).to_csv(index=False))


with job(snakemake):
    main()
