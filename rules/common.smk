# What all stages share: the checked study, where files go, and what a job depends on.
import csv
import fcntl
import math
import os
import re
import site
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

from snakemake.logging import logger

# Not the folder of the Snakefile that was started, which may be one that uses this as a module.
BASE = Path(str(workflow.current_basedir)).parent
sys.path.insert(0, str(BASE / "scripts"))

from minimascope import registry
from minimascope.canonical import canonical_json
from minimascope.data.corruptions.severities import CORRUPTIONS
from minimascope.data.download import space_for_downloads
from minimascope.data.official import OFFICIAL, official_file
from minimascope.disk import check_folder
from minimascope.errors import InputError
from minimascope.jobs.code_version import code_version
from minimascope.jobs.killed import KilledJobs
from minimascope.jobs.params import named_text
from minimascope.jobs.screen import Shown, show
from minimascope.study.conditions import condition_rows
from minimascope.study.file import read_study_file
from minimascope.study.loading import load_study
from minimascope.study.ownership import claim

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
    if workflow.is_main_process and workflow.modifier.is_main_snakefile():
        for path in workflow.configfiles:
            read_study_file(path)
    STUDY = load_study(config, BASE / "resources" / "config.schema.yaml")
if set("{}") & set(str(BASE)):
    raise SystemExit(
        f"error: checkout: {BASE} has braces, which Snakemake takes for a wildcard; use a folder"
        " without"
    )
for folder in (*site.getsitepackages(), site.getusersitepackages()):
    # Snakemake puts the scripts' own folder behind these.
    if folder in sys.path and Path(folder, "minimascope").is_dir():
        raise SystemExit(
            f"error: {folder}: jobs would import the minimascope that is installed there, instead of"
            " this checkout's; use an environment without it"
        )
IN_PRINT = BASE / "resources" / "print"
DATA_DIR = str(Path(STUDY.config["data_dir"]))
RUN = "{dataset}/{network}/{condition}/seed{seed}"
# The end of a file's name says which view of the data it is about; nothing for clean images.
VIEW = "(-augmented)?"


def results(path: str) -> str:
    """A path in the study's own part of the results."""
    return f"results/{STUDY.name}/{path}"


def in_print(path: str) -> str:
    """A path among the results that no study decides."""
    return f"results/print/{path}"


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
        show(workflow, Shown(STUDY.name, results("logs"), main_tables, results("report.html")))
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


def code(script: str, components: Callable = lambda wildcards: ()) -> Callable:
    """The version of a script and of what it finds through a registry, for jobs of a rule."""
    return lambda wildcards: code_version(BASE / "scripts" / f"{script}.py", *components(wildcards))


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


def filled(pattern: str, cases: Cases) -> list[str]:
    """The paths of a pattern with wildcards filled in."""
    return [pattern.format(**case) for case in cases]


# All networks that are trained; all that sharpness is measured of, initial weights and views of the
# data included; all corrupted copies.
RUNS = every_pair(condition=STUDY.conditions, seed=STUDY.seeds)
MEASURED = [
    {**case, "view": "" if view == "clean" else f"-{view}", "seed": seed}
    for case in every_pair(condition=STUDY.measured)
    for view in STUDY.views(case["dataset"], case["condition"])
    for seed in STUDY.seeds
]
CORRUPTED = [
    case
    for dataset in STUDY.config["datasets"]
    for case in every(dataset=[dataset], corruption=STUDY.corruption_names(dataset))
]
# Of conditions, on data sets that have corrupted copies.
ENSEMBLES_ON_COPIES = [
    case
    for case in every_pair(condition=STUDY.conditions)
    if STUDY.corruption_names(case["dataset"])
]
SYNTHETIC = [
    dataset
    for dataset, spec in STUDY.config["datasets"].items()
    if spec["source"] == "synthetic_scenes"
]


def official_files(name: str) -> list[str]:
    """The official archives of a name, or the folder they unpack to; none for other names."""
    files = OFFICIAL.get(name, ())
    unpacked = {Path(DATA_DIR, file.folder) for file in files}
    if all(folder.is_dir() for folder in unpacked):
        return [local(str(folder)) for folder in unpacked]
    return [local(str(Path(DATA_DIR, file.name))) for file in files]


def raw_data(wildcards) -> list[str]:
    """What a source reads: official archives, or files that the study names."""
    source = STUDY.source_spec(wildcards.dataset)
    named_files = filter(None, (source.get(key) for key in ("table", "path")))
    own = [Path(DATA_DIR, path) for path in named_files]
    # The job names missing files, with a remedy. A folder's own date says little.
    return official_files(source["source"]) + [local(str(path)) for path in own if path.is_file()]


def source_params(script: str) -> dict[str, Callable]:
    """What the reading of a source depends on besides its files."""

    def source(wildcards) -> dict:
        return STUDY.source_spec(wildcards.dataset)

    return named(
        code=code(
            script, lambda wildcards: [registry.SOURCES[source(wildcards)["source"]].location]
        ),
        source=source,
        data_dir=lambda wildcards: (
            None if source(wildcards)["source"] in registry.WITHOUT_FILES else DATA_DIR
        ),
    )


def scenes(wildcards) -> list[str]:
    """The folder of generated scenes, if a data set is made of them."""
    made = {wildcards.dataset} & set(SYNTHETIC)
    return filled(rules.synthesise.output.scenes, every(dataset=made))


def corrupted_copies(wildcards) -> list[str]:
    """The corrupted test images of a data set, if the study has any."""
    names = STUDY.corruption_names(wildcards.dataset)
    return expand(rules.corrupt.output.data, corruption=names, **wildcards)


def architecture_of(wildcards) -> str:
    """The architecture of a network."""
    return STUDY.network_spec(wildcards.network)["architecture"]


def network_code(wildcards) -> list[str]:
    """Where the code of a network is."""
    return [registry.NETWORKS[architecture_of(wildcards)].location]


def pretrained_weights(wildcards) -> list[str]:
    """The file of a network's published weights, if the study names one."""
    path = STUDY.network_spec(wildcards.network).get("weights")
    return [local(str(Path(DATA_DIR, path)))] if path else []


def training_of(wildcards) -> dict:
    """The settings of a training."""
    return STUDY.training_spec(wildcards.dataset, wildcards.condition)


def training_code(wildcards) -> list[str]:
    """Where the code of a training's network, optimiser and average is."""
    optimizer, averaging = (training_of(wildcards)[key] for key in ("optimizer", "averaging"))
    found = [*network_code(wildcards), registry.OPTIMIZERS[optimizer["name"]].location]
    return found + ([registry.AVERAGES[averaging["name"]].location] if averaging else [])


def label_noise(wildcards) -> float:
    """The share of random labels that a condition has in training."""
    return STUDY.label_noise(wildcards.dataset, wildcards.condition)


def model_of(wildcards, condition: str) -> str:
    """The weights that a condition of a seed ends with, or that all of them start from."""
    outputs = rules.initialise.output if condition == registry.INITIAL else rules.train.output
    return outputs.model.format(**{**wildcards, "condition": condition})


def family_params(family: str) -> dict[str, Callable]:
    """What the measures of a family depend on besides their input files."""

    def view(wildcards) -> str:
        return wildcards.view.removeprefix("-") or "clean"

    def settings(wildcards) -> dict:
        found = dict(STUDY.sharpness[wildcards.dataset][family])
        views = STUDY.views(wildcards.dataset, wildcards.condition)
        if family == "perturbation" and view(wildcards) != views[0]:
            # The published procedure augments as it pleases: it is the same for every view.
            found["published"] = False
        return found

    def augment(wildcards) -> dict | None:
        # Initial weights have seen no augmentation, and are measured with one only where asked to.
        if wildcards.condition == registry.INITIAL and view(wildcards) == "clean":
            return None
        return STUDY.augmentation(wildcards.dataset, wildcards.condition)

    return named(
        code=code(
            "sharpness",
            lambda wildcards: [registry.SHARPNESS[family].location, *network_code(wildcards)],
        ),
        family=family,
        settings=settings,
        view=view,
        augment=augment,
        label_noise=label_noise,
        weight_decay=lambda wildcards: STUDY.weight_decay(wildcards.dataset, wildcards.condition),
    )


with open(IN_PRINT / "deep_models.csv", encoding="utf-8") as stream:
    PRINTED_NETWORKS = {
        (row["dataset"], row["architecture"], row["pretrained"]) for row in csv.DictReader(stream)
    }


def is_printed(dataset: str, network: str) -> bool:
    """Whether printed tables hold values of a network on a data set."""
    architecture = STUDY.network_spec(network)["architecture"]
    return (
        STUDY.printed_dataset(dataset),
        architecture.removeprefix(registry.PRETRAINED),
        str(architecture.startswith(registry.PRETRAINED)).lower(),
    ) in PRINTED_NETWORKS


def figures_of(dataset: str, network: str) -> list[str]:
    """The figures of a network; the one that needs printed values only if it is in print."""
    unwanted = () if is_printed(dataset, network) else ("agreement",)
    return [name for name in STUDY.figures if name not in unwanted]


# The figures of each network, of each data set and of the study, by what their paths begin with.
FIGURES_OF = {
    **{f"{dataset}/{network}/": figures_of(dataset, network) for dataset, network in STUDY.pairs},
    **{f"{dataset}/": STUDY.dataset_figures(dataset) for dataset in STUDY.config["datasets"]},
    "": STUDY.study_figures,
}


def place_of(table: registry.Table) -> Callable[[str], str]:
    """Where a table lies: among the study's results, or among those that no study decides."""
    return in_print if table.of_print_alone else results


def outputs_of_table(name: str) -> dict[str, str]:
    """The tables that are made together, and the formats of what readers see."""
    table = registry.TABLES[name]
    tables = {given: f"tables/{given}.csv" for given in table.gives}
    tables |= {end: f"tables/{name}.{end}" for end in table.formats}
    return {key: place_of(table)(path) for key, path in tables.items()}


# The tables of the study, those of ours beside print if a network is in print, and the readable ones.
STUDY_TABLES = {
    name: table
    for name, table in STUDY.tables.items()
    if name != "agreement" or any(is_printed(*pair) for pair in STUDY.pairs)
}
READABLE = {name: table for name, table in STUDY_TABLES.items() if table.text}
TABLE_FILES = [path for name in STUDY_TABLES for path in outputs_of_table(name).values()]
PRINTED_FIGURE_FILES = [in_print(f"figures/{name}.svg") for name in STUDY.printed_figures]


def table_params(name: str) -> dict[str, Callable]:
    """What a table depends on besides other tables."""
    table, analysis = registry.TABLES[name], STUDY.config["analysis"]
    arguments = {
        "conditions": {"rows": condition_rows(STUDY)},
        "correlations": {"minimum_train_accuracy": analysis["minimum_train_accuracy"]},
        "stability": {"threshold": analysis["stability_threshold"]},
    }.get(name, {})
    return {
        **named(
            code=code("table", lambda wildcards: filter(None, (table.location, table.text))),
            table=name,
            # The code version has functions, and not what the registry hands to them.
            handed={key: getattr(table, key) for key in ("needs", "gives", "shows")},
            # The hash of rows, since Snakemake prints what has changed.
            settings={
                key: sha256(canonical_json(value).encode()).hexdigest() if key == "rows" else value
                for key, value in arguments.items()
            },
            printed={
                name: sha256((IN_PRINT / f"{name}.csv").read_bytes()).hexdigest()
                for name in table.printed
            },
        ),
        # Derived from the output: Snakemake neither keeps nor compares such params.
        "arguments": lambda wildcards, output: arguments,
    }


def gathered_of(wildcards, kind: str) -> list[str]:
    """The documents, or the arrays, that a table is gathered of."""
    name, cases = GATHERED_OF[wildcards.gathered]
    return filled(getattr(rules, name).output[kind], cases)


def tables_of_report() -> list[str]:
    """The tables that the report is made of."""
    origins = ["measures", "provenance"] if STUDY.pairs else []
    landscape = ["landscape"] if "landscape" in STUDY.gathered else []
    paths = [results(f"tables/{name}.csv") for name in (*origins, *landscape)]
    for name, table in READABLE.items():
        # What is shown, and the table that can be taken from the page.
        own = [name] if name in (*table.needs, *table.gives) else []
        paths += [place_of(table)(f"tables/{csv}.csv") for csv in (*table.shows, *own)]
    return list(dict.fromkeys(paths))


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
    sources += map(STUDY.corrupted_set, STUDY.config["datasets"])
    files = [Path(file).name for name in sources for file in official_files(name)]
    found = [
        path
        for name, cases in {**JOBS, "download": every(archive=files)}.items()
        for path in filled(getattr(rules, name).benchmark, cases)
    ]
    for name in STUDY_TABLES:
        found.append(place_of(registry.TABLES[name])(f"benchmarks/table/{name}.tsv"))
    for figure in STUDY.printed_figures:
        found.append(in_print(f"benchmarks/plot_printed/{figure}.tsv"))
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
    HELD_OPEN.append(open(".snakemake/running", "w"))
    # Some network disks have no such locks; there `make unlock` declines to judge.
    with suppress(OSError):
        fcntl.flock(HELD_OPEN[-1], fcntl.LOCK_SH)
