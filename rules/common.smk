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
from minimascope.data.corruptions.severities import KINDS
from minimascope.data.download import space_for_downloads
from minimascope.data.official import OFFICIAL, official_file
from minimascope.disk import check_folder
from minimascope.errors import InputError
from minimascope.jobs.code_version import code_version
from minimascope.jobs.killed import KilledJobs
from minimascope.jobs.params import named_text
from minimascope.study.conditions import condition_rows
from minimascope.study.file import read_study_file
from minimascope.study.loading import load_study
from minimascope.study.ownership import claim
from minimascope.study.study import SHARED

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


# Another workflow that uses this one as a module has a screen of its own.
if workflow.modifier.is_main_snakefile():
    logger.addHandler(KilledJobs())
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
CONDITION = "{dataset}/{network}/{condition}"
RUN = CONDITION + "/seed{seed}"
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


def of_each_seed(cases: Cases) -> Cases:
    """The same for each seed, seeds of a case one after the other."""
    return [{**case, "seed": seed} for case in cases for seed in STUDY.seeds]


def seeds_in(pattern: str) -> list[str]:
    """A pattern of files, once for each seed: other wildcards stay."""
    return [pattern.replace("{seed}", str(seed)) for seed in STUDY.seeds]


def filled(pattern: str, cases: Cases) -> list[str]:
    """The paths of a pattern with wildcards filled in."""
    return [pattern.format(**case) for case in cases]


# What families of measures, and evaluation, write about a network on a view of its data.
MEASURES = results(f"measures/{RUN}/{{family}}{{view}}")
PREDICTIONS = results(f"measures/{RUN}/predictions.safetensors")
# All conditions of networks, and all networks that are trained; all conditions that sharpness is
# measured of, initial weights and views of the data included, and their networks; all corrupted copies.
CONDITIONS = every_pair(condition=STUDY.conditions)
RUNS = of_each_seed(CONDITIONS)
MEASURED_CONDITIONS = [
    {**case, "view": "" if view == "clean" else f"-{view}"}
    for case in every_pair(condition=STUDY.measured)
    for view in STUDY.views(case["dataset"], case["condition"])
]
MEASURED = of_each_seed(MEASURED_CONDITIONS)
EVALUATED = [{**run, "view": ""} for run in RUNS]
CORRUPTED = [
    case
    for dataset in STUDY.config["datasets"]
    for case in every(dataset=[dataset], kind=STUDY.corruption_kinds(dataset))
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
    kinds = STUDY.corruption_kinds(wildcards.dataset)
    return filled(rules.corrupt.output.data, every(dataset=[wildcards.dataset], kind=kinds))


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


def model_of(condition: str) -> str:
    """Where the weights are that a condition ends with, or that all of a seed start from."""
    outputs = rules.initialise.output if condition == registry.INITIAL else rules.train.output
    return outputs.model


# Minutes that a job of sharpness asks a cluster for.
SHARPNESS_MINUTES = {"sharpness": 60, "perturbation": 120, "hessian": 240, "landscape": 240}


def measured_by(job: str) -> str:
    """What a job of sharpness is of, as wildcards: a condition if families share it, or a network."""
    return (CONDITION if job == SHARED else RUN) + "{view}"


def measured_cases(job: str) -> Cases:
    """The same, as the wildcards of all jobs."""
    return MEASURED_CONDITIONS if job == SHARED else MEASURED


def measured_models(job: str) -> Callable:
    """The networks that a job of sharpness measures."""

    def models(wildcards) -> list[str]:
        pattern = model_of(wildcards.condition)
        patterns = seeds_in(pattern) if job == SHARED else [pattern]
        return [found for one in patterns for found in filled(one, [dict(wildcards)])]

    return models


def sharpness_outputs(job: str) -> dict[str, list[str]]:
    """The documents of a job's families, and their arrays where they have any."""
    files = {}
    for family in STUDY.sharpness_jobs[job]:
        pattern = MEASURES.replace("{family}", family)
        files[family] = f"{pattern}.json"
        if registry.SHARPNESS[family].arrays:
            files[f"{family}_arrays"] = f"{pattern}.npz"
    return {key: seeds_in(path) if job == SHARED else [path] for key, path in files.items()}


def documents(family: str, models: Cases, end: str = "json") -> list[str]:
    """What a family of measures, or evaluation, wrote about models."""
    return filled(f"{MEASURES}.{end}", [{**model, "family": family} for model in models])


def sharpness_params(job: str) -> dict[str, Callable]:
    """What the measures of a job depend on besides its input files."""
    families = STUDY.sharpness_jobs[job]

    def view(wildcards) -> str:
        return wildcards.view.removeprefix("-") or "clean"

    def settings(wildcards) -> dict[str, dict]:
        found = {family: STUDY.sharpness[wildcards.dataset][family] for family in families}
        views = STUDY.views(wildcards.dataset, wildcards.condition)
        if "perturbation" in found and view(wildcards) != views[0]:
            # The published procedure augments as it pleases: it is the same for every view.
            found["perturbation"] = {**found["perturbation"], "published": False}
        return found

    def augment(wildcards) -> dict | None:
        # Initial weights have seen no augmentation, and are measured with one only where asked to.
        if wildcards.condition == registry.INITIAL and view(wildcards) == "clean":
            return None
        return STUDY.augmentation(wildcards.dataset, wildcards.condition)

    def components(wildcards) -> list[str]:
        own = [registry.SHARPNESS[family].location for family in families]
        return own + network_code(wildcards)

    return named(
        code=code("sharpness", components),
        families=settings,
        seeds=lambda wildcards: STUDY.seeds if job == SHARED else [int(wildcards.seed)],
        view=view,
        augment=augment,
        label_noise=label_noise,
        weight_decay=lambda wildcards: STUDY.weight_decay(wildcards.dataset, wildcards.condition),
    )


with open(IN_PRINT / "deep_models.csv", encoding="utf-8") as stream:
    PRINTED_NETWORKS = {
        (row["dataset"], row["architecture"], row["pretrained"]) for row in csv.DictReader(stream)
    }


def digest(content: bytes) -> str:
    """A hash of what is too long for a param."""
    return sha256(content).hexdigest()


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
FIGURES_OF = {subject: names for subject, names in FIGURES_OF.items() if names}
# The tables of the study, those of ours beside print if a network is in print; those that no study
# decides, which are made whatever it is about; and what a reader sees of both.
STUDY_TABLES = {
    name: table
    for name, table in STUDY.tables.items()
    if not table.of_print_alone
    and (name != "agreement" or any(is_printed(*pair) for pair in STUDY.pairs))
}
PRINTED_TABLES = {name: table for name, table in registry.TABLES.items() if table.of_print_alone}
READABLE = {
    name: table
    for name, table in STUDY.tables.items()
    if table.text and (table.of_print_alone or name in STUDY_TABLES)
}
PRINTED_FIGURE_FILES = [in_print(f"figures/{name}.svg") for name in STUDY.printed_figures]


def needed_by(parts: dict[str, registry.Component]) -> list[str]:
    """The tables that tables or figures are made of, without those that they give themselves."""
    given = {name for part in parts.values() for name in part.gives}
    needed = (name for part in parts.values() for name in part.needs)
    return [name for name in dict.fromkeys(needed) if name not in given]


def table_outputs(tables: dict[str, registry.Table], place: Callable) -> dict[str, str]:
    """The files of tables, and of what readers see of them in each format."""
    files = {given: f"tables/{given}.csv" for table in tables.values() for given in table.gives}
    for name, table in tables.items():
        files |= {f"{name}_{end}": f"tables/{name}.{end}" for end in table.formats}
    return {key: place(path) for key, path in files.items()}


def table_params(tables: dict[str, registry.Table]) -> dict[str, Callable]:
    """What tables depend on besides other tables."""
    analysis = STUDY.config["analysis"]
    arguments = {
        "conditions": {"rows": condition_rows(STUDY)},
        "correlations": {"minimum_train_accuracy": analysis["minimum_train_accuracy"]},
        "stability": {"threshold": analysis["stability_threshold"]},
    }
    arguments = {name: value for name, value in arguments.items() if name in tables}
    places = [place for table in tables.values() for place in (table.location, table.text) if place]
    return {
        **named(
            code=code("tables", lambda wildcards: places),
            # The code version has functions, and not what the registry hands to them.
            tables=list(tables),
            handed={
                name: {key: getattr(table, key) for key in ("needs", "gives", "shows")}
                for name, table in tables.items()
            },
            # The hash of rows, since Snakemake prints what has changed.
            settings={
                name: {
                    key: digest(canonical_json(value).encode()) if key == "rows" else value
                    for key, value in own.items()
                }
                for name, own in arguments.items()
            },
            printed={
                name: digest((IN_PRINT / f"{name}.csv").read_bytes())
                for table in tables.values()
                for name in table.printed
            },
        ),
        # Derived from the output: Snakemake neither keeps nor compares such params.
        "arguments": lambda wildcards, output: arguments,
    }


def plot_rule(subject: str) -> str:
    """The rule that draws the figures of a network (``plot_digits-vit``), a data set or the study."""
    return "_".join(filter(None, ("plot", subject.strip("/").replace("/", "-"))))


def has_page(subject: str) -> bool:
    """Whether the figures of a subject include a landscape that a reader can turn."""
    return subject.count("/") == 2 and "landscape" in STUDY.families


def figure_inputs(subject: str) -> dict[str, str]:
    """The tables that the figures of a subject are made of."""
    wanted = needed_by({name: registry.ALL_FIGURES[name] for name in FIGURES_OF[subject]})
    return {name: results(f"tables/{name}.csv") for name in wanted}


def figure_outputs(subject: str) -> dict[str, Any]:
    """The files of the figures of a subject."""
    figures = [results(f"figures/{subject}{name}.svg") for name in FIGURES_OF[subject]]
    page = {"page": results(f"figures/{subject}landscape.html")} if has_page(subject) else {}
    return {"figures": figures, **page}


def figure_params(figures: Iterable[str], of: Callable, page: bool = False) -> dict[str, Callable]:
    """What figures depend on besides tables; ``of`` says what a figure is of."""
    places = [registry.ALL_FIGURES[name].location for name in figures]
    places += [registry.PAGE.location] if page else []
    return named(
        code=code("plot", lambda wildcards: places),
        # In the order of the outputs, which an object of JSON does not keep.
        figures=[[name, of(name)] for name in figures],
    )


def of_subject(subject: str) -> Callable[[str], dict]:
    """The data set, and the network, that each figure of a subject is of."""
    return lambda figure: dict(zip(("dataset", "network"), subject.split("/")[:-1]))


def of_print(figure: str) -> dict:
    """Figures of printed models are told which data set these are."""
    return {"dataset": registry.PRINTED_SCENES} if figure.startswith("published-") else {}


def tables_of_report() -> list[str]:
    """The tables that the report is made of."""
    origins = ["measures", "provenance"] if STUDY.pairs else []
    landscape = ["landscape"] if "landscape" in STUDY.gathered else []
    paths = [results(f"tables/{name}.csv") for name in (*origins, *landscape)]
    for name, table in READABLE.items():
        # What is shown, and the table that can be taken from the page.
        own = [name] if name in (*table.needs, *table.gives) else []
        place = in_print if table.of_print_alone else results
        paths += [place(f"tables/{csv}.csv") for csv in (*table.shows, *own)]
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
    found += [rules.print_tables.benchmark[0], rules.print_figures.benchmark[0]]
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
