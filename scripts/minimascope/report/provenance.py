"""Where the numbers of a study come from: jobs with their seconds and devices, data, packages."""

import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from platform import machine, platform, python_version

import pandas as pd

from .. import __version__
from ..errors import InputError

PACKAGES = (
    *("snakemake", "torch", "torchvision", "torchaudio"),
    *("numpy", "scipy", "statsmodels"),
)
# Snakemake looks at a job now and then: what it takes after the last look is not counted.
PROCESSOR = "Processor (s), at least"
CPU_INFO = Path("/proc/cpuinfo")


def made_with(checkout: Path, jobs: pd.DataFrame) -> pd.DataFrame:
    """Return what made a report: version, commit, date, processor and the time of all jobs.

    Args:
        checkout: the folder of the workflow.
        jobs: of `jobs_table`.
    """
    found = {
        "minimascope": __version__,
        "Commit": commit(checkout) or "unknown (no git repository)",
        "Report made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "Processor": f"{processor()}, {os.cpu_count()} cores",
        "Time of all jobs": f"{jobs['Seconds'].sum():.0f} s",
        "Processor time of all jobs": f"at least {jobs[PROCESSOR].sum():.0f} s",
    }
    return pd.Series(found).rename_axis("This report").to_frame("")


def commit(checkout: Path) -> str | None:
    """Return the commit of a checkout, and whether files of it were changed; None without git."""
    if not (checkout / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(checkout), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + (", with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def processor() -> str:
    """Return the name of this machine's processor."""
    lines = CPU_INFO.read_text().splitlines() if CPU_INFO.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else machine()


def jobs_table(records: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what the jobs of each rule took, the rule that took longest first.

    Args:
        records: what Snakemake recorded of each job (columns ``s``, seconds from start to end,
            ``max_rss``, megabytes, and ``cpu_time``, seconds of processors, both ``-`` where the
            job was too short to be looked at), by ``<rule>/<wildcards>.tsv``.

    Raises:
        InputError: a record has no seconds; names it.
    """
    rows = []
    for name, record in records.items():
        if "s" not in record or record.empty:
            raise InputError(f"benchmarks/{name}: no record of a job; delete it, nothing needs it")
        last = record.iloc[-1]
        counts = (last.get("cpu_time"), last.get("max_rss"))
        rows.append((name.partition("/")[0], float(last["s"]), *counts))
    jobs = pd.DataFrame(rows, columns=["Rule", "seconds", "processor", "memory"])
    for column in ("processor", "memory"):
        jobs[column] = pd.to_numeric(jobs[column], errors="coerce")
    totals = {
        "Jobs": ("seconds", "size"),
        "Seconds": ("seconds", "sum"),
        PROCESSOR: ("processor", "sum"),
        "Longest (s)": ("seconds", "max"),
        "Memory (MB)": ("memory", "max"),
    }
    found = jobs.groupby("Rule").agg(**totals)
    return found.sort_values("Seconds", ascending=False).round(1)


def provenance_tables(documents: pd.DataFrame, networks: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return tables of devices, networks, data and packages, by their titles.

    Args:
        documents: rows of `analysis.collect.provenance`.
        networks: rows of `analysis.collect.network_table`.
    """
    titles = ["Data set", "Network", "Norm", "Parameters", "Weight layers"]
    sizes = networks.set_axis(titles, axis="columns").set_index("Data set")
    sizes["Norm"] = sizes["Norm"].fillna("–")
    sizes["Parameters"] = sizes["Parameters"].map("{:,}".format)
    groups = documents.groupby(["family", "device"])["seconds"]
    devices = pd.DataFrame({"Documents": groups.size(), "Seconds": groups.sum().round(1)})
    data = documents.groupby("dataset")["data"].unique().map(", ".join)
    versions = {"platform": platform(), "Python": python_version()}
    versions |= {name: version(name) for name in PACKAGES}
    return {
        "Devices": devices.rename_axis(["Measured", "Device"]).reset_index().set_index("Measured"),
        "Networks": sizes,
        "Data": data.rename_axis("Data set").to_frame("SHA-256 of the prepared samples"),
        "Packages": pd.Series(versions).rename_axis("Package").to_frame("Version"),
    }
