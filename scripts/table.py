"""Make tables of other tables, and what readers see of them."""

import json
from pathlib import Path

import pandas as pd

from minimascope.analysis.render import RENDERERS
from minimascope.files import write_text
from minimascope.jobs.job import job
from minimascope.registry import TABLES, load


def main() -> None:
    spec = json.loads(snakemake.params.spec)
    table = TABLES[spec["table"]]
    paths = {**snakemake.input, **snakemake.output}
    found = table.load()(
        *(pd.read_csv(paths[name]) for name in table.needs),
        # As text, which tells how many digits are printed.
        *(pd.read_csv(path, dtype=str, keep_default_na=False) for path in printed(table.printed)),
        **spec["settings"],
    )
    frames = found if isinstance(found, tuple) else (found,)
    for name, frame in zip(table.gives, frames, strict=True):
        write_text(paths[name], frame.to_csv(index=False))
    if table.text:
        # From the files, as the report shows them.
        text = load(table.text)(*(pd.read_csv(paths[name]) for name in table.shows))
        for name in table.formats:
            write_text(paths[name], RENDERERS[name](text))


def printed(names: tuple[str, ...]) -> list[Path]:
    """The files of tables in print.

    They are no input files, whose paths would change with the checkout and rerun the job; the
    specification has their hashes instead.
    """
    folder = Path(snakemake.scriptdir).parent / "resources" / "print"
    return [folder / f"{name}.csv" for name in names]


with job(snakemake):
    main()
