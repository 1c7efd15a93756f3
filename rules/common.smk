# Shared by all stages: the checked study, where files go, and what a job depends on.
import fcntl
import math
import os
import re
import shlex
import site
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from snakemake.logging import logger

# Not the folder of the Snakefile that was started, which may be one that uses this as a module.
BASE = Path(str(workflow.current_basedir)).parent
sys.path.insert(0, str(BASE / "scripts"))

from minimascope import registry, tables_and_figures
from minimascope.canonical import canonical_json
from minimascope.components import IMAGES, RECORDINGS, Component
from minimascope.data.corruptions.kinds import KINDS_OF
from minimascope.data.download import space_for_downloads
from minimascope.data.other_kinds import KINDS
from minimascope.data.official import OFFICIAL, official_file
from minimascope.data.raw_files import folder_state, picture_stamps, recording_stamps
from minimascope.disk import check_folder
from minimascope.errors import InputError
from minimascope.files import write_text
from minimascope.jobs.code_version import code_version, version_of
from minimascope.jobs.estimate import forecast
from minimascope.jobs.job import PARTS
from minimascope.jobs.killed import KilledJobs
from minimascope.jobs.minutes import sharpness_minutes
from minimascope.jobs.params import named_text
from minimascope.jobs.screen import Shown, show
from minimascope.report.contents import (
    TABLES_OF_FACTS,
    Section,
    as_rst,
    contents_of,
    sections,
)
from minimascope.study import between, moments, products
from minimascope.study.conditions import condition_rows
from minimascope.study.corruptions import (
    corrupted_set,
    corruption_kinds,
    corruption_spec,
)
from minimascope.study.file import read_study_file, with_values_of
from minimascope.study.loading import load_study
from minimascope.study.other_sets import other_part
from minimascope.study.ownership import claim
from minimascope.study.published import compared_kinds
from minimascope.study.raw_data import official_paths
from minimascope.study.signatures import docstring
from minimascope.study.sizes import known_size
from minimascope.study.starts import RESULTS, network_start, placed, training_start
from minimascope.study.study import OWN_SECTIONS, SHARED, USUAL_LOSS
from minimascope.study.toys import toy_jobs, toys_of

# The wildcards of each of several jobs.
Cases = list[dict[str, Any]]
# Files that are held open, and so locked, as long as this process lives, however it ends.
HELD_OPEN = []


@contextmanager
def told_in_one_line(place: str = "error") -> Iterator[None]:
    """End the run with one line for a user's mistake in the block."""
    try:
        yield
    except InputError as error:
        raise SystemExit(f"{place}: {error}") from None


with told_in_one_line():
    # Snakemake keeps its own records here, and would end with a traceback.
    check_folder(".")
with told_in_one_line("error in the configuration"):
    # Jobs read what the run has checked, and what uses this as a module has files of its own.
    if workflow.modifier.is_main_snakefile():
        for path in workflow.configfiles if workflow.is_main_process else ():
            read_study_file(path)
        config = with_values_of(config, workflow.config_settings.config or {})
    # Where a study is no file of its own, as in a module, its own parts are sought from here.
    first = workflow.configfiles[:1] if workflow.modifier.is_main_snakefile() else []
    folder = Path(*first).absolute().parent if first else Path.cwd()
    STUDY = load_study(config, BASE / "resources" / "config.schema.yaml", folder)
# Jobs find the file here. Snakemake compares no configuration, so another place reruns nothing.
config[PARTS] = STUDY.parts and str(STUDY.parts)
if set("{}") & set(str(BASE)):
    raise SystemExit(
        f"error: checkout: {BASE} has braces, which Snakemake takes for a wildcard; use a folder"
        " without"
    )
# Snakemake puts the path of Python into the commands of jobs as it is.
if os.path.exists(sys.executable):
    sys.executable = shlex.quote(sys.executable)
for folder in (*site.getsitepackages(), site.getusersitepackages()):
    # Snakemake puts the scripts' own folder behind these.
    if folder in sys.path and Path(folder, "minimascope").is_dir():
        raise SystemExit(
            f"error: {folder}: jobs would import the minimascope that is installed there, instead of"
            " this checkout's; use an environment without it"
        )
PUBLISHED = BASE / "resources" / "published"
DATA_DIR = str(Path(STUDY.config["data_dir"]))
CONDITION = "{dataset}/{network}/{condition}"
RUN = f"{CONDITION}/seed{{seed}}"
# The end of a file's name says which view of the data it is about; nothing for clean images.
VIEW = "(-augmented)?"


def results(path: str) -> str:
    """A path in the study's own part of the results."""
    return f"results/{STUDY.name}/{path}"


def published(path: str) -> str:
    """A path among the results that no study decides."""
    return f"results/published/{path}"


def log_of(rule: str, wildcards: str = "all") -> str:
    """The log of a rule, with the wildcards of its output."""
    return results(f"logs/{rule}/{wildcards}.log")


def benchmark_of(rule: str, wildcards: str = "all") -> str:
    """The benchmark (seconds, memory) of a rule, with the wildcards of its output."""
    return results(f"benchmarks/{rule}/{wildcards}.tsv")


# Another workflow that uses this one as a module has a screen of its own.
if workflow.modifier.is_main_snakefile():
    # Where the Makefile calls Snakemake; whoever calls it sees what Snakemake shows.
    if "MINIMASCOPE_SCREEN" in os.environ and workflow.is_main_process:
        main_tables = [results(f"tables/{name}.md") for name in ("main", "toy_fits")]
        time = partial(forecast, STUDY)
        show(workflow, Shown(STUDY.name, main_tables, results("report.html"), time))
    logger.addHandler(KilledJobs())


def growing(**amounts: int) -> dict[str, Callable]:
    """Minutes and megabytes that a job asks a cluster for: more each time it is tried again."""
    return {
        name: lambda wildcards, attempt, amount=amount: amount * attempt
        for name, amount in amounts.items()
    }


def one_of(names: Iterable[str]) -> str:
    """A wildcard constraint: one of these names and no other text; nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def named(**values) -> dict[str, Callable]:
    """Params of these names, from values or functions of wildcards: what a job depends on.

    Snakemake compares the texts of params without their names, so each has its name inside.
    """
    return {
        name: lambda wildcards, name=name, value=value: named_text(
            name, value(wildcards) if callable(value) else value
        )
        for name, value in values.items()
    }


def digest(content: bytes) -> str:
    """A hash of what is too long for a param."""
    return sha256(content).hexdigest()


def code(script: str, components: Callable = lambda wildcards: ()) -> Callable:
    """The version of a script and of what it finds through a registry, for jobs of a rule."""
    path = BASE / "scripts" / f"{script}.py"
    return lambda wildcards: code_version(path, *components(wildcards), parts=STUDY.parts)


def every(**values: Iterable) -> Cases:
    """Wildcards with all combinations of values."""
    return [dict(zip(values, chosen)) for chosen in product(*values.values())]


def every_pair(**values: Iterable) -> Cases:
    """The same, of each network on each data set that it is trained on."""
    return [
        {"dataset": dataset, "network": network, **case}
        for dataset, network in STUDY.pairs
        for case in every(**values)
    ]


def of_each_seed(cases: Cases) -> Cases:
    """The same for each seed, seeds of a case one after the other."""
    return [{**case, "seed": seed} for case in cases for seed in STUDY.seeds]


def seeds_in(pattern: str, seeds: Iterable = STUDY.seeds) -> list[str]:
    """A pattern of files, once for each seed: other wildcards stay.

    By Snakemake, whose mark that a path has its module's prefix already stays, too.
    """
    return expand(pattern, seed=seeds, allow_missing=True)


def filled(pattern: str, cases: Cases) -> list[str]:
    """The paths of a pattern with wildcards filled in."""
    return [pattern.format(**case) for case in cases]


# The network of a run, whether it was trained or adopted.
MODEL = results(f"models/{RUN}/model.safetensors")
# The weights that trainings pass through, of each moment that is kept.
KEPT = moments.kept(STUDY)
SNAPSHOT = results(f"models/{RUN}/{{moment}}.safetensors")
# What families of measures, and evaluation, write about a network on a view of its data.
MEASURES = results(f"measures/{RUN}/{{family}}{{view}}")
TRAJECTORY = f"{MEASURES}-trajectory"
PREDICTIONS = results(f"measures/{RUN}/predictions.safetensors")
NETWORK_ENSEMBLES = results(f"measures/{{dataset}}/{registry.ALL_NETWORKS}/{{condition}}.json")
# All conditions of networks, and all networks: those that are trained here, and those that were
# trained elsewhere; all conditions that sharpness is measured of, initial weights and views of the data
# included, and their networks; all corrupted copies.
CONDITIONS = every_pair(condition=STUDY.conditions)
RUNS = of_each_seed(CONDITIONS)
TRAININGS = [run for run in RUNS if run["condition"] in STUDY.trained_conditions]
ADOPTIONS = [run for run in RUNS if run["condition"] in STUDY.adopted_conditions]
MEASURED_CONDITIONS = [
    {**case, "view": "" if view == "clean" else f"-{view}"}
    for case in every_pair(condition=STUDY.measured)
    for view in STUDY.views(case["dataset"], case["condition"])
]
MEASURED = of_each_seed(MEASURED_CONDITIONS)
EVALUATED = [{**run, "view": ""} for run in RUNS]
# Those of measures and evaluations of the user's own file.
OWN_MEASURED = [{**case, "family": name} for name in STUDY.own("sharpness") for case in MEASURED]
OWN_EVALUATED = [{**case, "evaluation": name} for name in STUDY.own("evaluations") for case in RUNS]
ATTACKED = RUNS if STUDY.has_attacks else []
TOGETHER = [
    case
    for dataset in STUDY.network_ensembles
    for case in every(dataset=[dataset], condition=STUDY.conditions)
]
CORRUPTED = [
    case
    for dataset in STUDY.config["datasets"]
    for case in every(dataset=[dataset], kind=corruption_kinds(STUDY, dataset))
]
OTHER_SETS = [dict(zip(("dataset", "kind", "other"), place)) for place in STUDY.other_sets]
SYNTHETIC = [
    dataset
    for dataset, spec in STUDY.config["datasets"].items()
    if spec["source"] == "synthetic_scenes"
]


def outputs_of(jobs: dict[str, Cases]) -> list[str]:
    """All outputs of jobs, which are given as the wildcards of each rule."""
    return [
        path
        for name, cases in jobs.items()
        for pattern in getattr(rules, name).output
        for path in filled(pattern, cases)
    ]


def records(prefix: str) -> list[str]:
    """Snakemake's records of the jobs behind all results, not those of what the study once had.

    They begin with the prefix that a module gives to them.
    """
    sources = [STUDY.source_spec(dataset)["source"] for dataset in STUDY.config["datasets"]]
    sources += [STUDY.source_spec(*place)["source"] for place in STUDY.other_sets]
    sources += [corrupted_set(STUDY, dataset) for dataset in STUDY.config["datasets"]]
    files = [Path(file).name for name in sources for file in official_files(name)]
    found = [
        path
        for name, cases in {**JOBS, "download": every(archive=files)}.items()
        for path in filled(getattr(rules, name).benchmark, cases)
    ]
    # Not by their rules, which another module may have in place of this one.
    if PUBLISHED_WANTED:
        made = ("published_tables", "published_figures")
        found += [published(f"benchmarks/{name}/all.tsv") for name in made]
    return sorted({prefix + path.removeprefix(prefix) for path in found})


def begin_run() -> None:
    """Stop a run that could not, or may not, write its results; let `make unlock` know of others."""
    with told_in_one_line():
        check_folder(results(""))
    with told_in_one_line("error in the configuration"):
        for study in workflow.configfiles[:1]:
            claim(Path(results("logs/study.txt")), Path(os.path.relpath(study)))
    jobs = workflow.dag.needrun_jobs()
    files = [job.wildcards.archive for job in jobs if job.rule is rules.download.rule]
    if files:
        with told_in_one_line():
            print(space_for_downloads([*map(official_file, files)], Path(DATA_DIR)))
    # The first for `make unlock`, the second for `make status`. Some network disks have no such
    # locks; there `make unlock` declines to judge.
    HELD_OPEN.append(open(".snakemake/running", "w"))
    with suppress(FileNotFoundError):  # which is there if the study is a file
        HELD_OPEN.append(open(results("logs/study.txt")))
    with suppress(OSError):
        for file in HELD_OPEN:
            fcntl.flock(file, fcntl.LOCK_SH)
