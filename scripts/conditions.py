"""Write what each condition of the study is, as a table."""

import json

import pandas as pd

from minimascope.files import write_text
from minimascope.jobs import job

NAMES = ["dataset", "network", "condition", "control"]


def main() -> None:
    table = pd.DataFrame(json.loads(snakemake.params.spec)["rows"])
    settings = table.columns.difference(NAMES)
    write_text(snakemake.output.table, table[[*NAMES, *settings]].to_csv(index=False))


with job(snakemake):
    main()
