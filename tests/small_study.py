"""A small study, and real Snakemake to run it."""

import copy
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock
from safetensors import safe_open

from minimascope.jobs.planning import Plan, plan

ROOT = Path(__file__).parents[1]
WORKFLOW = (
    "Snakefile",
    "config.yaml",
    "rules",
    "scripts",
    "resources",
    "profiles",
    "report",
    "envs",
)

# Figures of weights on the way, which the small study does not keep.
ALONG = {"trajectory", "trajectory_loss", "path", "edge_of_stability"}
STUDY = {
    "study": "small",
    "seeds": [0, 1],
    "datasets": {"digits": {"source": "digits", "train_size": 60}},
    "networks": {"resnet18": {"architecture": "resnet18", "width": 0.0625}},
    "training": {
        "epochs": 2,
        "batch_size": 30,
        "optimizer": {"name": "sgd", "lr": 0.02, "momentum": 0.9},
    },
    "conditions": {"baseline": {}, "baseline_sam": {"sam": {"rho": 0.05}}},
    "sharpness": {"forward": {}, "perturbation": {"samples": 3, "published_samples": 2}},
    # Four steps train no network; what is tested is made of all of them nevertheless.
    "analysis": {"trained": {"train_accuracy": None, "train_loss": None, "gradient_norm": None}},
    "evaluation": {
        "corruptions": {"names": ["gaussian_noise", "brightness"], "severities": [1], "samples": 10}
    },
    "compare_with_published": True,
    "toy_functions": True,
}


def study_with(changes: Mapping[str, Any], study: Mapping[str, Any] = STUDY) -> dict[str, Any]:
    """Return the small study, or another one, with values replaced, by the path of their key."""
    study = copy.deepcopy(dict(study))
    for path, value in changes.items():
        *sections, leaf = path.split(".")
        section = study
        for key in sections:
            section = section.setdefault(key, {})
        section[leaf] = value
    return study


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _fresh_plan(study: Path, folder: Path, checkout: Path) -> Plan:
    """Return a plan by the code of this checkout, whatever was imported from another."""
    ours = [name for name in sys.modules if name.partition(".")[0] == "minimascope"]
    # Its answer must be of a class that the process which asked knows.
    for name in set(ours) - {"minimascope.jobs.planning"}:
        del sys.modules[name]
    return plan(study, folder, checkout)


@dataclass(frozen=True)
class Project:
    """A checkout of the workflow and a folder in which it runs."""

    checkout: Path
    folder: Path

    def study_file(self, study: Mapping[str, Any], name: str | None = None) -> Path:
        """Write a study to a file, unless named one of its own, and return the file's path."""
        text = yaml.safe_dump(dict(study), sort_keys=False)
        # Beside the folder, which others may be copying, and whole at any moment: another worker
        # may be planning the same study.
        name = name or f"study-{_digest(text)}"
        config = self.folder.with_name(f"{name}.yaml")
        partial = self.folder.with_name(f"{name}.{os.getpid()}")
        partial.write_text(text)
        partial.replace(config)
        return config

    def command(self, study: Mapping[str, Any], *arguments: str) -> list[str]:
        """Return the command that runs Snakemake on a study."""
        # What runs in a folder is one file for each study, which is edited; a plan claims nothing.
        ran = "study-" + _digest(f"{self.folder} {study.get('study')}")
        config = self.study_file(study, None if "--dry-run" in arguments else ran)
        profile = self.checkout / "profiles" / "default"
        return [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(self.checkout / "Snakefile")),
            *("--directory", str(self.folder), "--configfile", str(config)),
            *("--workflow-profile", str(profile), "--cores", "2", *arguments),
        ]

    def run(self, study: Mapping[str, Any], *arguments: str) -> subprocess.CompletedProcess:
        """Run Snakemake and return what it published, both streams together, and its exit code."""
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        return subprocess.run(
            self.command(study, *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )

    def finish(self, study: Mapping[str, Any], *arguments: str) -> None:
        """Run Snakemake to a good end."""
        result = self.run(study, *arguments)
        assert result.returncode == 0, result.stdout

    def kill_once_kept(
        self, study: Mapping[str, Any], target: str, checkpoint: str | Path, pause: float = 0.0
    ) -> int:
        """Do as `kill_once_written` does, and return how many epochs of a training are kept."""
        self.kill_once_written(study, target, checkpoint, pause)
        with safe_open(self.folder / checkpoint, framework="numpy") as file:
            return json.loads(file.metadata()["minimascope"])["epoch"]

    def kill_once_written(
        self, study: Mapping[str, Any], target: str, checkpoint: str | Path, pause: float = 0.0
    ) -> None:
        """Start a run, kill its process group some seconds after it wrote a checkpoint anew."""
        path = self.folder / checkpoint
        before = path.stat().st_mtime_ns if path.exists() else 0
        process = subprocess.Popen(
            self.command(study, "--", target),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 300
            while not path.exists() or path.stat().st_mtime_ns == before:
                assert process.poll() is None, "the run ended before it could be killed"
                assert time.monotonic() < deadline, "no checkpoint was written"
                time.sleep(0.01)
            time.sleep(pause)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def plan(self, study: Mapping[str, Any]) -> Plan:
        """Return what a run would do."""
        # In a process of its own, which reads the checkout's code anew; a forked one has imported
        # Snakemake already, which takes longer than the plan.
        with ProcessPoolExecutor(1, mp_context=get_context("fork")) as process:
            study_file = self.study_file(study)
            return process.submit(_fresh_plan, study_file, self.folder, self.checkout).result()

    def planned(self, study: Mapping[str, Any]) -> dict[str, int]:
        """Return how many jobs of each rule a run would start."""
        return dict(Counter(job.rule for job in self.plan(study).jobs))

    def results(self, path: str) -> Path:
        """Return a path in the results of the small study."""
        return self.folder / "results" / STUDY["study"] / path


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that one worker of a test run fills, and that all others find full."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, done = shared / name, shared / f"{name}.done"
    with FileLock(shared / f"{name}.lock"):
        if not done.exists():
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def copy_workflow(target: Path) -> Path:
    """Copy all that a run of the workflow needs, and nothing it has made."""
    for name in WORKFLOW:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, target / name, ignore=ignored)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target
