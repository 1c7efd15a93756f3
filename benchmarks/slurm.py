"""What grouping jobs saves on a Slurm cluster: trains and measures small networks in several ways.

Needs a cluster that answers `squeue` without accounting; `tests/slurm/cluster.sh start` makes one.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).parents[1]
MEASURES = ("evaluate", "forward", "perturbation")
MODEL = "{dataset}-{network}-{condition}-{seed}"
STUDY = {
    "study": "grouping",
    "datasets": {"digits": {"source": "digits", "train_size": 60}},
    "networks": {"resnet18": {"architecture": "resnet18", "width": 0.0625}},
    "training": {"epochs": 2, "batch_size": 30, "optimizer": {"name": "sgd", "lr": 0.02}},
    "conditions": {"baseline": {}, "sam": {"sam": {"rho": 0.05}}},
    "sharpness": {"perturbation": {"samples": 3}},
    "evaluation": {"corruptions": None},
}


@dataclass(frozen=True)
class Grouping:
    """Which rules share a Slurm job, and how many unconnected parts one job may have."""

    groups: Mapping[str, str]
    components: int = 1

    def arguments(self) -> list[str]:
        """Return it as arguments of Snakemake."""
        # A rule that is not there: the profile's own groups are put out of force.
        groups = self.groups or {"none": "none"}
        components = {f"{group}={self.components}" for group in groups.values()}
        pairs = [f"{rule}={group}" for rule, group in groups.items()]
        return ["--groups", *pairs, "--group-components", *components]


GROUPINGS = {
    "each job by itself": Grouping({}),
    "all measures of a model": Grouping(dict.fromkeys(MEASURES, f"measures-{MODEL}"), 1000),
    "four measures of any models": Grouping(dict.fromkeys(MEASURES, "measures"), 4),
    "a model's training and measures": Grouping(dict.fromkeys(("train", *MEASURES), MODEL), 1000),
}


class ProcessorTime(threading.Thread):
    """Adds up the processor time of all Slurm jobs on this machine, looking twice a second.

    Unlike time on a clock it depends little on what else the machine does.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self._done = threading.Event()
        self._seconds: dict[psutil.Process, float] = {}

    def run(self) -> None:
        """Look until `stop` is called."""
        while not self._done.wait(0.5):
            for process in psutil.process_iter():
                self._look_at(process)

    def stop(self) -> float:
        """Return the seconds so far and look no more."""
        self._done.set()
        self.join()
        return sum(self._seconds.values())

    def _look_at(self, process: psutil.Process) -> None:
        try:
            if process in self._seconds or "SLURM_JOB_ID" in process.environ():
                times = process.cpu_times()
                self._seconds[process] = times.user + times.system
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            pass  # It ended in the meantime, or is the kernel's.


def snakemake(folder: Path, *arguments: str) -> str:
    """Run the workflow in a folder beside its `study.yaml`; return what it printed."""
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
        *("--directory", str(folder), "--configfile", str(folder.parent / "study.yaml")),
        *arguments,
    ]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    if result.returncode:
        raise SystemExit(result.stdout)
    return result.stdout


def targets(seeds: int) -> list[str]:
    """Return the measures of all models."""
    return [
        f"results/grouping/measures/digits/resnet18/{condition}/seed{seed}/{family}.json"
        for seed in range(seeds)
        for condition in STUDY["conditions"]
        for family in ("evaluation", "forward", "perturbation")
    ]


def slurm_times(run: str) -> list[tuple[datetime, datetime]]:
    """Return when each Slurm job of a Snakemake run was submitted, and when it ended."""
    command = ["squeue", "--noheader", "--states=all", f"--name={run}", "--format=%V %e"]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [tuple(map(datetime.fromisoformat, line.split())) for line in lines.splitlines()]


def row(name: str, folder: Path, seeds: int) -> str:
    """Train and measure in a prepared folder, grouped in one way; return its row of the table."""
    profile = ("--profile", str(ROOT / "profiles" / "slurm"))
    poll = ("--slurm-init-seconds-before-status-checks", "1")
    processors = ProcessorTime()
    processors.start()
    printed = snakemake(
        folder, *profile, *poll, *GROUPINGS[name].arguments(), "--", *targets(seeds)
    )
    seconds = processors.stop()
    times = slurm_times(re.search(r"SLURM run ID: (\S+)", printed)[1])
    wall = max(end for _, end in times) - min(submitted for submitted, _ in times)
    return f"| {name} | {len(times)} | {seconds:.0f} | {wall.total_seconds():.0f} |"


def rows(folder: Path, seeds: int) -> Iterator[str]:
    """Yield a table with a row for each way of grouping."""
    yield "| a Slurm job is | Slurm jobs | processor time (s) | first submission to last end (s) |"
    yield "|---|---:|---:|---:|"
    prepared = folder / "prepared"
    initial = [f"results/grouping/models/digits/resnet18/initial/seed{s}" for s in range(seeds)]
    snakemake(prepared, "--cores", "1", "--", *(f"{path}.safetensors" for path in initial))
    for name in GROUPINGS:
        yield row(name, shutil.copytree(prepared, folder / name.replace(" ", "_")), seeds)


def main() -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="of two models each (default 2)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        study = {**STUDY, "seeds": list(range(arguments.seeds))}
        Path(name, "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
        Path(name, "prepared").mkdir()
        for line in rows(Path(name), arguments.seeds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
