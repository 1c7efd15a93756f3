"""A study on a real Slurm cluster of one node, with mishaps, and the same study run locally."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest
from outputs import differing, outputs
from safetensors import safe_open
from small_study import ROOT, Project, made_once, study_with

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

CLUSTER = ROOT / "tests" / "slurm" / "cluster.sh"
GPUS = 2
EPOCHS = 60
# Two families with many passes have jobs of their own, and `forward` shares one.
ONE_SEED = study_with(
    {
        "seeds": [0],
        "training.epochs": EPOCHS,
        "evaluation.corruptions": None,
        "sharpness.perturbation.samples": 120,
        "sharpness.landscape": {"points": 3, "line_points": 50, "direction_seeds": [42, 43]},
    }
)
TARGET = "results/small/tables/main.md"
MODELS = "results/small/models/digits/resnet18"
Job = dict[str, str]


@dataclass
class Record:
    """What Slurm said during a run: its jobs when first and last seen, by their number.

    ``devices`` are those of all running jobs, at every look; ``kept`` the finished epochs of each
    training that met with a mishap.
    """

    first: dict[str, Job] = field(default_factory=dict)
    last: dict[str, Job] = field(default_factory=dict)
    devices: list[list[str]] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)

    def of(self, name: str) -> list[str]:
        """Return the numbers of the jobs of a rule, or of a group of rules, in their order."""
        prefix = f"rule_{name}"
        return sorted(
            (n for n in self.first if self.first[n]["Comment"].startswith(prefix)), key=int
        )


@dataclass(frozen=True)
class Trial:
    """A run on the cluster and what it was like, and an undisturbed local run."""

    cluster: Project
    local: Project
    record: Record


def slurm(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def jobs_of(run: str) -> dict[str, Job]:
    """Return what Slurm knows about each job of a Snakemake run, by the job's number."""
    lines = slurm("scontrol", "show", "job", "--details", "--oneliner").splitlines()
    parsed = (dict(part.split("=", 1) for part in line.split() if "=" in part) for line in lines)
    return {job["JobId"]: job for job in parsed if job.get("JobName") == run}


def freeze_training(number: str) -> None:
    """Let the training of a job hang, so that it cannot end before its mishap."""
    for line in slurm("scontrol", "listpids", number).splitlines()[1:]:
        process = Path("/proc", line.split()[0])
        if process.exists() and b".train.py" in (process / "cmdline").read_bytes():
            os.kill(int(process.name), signal.SIGSTOP)


def epochs_kept(checkpoint: Path) -> int:
    with safe_open(checkpoint, framework="numpy") as file:
        return json.loads(file.metadata()["minimascope"])["epoch"]


@dataclass(frozen=True)
class Mishap:
    """Something that happens to the first job of a name once a file is there."""

    job: str
    once: str
    happens: Callable[[str], object]


MISHAPS = (
    Mishap(
        "train_wildcards_digits_resnet18_baseline_0",
        f"{MODELS}/baseline/seed0/checkpoint.safetensors",
        # As when a job of more importance takes its node.
        lambda number: slurm("scontrol", "requeue", number),
    ),
    Mishap(
        "train_wildcards_digits_resnet18_baseline_sam_0",
        f"{MODELS}/baseline_sam/seed0/checkpoint.safetensors",
        lambda number: slurm("scontrol", "update", f"jobid={number}", "timelimit=0"),
    ),
    Mishap(
        "measures-digits-resnet18-baseline-0",
        "results/small/logs/perturbation/digits/resnet18/baseline/seed0.log",
        lambda number: slurm("scancel", number),
    ),
)


def watch(process: subprocess.Popen, log: Path, folder: Path) -> Record:
    """Follow a run to its end and let the mishaps happen."""
    record, left, run = Record(), list(MISHAPS), None
    deadline = time.monotonic() + 900
    while process.poll() is None:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
        run = run or run_number(log)
        record.last = jobs_of(run) if run else {}
        record.first = {**record.last, **record.first}
        running = [job for job in record.last.values() if job["JobState"] == "RUNNING"]
        record.devices.append([job["GRES"] for job in running if job["GRES"]])
        for mishap in [mishap for mishap in left if (folder / mishap.once).exists()]:
            (number,) = record.of(mishap.job)
            if mishap.job.startswith("train"):
                freeze_training(number)
                record.kept[Path(mishap.once).parts[-3]] = epochs_kept(folder / mishap.once)
            mishap.happens(number)
            left.remove(mishap)
    assert process.returncode == 0, log.read_text()
    assert not left, left
    record.last = jobs_of(run)
    return record


def run_number(log: Path) -> str | None:
    """Return the name that all Slurm jobs of a run have, once it has one."""
    _, found, rest = log.read_text().partition("SLURM run ID: ")
    return rest.split()[0] if found and "\n" in rest else None


@contextmanager
def cluster() -> Iterator[None]:
    """Start a cluster, if none of ours is there, and stop what was started."""
    there = subprocess.run([CLUSTER, "status"], capture_output=True).returncode == 0
    try:
        started = subprocess.run([CLUSTER, "start"], capture_output=True, text=True)
        if started.returncode:
            pytest.skip(started.stderr.strip())
        yield
    finally:
        if not there:
            subprocess.run([CLUSTER, "stop"], check=True)


def run_on_cluster(project: Project) -> Record:
    """Run the study with the profile for clusters, beside the local run, and with mishaps."""
    profile = ("--profile", str(project.checkout / "profiles" / "slurm"))
    # How many cores all jobs may have together: no limit but the cluster's.
    arguments = ("--cores", "all", "--slurm-init-seconds-before-status-checks", "1")
    log = project.folder.with_name("cluster.log")
    with log.open("w") as stream:
        process = subprocess.Popen(
            project.command(ONE_SEED, *profile, *arguments, "--", TARGET),
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            return watch(process, log, project.folder)
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = made_once(tmp_path_factory, "slurm", run_both)
    record = json.loads((folder / "record.json").read_text())
    return Trial(*projects(folder), Record(**record))


def projects(folder: Path) -> tuple[Project, Project]:
    """Return the places of the run on the cluster and of the local one."""
    return Project(ROOT, folder / "cluster"), Project(ROOT, folder / "local")


def run_both(folder: Path) -> None:
    remote, local = projects(folder)
    with cluster(), ThreadPoolExecutor() as pool:
        for project in (remote, local):
            project.folder.mkdir()
        undisturbed = pool.submit(local.run, ONE_SEED, "--", TARGET)
        record = run_on_cluster(remote)
    assert undisturbed.result().returncode == 0, undisturbed.result().stdout
    (folder / "record.json").write_text(json.dumps(asdict(record)))


def asked(job: Job) -> tuple[str, str, str, str, str]:
    """Return the partition, GPUs, CPUs, megabytes and time that a job asked for."""
    gpus = job.get("TresPerJob", "none").removeprefix("gres:")
    return job["Partition"], gpus, job["NumCPUs"], job["MinMemoryNode"], job["TimeLimit"]


def test_each_job_asks_slurm_for_what_its_rule_needs(trial: Trial):
    first = {name: asked(trial.record.first[trial.record.of(name)[0]]) for name in NEEDS}
    assert first == NEEDS


NEEDS = {
    "prepare": ("cpu", "none", "1", "4000M", "01:00:00"),
    "initialise": ("cpu", "none", "1", "8000M", "00:10:00"),
    "train": ("gpu", "gpu:1", "1", "16000M", "04:00:00"),
    # One GPU after another: the sum of the times, but neither of the GPUs nor of the memory.
    "measures-digits-resnet18-baseline_evaluate": ("gpu", "gpu:1", "1", "16000M", "04:00:00"),
    "measures-digits-resnet18-baseline-0": ("gpu", "gpu:1", "1", "16000M", "06:00:00"),
    "probabilities": ("cpu", "none", "1", "4000M", "00:30:00"),
    "disagreement": ("cpu", "none", "1", "4000M", "00:30:00"),
}


def test_light_rules_run_where_snakemake_does(trial: Trial):
    sent = ("measures", *(name for name in NEEDS if not name.startswith("measures")))
    named = [number for name in sent for number in trial.record.of(name)]
    assert sorted(named) == sorted(trial.record.first), "no other rule is sent to Slurm"
    assert (trial.cluster.folder / TARGET).exists()


def test_one_job_takes_what_a_condition_shares_and_one_the_other_measures_of_a_model(trial: Trial):
    comments = {trial.record.first[number]["Comment"] for number in trial.record.of("measures")}
    assert comments == {
        f"rule_measures-digits-resnet18-{condition}{group}"
        for condition in ONE_SEED["conditions"]
        for group in ("_evaluate_sharpness", "-0_landscape_perturbation")
    }


def test_no_more_jobs_use_gpus_at_once_than_there_are(trial: Trial):
    most = max(trial.record.devices, key=len)
    assert len(most) == GPUS, "both are used, and no job has more than one"
    assert all(len(set(devices)) == len(devices) for devices in trial.record.devices)
    assert {device for look in trial.record.devices for device in look} == {
        f"gpu:pretend:1(IDX:{index})" for index in range(GPUS)
    }


def resumed_at(project: Project, condition: str) -> int:
    """Return the number of epochs that the last start of a training found done."""
    log = project.results(f"logs/train/digits/resnet18/{condition}/seed0.log").read_text()
    first_bar = log.replace("\r", "\n").split("training:")[1]
    return int(first_bar.split(f"/{EPOCHS} ")[0].split()[-1])


def test_a_training_over_its_time_has_more_of_it_and_continues(trial: Trial):
    timed_out, again = trial.record.of("train_wildcards_digits_resnet18_baseline_sam")
    assert trial.record.last[timed_out]["JobState"] == "TIMEOUT"
    assert trial.record.last[again]["JobState"] == "COMPLETED"
    limits = [trial.record.first[number]["TimeLimit"] for number in (timed_out, again)]
    assert limits == ["04:00:00", "08:00:00"]
    # Slurm wakes a job before it ends it, so that more may be kept than when it was frozen.
    assert resumed_at(trial.cluster, "baseline_sam") >= trial.record.kept["baseline_sam"] > 0


def test_a_training_that_slurm_puts_back_in_the_queue_continues(trial: Trial):
    (number,) = trial.record.of("train_wildcards_digits_resnet18_baseline_0")
    assert trial.record.last[number]["Restarts"] == "1"
    assert trial.record.last[number]["TimeLimit"] == "04:00:00", "no retry was spent"
    assert resumed_at(trial.cluster, "baseline") >= trial.record.kept["baseline"] > 0


def test_a_cancelled_job_is_sent_again(trial: Trial):
    cancelled, again = trial.record.of("measures-digits-resnet18-baseline-0")
    assert trial.record.last[cancelled]["JobState"] == "CANCELLED"
    assert trial.record.last[again]["JobState"] == "COMPLETED"
    assert asked(trial.record.first[again]) == ("gpu", "gpu:1", "1", "32000M", "12:00:00")


def test_the_cluster_finds_what_a_local_run_finds(trial: Trial):
    ours, theirs = (outputs(project.results("")) for project in (trial.cluster, trial.local))
    assert differing(ours, theirs) == []
