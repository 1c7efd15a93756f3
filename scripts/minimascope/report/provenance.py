"""Where the numbers of a study come from: jobs with their seconds and devices, data, packages."""

from collections.abc import Mapping
from importlib.metadata import version
from platform import platform, python_version

import pandas as pd

from ..errors import InputError

PACKAGES = (
    *("snakemake", "torch", "torchvision", "torchaudio"),
    *("numpy", "scipy", "statsmodels"),
)


def jobs_table(records: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what the jobs of each rule took, the rule that took longest first.

    Args:
        records: what Snakemake recorded of each job (columns ``s``, seconds from start to end,
            and ``max_rss``, megabytes, or ``-`` where the job was too short to be looked at), by
            ``<rule>/<wildcards>.tsv``.

    Raises:
        InputError: a record has no seconds; names it.
    """
    rows = []
    for name, record in records.items():
        if "s" not in record or record.empty:
            raise InputError(f"benchmarks/{name}: no record of a job; delete it, nothing needs it")
        last = record.iloc[-1]
        rows.append((name.partition("/")[0], float(last["s"]), last.get("max_rss")))
    jobs = pd.DataFrame(rows, columns=["Rule", "seconds", "memory"])
    jobs["memory"] = pd.to_numeric(jobs["memory"], errors="coerce")
    totals = {
        "Jobs": ("seconds", "size"),
        "Seconds": ("seconds", "sum"),
        "Longest (s)": ("seconds", "max"),
        "Memory (MB)": ("memory", "max"),
    }
    found = jobs.groupby("Rule").agg(**totals)
    return found.sort_values("Seconds", ascending=False).round(1)


def provenance_tables(documents: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return tables of devices, data and packages, by their titles.

    Args:
        documents: rows of `analysis.collect.provenance`.
    """
    groups = documents.groupby(["family", "device"])["seconds"]
    devices = pd.DataFrame({"Documents": groups.size(), "Seconds": groups.sum().round(1)})
    data = documents.groupby("dataset")["data"].unique().map(", ".join)
    versions = {"platform": platform(), "Python": python_version()}
    versions |= {name: version(name) for name in PACKAGES}
    return {
        "Devices": devices.rename_axis(["Measured", "Device"]).reset_index().set_index("Measured"),
        "Data": data.rename_axis("Data set").to_frame("SHA-256 of the prepared samples"),
        "Packages": pd.Series(versions).rename_axis("Package").to_frame("Version"),
    }
