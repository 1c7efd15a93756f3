"""The network and the measure that the README shows how to add are added, and run."""

import re
from pathlib import Path

import pandas as pd
import pytest
from small_study import ROOT, Project, copy_workflow, study_with

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

README = (ROOT / "README.md").read_text("utf-8").partition("## Bring your own")[2]
NETWORK, MEASURE = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)[:2]
NETWORK_LINE, MEASURE_LINE = re.findall(r"^    (?:\"small_cnn\": |Measurement\().*\n", README, re.M)
STUDY = study_with({"networks": {"own": {"architecture": "small_cnn", "width": 2}}, "seeds": [0]})
ADDED = "logit_curvature"


def insert(path: Path, text: str, after: str) -> None:
    """Put a text into a file, behind one that it has once."""
    old = path.read_text("utf-8")
    assert old.count(after) == 1
    path.write_text(old.replace(after, after + text), encoding="utf-8")


def test_recipes_are_of_ten_lines():
    for recipe in (NETWORK + NETWORK_LINE, MEASURE + MEASURE_LINE):
        assert len([line for line in recipe.splitlines() if line]) <= 10


def test_an_own_network_and_an_own_measure_go_through_the_whole_study(tmp_path: Path):
    library = copy_workflow(tmp_path / "checkout") / "scripts" / "minimascope"
    (tmp_path / "run").mkdir()
    project = Project(tmp_path / "checkout", tmp_path / "run")
    (library / "networks" / "small_cnn.py").write_text(NETWORK, encoding="utf-8")
    insert(library / "registry.py", NETWORK_LINE, after="NETWORKS = {\n")
    project.finish(STUDY)

    forward = library / "sharpness" / "forward.py"
    insert(forward, MEASURE_LINE, after='Measurement("train_loss", loss, "nats", len(split)),\n')
    forward.write_text(forward.read_text("utf-8") + "\n\n" + MEASURE, encoding="utf-8")
    insert(
        library / "registry.py", f'"{ADDED}",', after='gives=[\n            "fisher_rao_norm",\n'
    )
    planned = project.planned(STUDY)
    assert "forward" in planned
    assert not {"prepare", "initialise", "train", "evaluate", "perturbation"} & planned.keys()
    project.finish(STUDY)
    for name in ("measures", "correlations", "statistics"):
        table = pd.read_csv(project.results(f"tables/{name}.csv"))
        assert (table == ADDED).any(axis=None), name
    report = project.results("report.html").read_text("utf-8")
    assert report.count(ADDED) > 1, "the report shows it"
