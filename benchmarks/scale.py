"""Plan and book a made-up study of thousands of jobs, none of which runs, and print a table.

The same is done to a plain Snakefile with the same jobs and files, without logs, benchmarks,
parameters, environments and messages: what Snakemake itself takes. Seconds are those of the
processor, so that other work on the machine counts little; ratios to the plain Snakefile are what
counts.
"""

import argparse
import base64
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
KINDS = 4
FIGURES = 12
DATASET_FIGURES = 4
PLAIN = """
DATASETS, NETWORKS = {datasets}, {networks}
CONDITIONS, SEEDS = {conditions}, {seeds}
RUN = "{{dataset}}/{{network}}/{{condition}}/seed{{seed}}"
FAMILIES = ["perturbation", "hessian", "landscape"]


def every_run(pattern):
    return expand(
        pattern, dataset=DATASETS, network=NETWORKS, condition=CONDITIONS, seed=SEEDS
    )


def every_seed(pattern):
    return expand(pattern, seed=SEEDS, allow_missing=True)


rule all:
    input:
        "tables/summary.csv",
        expand(
            "figures/{{dataset}}/{{network}}/{{figure}}.svg",
            dataset=DATASETS, network=NETWORKS, figure=range({figures}),
        ),
        expand(
            "figures/{{dataset}}-{{figure}}.svg",
            dataset=DATASETS, figure=range({wide_figures}),
        ),


rule prepare:
    output: "data/{{dataset}}/prepared",
    script: "job.py"


rule corrupt:
    input: rules.prepare.output,
    output: "data/{{dataset}}/corrupted/{{kind}}",
    script: "job.py"


rule initialise:
    input: rules.prepare.output,
    output: "initial/{{dataset}}/{{network}}/seed{{seed}}",
    script: "job.py"


rule train:
    input: rules.prepare.output, rules.initialise.output,
    output: f"models/{{RUN}}/model", f"models/{{RUN}}/history",
    script: "job.py"


rule evaluate:
    input:
        rules.prepare.output,
        every_seed(rules.train.output[0]),
        expand(rules.corrupt.output, kind=range({kinds}), allow_missing=True),
    output:
        every_seed(f"measures/{{RUN}}/evaluation"),
        every_seed(f"measures/{{RUN}}/predictions"),
        "measures/{{dataset}}/{{network}}/{{condition}}/ensemble",
    script: "job.py"


rule sharpness:
    input: rules.prepare.output, every_seed(rules.train.output[0]),
    output: every_seed(f"measures/{{RUN}}/forward"),
    script: "job.py"


for family in FAMILIES:
    rule:
        name: family
        input: rules.prepare.output, rules.train.output[0],
        output:
            f"measures/{{RUN}}/{{family}}",
            [f"measures/{{RUN}}/{{family}}.npz"] if family in FAMILIES[1:] else [],
        script: "job.py"


for family in FAMILIES[1:]:
    rule:
        name: "gather_" + family
        input:
            every_run(f"measures/{{RUN}}/{{family}}"),
            every_run(f"measures/{{RUN}}/{{family}}.npz"),
        output: f"tables/{{family}}.csv",
        script: "job.py"


rule probabilities:
    input:
        every_run(f"measures/{{RUN}}/predictions"),
        expand(
            rules.evaluate.output[-1],
            dataset=DATASETS, network=NETWORKS, condition=CONDITIONS,
        ),
    output: "tables/calibration.csv", "tables/ensembles.csv",
    script: "job.py"


rule disagreement:
    input: every_run(f"measures/{{RUN}}/predictions"),
    output: "tables/disagreement.csv",
    script: "job.py"


rule collect:
    input:
        every_run(f"measures/{{RUN}}/evaluation"),
        every_run(rules.train.output[1]),
        [every_run(f"measures/{{RUN}}/{{family}}") for family in ["forward", *FAMILIES]],
        "tables/calibration.csv",
    output: "tables/measures.csv",
    script: "job.py"


rule tables:
    input: rules.collect.output, "tables/disagreement.csv", "tables/ensembles.csv",
    output: "tables/summary.csv",
    script: "job.py"


rule plot_network:
    input: rules.tables.output, "tables/hessian.csv", "tables/landscape.csv",
    output:
        expand(
            "figures/{{dataset}}/{{network}}/{{figure}}.svg",
            figure=range({figures}), allow_missing=True,
        ),
    script: "job.py"


rule plot_dataset:
    input: rules.tables.output,
    output:
        expand(
            "figures/{{dataset}}-{{figure}}.svg",
            figure=range({wide_figures}), allow_missing=True,
        ),
    script: "job.py"
"""


@dataclass(frozen=True)
class Size:
    """How many of each a study has; with two networks and ten seeds, 84 jobs per condition."""

    datasets: int
    conditions: int
    networks: int = 2
    seeds: int = 10

    @classmethod
    def of(cls, jobs: int) -> "Size":
        """Return the size of a study with about this many jobs."""
        datasets = max(1, min(10, jobs // 1000))
        return cls(datasets, max(1, round(jobs / datasets / 86)))


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds of the processor until its first job and in all, and memory."""

    first_job: float
    seconds: float
    megabytes: float
    jobs: int


def big_study(size: Size) -> dict[str, Any]:
    """Return a study that measures four families of every network."""
    return {
        "study": "big",
        "seeds": list(range(size.seeds)),
        "datasets": {
            f"digits{i}": {"source": "digits", "train_size": 500, "split_seed": i}
            for i in range(size.datasets)
        },
        "networks": {
            f"resnet18_{i}": {"architecture": "resnet18", "width": 2.0 ** -(i + 3)}
            for i in range(size.networks)
        },
        "training": {
            "epochs": 2,
            "batch_size": 50,
            "optimizer": {"name": "sgd", "lr": 0.02, "momentum": 0.9},
        },
        "conditions": {
            f"decay{i}": {"optimizer": {"weight_decay": i * 1e-4}} for i in range(size.conditions)
        },
        "sharpness": {"forward": {}, "perturbation": {}, "hessian": {}, "landscape": {}},
    }


def plain_snakefile(size: Size) -> str:
    """Return a Snakefile with the jobs and files of that study and nothing else."""
    return PLAIN.format(
        datasets=[f"digits{i}" for i in range(size.datasets)],
        networks=[f"resnet18_{i}" for i in range(size.networks)],
        conditions=[f"decay{i}" for i in range(size.conditions)],
        seeds=list(range(size.seeds)),
        kinds=KINDS,
        figures=FIGURES,
        wide_figures=DATASET_FIGURES,
    )


def write_case(folder: Path, size: Size, ours: bool) -> list[str]:
    """Write a study or the plain Snakefile into a folder; return the command that runs it."""
    folder.mkdir()
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--directory", str(folder)]
    command += ["--workflow-profile", str(ROOT / "profiles" / "default"), "--nolock"]
    if ours:
        (folder / "study.yaml").write_text(yaml.safe_dump(big_study(size)))
        snakefile, config = ROOT / "Snakefile", ["--configfile", str(folder / "study.yaml")]
    else:
        (folder / "Snakefile").write_text(plain_snakefile(size))
        (folder / "job.py").touch()
        snakefile, config = folder / "Snakefile", []
    return [*command, "--snakefile", str(snakefile), *config]


def cost_of(command: list[str]) -> Cost:
    """Run Snakemake and return what it cost."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        first, jobs, printed = None, 0, []
        for line in process.stdout:
            printed.append(line)
            # The moment above the first job.
            if first is None and re.match(r"\[\w{3} \w{3} +\d+ ", line):
                first = _processor_seconds(process.pid)
            if match := re.match(r"total +(\d+)", line):
                jobs = int(match[1])
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit("".join(printed[-20:]))
    seconds = usage.ru_utime + usage.ru_stime
    return Cost(first or seconds, seconds, usage.ru_maxrss / 1024, jobs)


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def finish(folder: Path) -> None:
    """Make every output that Snakemake has booked as an empty file, all of the same moment."""
    now = time.time()
    for record in (folder / ".snakemake" / "metadata").rglob("*"):
        if record.is_file():
            name = str(record.relative_to(folder / ".snakemake" / "metadata")).replace("@", "")
            path = folder / base64.b64decode(name.replace("/", "")).decode()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, (now, now))


def files_in(folder: Path) -> int:
    """Return the number of files in a folder and those below it."""
    return sum(path.is_file() for path in folder.rglob("*"))


def measure(folder: Path, size: Size, ours: bool) -> tuple[dict[str, Cost], dict[str, int]]:
    """Return the costs of planning and booking all jobs, and the number of files that makes."""
    command = write_case(folder, size, ours)
    costs = {"plan, nothing made": cost_of([*command, "--dry-run"])}
    costs["booking every job"] = cost_of([*command, "--touch"])
    finish(folder)
    costs["plan, all made"] = cost_of([*command, "--dry-run"])
    if costs["plan, all made"].jobs:
        raise SystemExit(f"{costs['plan, all made'].jobs} jobs of a finished study would run")
    files = {
        "outputs, logs": files_in(folder / "results" if ours else folder),
        "metadata": files_in(folder / ".snakemake" / "metadata"),
    }
    return costs, files


def main() -> None:
    """Measure both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20_000, help="about so many")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary one by default")
    arguments = parser.parse_args()
    size = Size.of(arguments.jobs)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        ours, files = measure(Path(folder, "ours"), size, ours=True)
        plain, _ = measure(Path(folder, "plain"), size, ours=False)
    counts = [case["plan, nothing made"].jobs for case in (ours, plain)]
    print(f"{counts[0]} jobs; the plain Snakefile has {counts[1]}\n")
    print("| what | to the first job (ms per job) | in all (ms per job) | memory (MB) | to plain |")
    print("|---|---:|---:|---:|---:|")
    for what, cost in ours.items():
        ratio = cost.seconds / counts[0] / (plain[what].seconds / counts[1])
        first, whole = (1000 * value / counts[0] for value in (cost.first_job, cost.seconds))
        print(f"| {what} | {first:.2f} | {whole:.2f} | {cost.megabytes:.0f} | {ratio:.2f} |")
    print("\nfiles:", ", ".join(f"{count} {what}" for what, count in files.items()))


if __name__ == "__main__":
    main()
