"""Tell how far sharpness depends on the random directions that landscapes are cut along."""

import json

from minimascope.analysis.stability import order_stability, pair_values, stability
from minimascope.files import read_json, write_text
from minimascope.jobs import job


def main() -> None:
    values = pair_values({path: read_json(path) for path in snakemake.input.documents})
    threshold = json.loads(snakemake.params.spec)["threshold"]
    write_text(snakemake.output.stability, stability(values, threshold).to_csv(index=False))
    write_text(snakemake.output.stability_order, order_stability(values).to_csv(index=False))


with job(snakemake):
    main()
