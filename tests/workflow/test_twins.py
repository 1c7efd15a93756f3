"""The same job started twice at once: one of both computes, and nothing is damaged."""

import subprocess
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
MODEL = "models/digits/resnet18/baseline/seed0/model.safetensors"
TARGET = f"results/small/{MODEL}"
LOG = "logs/train/digits/resnet18/baseline/seed0.log"


def start(project: Project, output: Path) -> subprocess.Popen:
    """Start a Snakemake that does not care for others at the same folder."""
    with output.open("w") as stream:
        command = project.command(STUDY, "--nolock", "--", TARGET)
        return subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)


def test_two_snakemakes_at_once_train_a_network_once(project: Project, tmp_path: Path):
    alone = Project(project.checkout, tmp_path / "alone")
    alone.folder.mkdir()
    initial = "results/small/models/digits/resnet18/initial/seed0.safetensors"
    for each in (alone, project):
        result = each.run(STUDY, "--", initial if each is project else TARGET)
        assert result.returncode == 0, result.stdout

    texts = [tmp_path / "first.txt", tmp_path / "second.txt"]
    processes = [start(project, text) for text in texts]
    for process, text in zip(processes, texts, strict=True):
        assert process.wait(timeout=500) == 0, text.read_text()

    waiting = [text.read_text().count("waiting for the same job") for text in texts]
    assert sorted(waiting) == [0, 1]
    log = project.results(LOG).read_text()
    assert log.count("finished in") == 1
    assert "started again, and left to process" in log
    assert differing(outputs(project.results("")), outputs(alone.results(""))) == []
    assert not list(project.results("").rglob(".*"))
