# What all stages share: the checked study, where files go, and what a job depends on.
import csv
import fcntl
import math
import os
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from snakemake.logging import logger

# Not the folder of the Snakefile that was started, which may be one that uses this as a module.
BASE = Path(str(workflow.current_basedir)).parent
sys.path.insert(0, str(BASE / "scripts"))

from minimascope.canonical import canonical_json
from minimascope.jobs.code_version import code_version
from minimascope.jobs.killed import KilledJobs
from minimascope.study.conditions import condition_rows
from minimascope.data.corruptions.severities import CORRUPTIONS
from minimascope.data.download import space_for_downloads
from minimascope.data.official import OFFICIAL, official_file
from minimascope.disk import check_folder
from minimascope.errors import InputError
from minimascope.study.ownership import claim
from minimascope.registry import (
    ALL_FIGURES,
    AVERAGES,
    CORRUPTED_SETS,
    DATASET_FIGURES,
    FIGURES,
    FIND_WEIGHTS,
    GATHERED,
    INITIAL,
    NETWORKS,
    OPTIMIZERS,
    PRETRAINED,
    PRINTED_FIGURES,
    PRINTED_SCENES,
    SCENES,
    SHARPNESS,
    SOURCES,
    STUDY_FIGURES,
    TABLES,
    WITHOUT_FILES,
    Table,
)
from minimascope.study.loading import load_study
from minimascope.study.study import Study
from minimascope.study.file import read_study_file

RUNNING: list = []


def checked_study() -> Study:
    """The study, or one line about the first fault of its configuration."""
    try:
        # Jobs read what the run has checked, and what uses this as a module has files of its own.
        if workflow.is_main_process and workflow.modifier.is_main_snakefile():
            for path in workflow.configfiles:
                read_study_file(path)
        return load_study(config, BASE / "resources" / "config.schema.yaml")
    except InputError as error:
        raise SystemExit(f"error in the configuration: {error}") from None


def check_writable(*folders: str) -> None:
    """End with one line if nothing can be written to one of these folders."""
    try:
        for folder in folders:
            check_folder(folder)
    except InputError as error:
        raise SystemExit(f"error: {error}") from None


def check_braces(checkout: Path) -> None:
    """End with one line if Snakemake would take a part of the workflow's own path for a wildcard."""
    if set("{}") & set(str(checkout)):
        raise SystemExit(
            f"error: checkout: {checkout} has braces, which Snakemake takes for a wildcard; use a"
            " folder without"
        )


# Another workflow that uses this one as a module has a screen of its own.
if workflow.modifier.is_main_snakefile():
    logger.addHandler(KilledJobs())
# Snakemake keeps its own records here, and would end with a traceback.
check_writable(".")
STUDY = checked_study()
IN_PRINT = BASE / "resources" / "print"
with open(IN_PRINT / "deep_models.csv", encoding="utf-8") as stream:
    PRINTED_NETWORKS = {
        (row["dataset"], row["architecture"], row["pretrained"])
        for row in csv.DictReader(stream)
    }
DATA_DIR = str(Path(STUDY.config["data_dir"]))
check_braces(BASE)
RUN = "{dataset}/{network}/{condition}/seed{seed}"
# The end of a file's name says which view of the data it is about; nothing for clean images.
VIEW = "(-augmented)?"


def results(path: str) -> str:
    """A path in the study's own part of the results."""
    return f"results/{STUDY.name}/{path}"


def in_print(path: str) -> str:
    """A path among the results that no study decides."""
    return f"results/print/{path}"


def place_of(table: Table) -> Callable[[str], str]:
    """Where a table lies: among the study's results, or among those that no study decides."""
    return in_print if table.of_print_alone else results


def digest(path: Path) -> str:
    """A hash of a file that is part of the workflow.

    As an input file its path would change with the checkout, and rerun the job.
    """
    return sha256(path.read_bytes()).hexdigest()


def begin_run() -> None:
    """Stop a run that could not, or may not, write its results; let `make unlock` know of others."""
    check_writable(results(""))
    claim_results()
    announce_downloads()
    # Held open, and so locked, as long as this process lives, however it ends.
    RUNNING.append(open(".snakemake/running", "w"))
    # Some network disks have no such locks; there `make unlock` declines to judge.
    with suppress(OSError):
        fcntl.flock(RUNNING[-1], fcntl.LOCK_SH)


def log_of(rule: str, wildcards: str = "all") -> str:
    """The log of a rule, with the wildcards of its output."""
    return results(f"logs/{rule}/{wildcards}.log")


def benchmark_of(rule: str, wildcards: str = "all") -> str:
    """The benchmark (seconds, memory) of a rule, with the wildcards of its output."""
    return results(f"benchmarks/{rule}/{wildcards}.tsv")


def growing(amount: int) -> Callable[..., int]:
    """Minutes or megabytes that a job asks a cluster for: more each time it is tried again."""
    return lambda wildcards, attempt: amount * attempt


def one_of(names: Iterable[str]) -> str:
    """A wildcard constraint: one of these names and no other text; nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def job_spec(rule: str, *components: str, **settings) -> str:
    """All that a job depends on besides its input files, as one canonical text.

    Snakemake compares parameters as text: sorted keys keep a reordered configuration from
    rerunning anything, and the version of the code makes a change of the library do so.
    """
    version = code_version(BASE / "scripts" / f"{rule}.py", *components)
    return canonical_json({"code": version, **settings})


def every_run(pattern: str, **chosen) -> list[str]:
    """The paths of all runs (data set × network × condition × seed) of the study."""
    return every_pair(pattern, condition=STUDY.conditions, seed=STUDY.seeds, **chosen)


def every_pair(
    pattern: str, datasets: Iterable[str] = STUDY.config["datasets"], **wildcards
) -> list[str]:
    """The paths of all networks on these data sets, with all values of further wildcards."""
    return [
        path
        for dataset, network in STUDY.pairs
        if dataset in datasets
        for path in expand(pattern, dataset=dataset, network=network, **wildcards)
    ]


def every_measured(
    pattern: str, conditions: Iterable[str] = STUDY.measured
) -> list[str]:
    """The paths of all that sharpness is measured of: runs, initial weights, views of the data."""
    return [
        path
        for dataset, network in STUDY.pairs
        for condition in conditions
        for view in STUDY.views(dataset, condition)
        for path in expand(
            pattern,
            dataset=dataset,
            network=network,
            condition=condition,
            seed=STUDY.seeds,
            view="" if view == "clean" else f"-{view}",
        )
    ]
