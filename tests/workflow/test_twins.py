"""The same training started again and again at the same time: all compute, nothing is damaged."""

import subprocess
import time
from pathlib import Path

import pytest
from outputs import differing, outputs
from small_study import Project, study_with

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

STUDY = study_with(
    {
        "seeds": [0],
        "conditions": {"baseline": {}},
        "training.epochs": 150,
        "training.test_every": 50,
    }
)
RUN = "models/digits/resnet18/baseline/seed0"
TARGET = f"results/small/{RUN}/model.safetensors"


def start(project: Project, output: Path) -> subprocess.Popen:
    """Start a Snakemake that does not care for others at the same folder."""
    with output.open("w") as stream:
        command = project.command(STUDY, "--nolock", "--", TARGET)
        return subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)


def test_three_snakemakes_that_train_a_network_leave_what_one_alone_leaves(
    project: Project, tmp_path: Path
):
    alone = Project(project.checkout, tmp_path / "alone")
    alone.folder.mkdir()
    initial = "results/small/models/digits/resnet18/initial/seed0.safetensors"
    for each in (alone, project):
        result = each.run(STUDY, "--", initial if each is project else TARGET)
        assert result.returncode == 0, result.stdout

    texts = [tmp_path / f"{number}.txt" for number in range(3)]
    processes = [start(project, text) for text in texts[:2]]
    deadline = time.monotonic() + 300
    while not project.results(f"{RUN}/checkpoint.safetensors").exists():
        assert time.monotonic() < deadline, texts[0].read_text()
        time.sleep(0.01)
    processes.append(start(project, texts[2]))
    for process, text in zip(processes, texts, strict=True):
        assert process.wait(timeout=500) == 0, text.read_text()

    assert differing(outputs(project.results("")), outputs(alone.results(""))) == []
    log = project.results("logs/train/digits/resnet18/baseline/seed0.log").read_text()
    assert "finished in" in log
    assert not list(project.results("").rglob(".*"))
