"""Two networks from their archive to their tables, to be run again and again, and disturbed."""

import os
import pickle
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from outputs import outputs
from packing import packed
from small_study import Project, study_with

ARCHIVE = "cifar-10-python.tar.gz"
IMAGES_PER_BATCH = 500
TINY = study_with(
    {
        "seeds": [0, 1],
        "datasets": {
            "cifar10": {
                "source": "cifar10",
                "corrupted": "none",
                "train_samples": 60,
                "test_samples": 20,
            }
        },
        "training.epochs": 12,
        "training.batch_size": 20,
        "conditions": {"baseline": {}},
        "sharpness": {
            "forward": {},
            "perturbation": {"samples": 10},
            # Of more passes over the training data than what shares a job.
            "landscape": {"points": 10, "line_points": 5, "direction_seeds": [42]},
        },
        "toy_functions": False,
    }
)
CONDITION = "cifar10/resnet18/baseline"
RUN = f"{CONDITION}/seed0"
DATA = "data/cifar10/prepared.safetensors"
INITIAL = "models/cifar10/resnet18/initial/seed0.safetensors"
MODEL = f"models/{RUN}/model.safetensors"
CHECKPOINT = f"models/{RUN}/checkpoint.safetensors"
FORWARD = f"measures/{RUN}/forward.json"
TABLES = tuple(f"tables/{name}.csv" for name in ("measures", "history", "landscape"))


def targets(*paths: str) -> list[str]:
    """Return the arguments that ask Snakemake for these results."""
    return ["--", *(f"results/small/{path}" for path in paths)]


def write_archive(path: Path, images: int = IMAGES_PER_BATCH) -> None:
    """Write random pictures, so many a batch, in the layout of the official archive."""
    draws = np.random.default_rng(0)
    labels = (np.arange(images) % 10).tolist()
    files = {
        name: {b"data": draws.integers(0, 256, (len(labels), 3072), np.uint8), b"labels": labels}
        for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
    }
    files["batches.meta"] = {b"label_names": [b"class%d" % number for number in range(10)]}
    path.parent.mkdir(parents=True, exist_ok=True)
    contents = {name: pickle.dumps(value, protocol=2) for name, value in files.items()}
    packed(path, {f"cifar-10-batches-py/{name}": data for name, data in contents.items()})


def unlock(project: Project) -> None:
    """Do what Snakemake asks for after a run that could not end by itself."""
    result = project.run(TINY, "--unlock")
    assert result.returncode == 0, result.stdout


def run_to(project: Project, *paths: str, study: Mapping = TINY) -> str:
    """Run the study to these results and return what Snakemake published."""
    result = project.run(study, *targets(*paths))
    assert result.returncode == 0, result.stdout
    return result.stdout


def error_of(project: Project, *paths: str, study: Mapping = TINY) -> str:
    """Check that a run to these results ends with one line about one error, and return it."""
    result = project.run(study, *targets(*paths))
    assert result.returncode == 1, result.stdout
    # Snakemake shows the log of a failed job, which holds the line again.
    (line,) = {line for line in result.stdout.splitlines() if line.startswith("error: ")}
    assert "Traceback" not in result.stdout
    assert not partial_files(project) or Path(CHECKPOINT).name in line
    return line


def partial_files(project: Project) -> list[Path]:
    """Return what only unfinished work leaves, outside Snakemake's own folder."""
    endings = (".part", Path(CHECKPOINT).name)
    files = (path for path in project.folder.rglob("*") if ".snakemake" not in path.parts)
    return [path for path in files if path.name.endswith(endings)]


def assert_same_results(project: Project, undisturbed: Project) -> None:
    """Check that the results of a run are those of another one, as far as it got."""
    found, expected = (outputs(each.results("")) for each in (project, undisturbed))
    assert found
    changed = [path for path in found if found[path] != expected.get(path)]
    assert not changed, changed
    assert not partial_files(project)


def start(project: Project, *paths: str, study: Mapping = TINY, output: Path) -> subprocess.Popen:
    """Start a run in a process group of its own, its output in a file."""
    with output.open("w") as file:
        return subprocess.Popen(
            project.command(study, *targets(*paths)),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def kill_all(process: subprocess.Popen) -> None:
    """Kill a run and all of its jobs, as a power cut does."""
    # The group can outlive its leader.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(happened: Callable[[], bool], process: subprocess.Popen, what: str) -> None:
    """Wait for something to happen while a run is going on."""
    deadline = time.monotonic() + 300
    while not happened():
        assert process.poll() is None, f"the run ended before {what}"
        assert time.monotonic() < deadline, f"five minutes passed before {what}"
        time.sleep(0.005)


def seconds_of(log: Path) -> float | None:
    """Return how long the job of a log took; None if it did not end well."""
    found = re.search(r"^finished in ([\d.]+) s$", log.read_text("utf-8"), flags=re.MULTILINE)
    return float(found[1]) if found else None
