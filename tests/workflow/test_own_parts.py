"""The parts that docs/tutorial.md shows how to add are added as it says, and run."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from small_study import ROOT, STUDY, Project, copy_workflow, study_with

from minimascope.study.loading import deep_merge

pytestmark = pytest.mark.workflow

TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
OWN = TUTORIAL.partition("\n## Own parts\n")[2].partition("\n## ")[0]
RECIPES = dict(re.findall(r"^### An? (.+?)\n(.*?)(?=^###|\Z)", OWN, re.DOTALL | re.MULTILINE))
CHOSEN = ("network", "optimiser", "data source")
SHOWN = ("table", "figure")
ADDED = "logit_curvature"


def blocks(recipe: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", recipe, re.DOTALL | re.MULTILINE)


def insert(path: Path, text: str, after: str) -> None:
    """Put a text into a file, behind one that it has once."""
    old = path.read_text("utf-8")
    assert old.count(after) == 1
    path.write_text(old.replace(after, after + text), encoding="utf-8")


def follow(recipe: str, checkout: Path) -> None:
    """Write the module that a recipe names, and its line into the registry."""
    (module,), (code,) = (
        re.findall(r"`(scripts/\S+\.py)`:$", recipe, re.M),
        blocks(recipe, "python"),
    )
    assert not (checkout / module).exists()
    (checkout / module).write_text(code, encoding="utf-8")
    (table,) = re.findall(r"^A line in `(\w+)`:$", recipe, re.M)
    (line,) = re.findall(r"^    \"\w+\": .*\n", recipe, re.M)
    registry = "tables_and_figures" if table in ("TABLES", "FIGURES") else "registry"
    path = checkout / "scripts" / "minimascope" / f"{registry}.py"
    insert(path, line, after=f"\n{table} = {{\n")


def follow_measure(checkout: Path) -> None:
    recipe, library = RECIPES["measure"], checkout / "scripts" / "minimascope"
    (function,) = blocks(recipe, "python")
    (line,) = re.findall(r"^    Measurement\(.*\n", recipe, re.M)
    forward = library / "sharpness" / "forward.py"
    insert(forward, line, after='Measurement("train_loss", loss, "nats", n),\n')
    forward.write_text(forward.read_text("utf-8") + "\n\n" + function, encoding="utf-8")
    gives = 'gives=(\n            "fisher_rao_norm",\n'
    insert(library / "registry.py", f'"{ADDED}",', after=gives)


def test_recipes_are_short():
    assert RECIPES.keys() >= {*CHOSEN, *SHOWN, "measure"}
    for name in (*CHOSEN, *SHOWN, "measure"):
        (code,) = blocks(RECIPES[name], "python")
        assert len([line for line in code.splitlines() if line]) <= 12, name


@pytest.mark.slow
def test_an_own_network_optimiser_source_and_measure_go_through_the_whole_study(tmp_path: Path):
    checkout = copy_workflow(tmp_path / "checkout")
    project = Project(checkout, tmp_path / "run")
    (project.folder / "data").mkdir(parents=True)
    random = np.random.default_rng(0)
    arrays = {
        f"{axis}_{split}": values
        for split, n in (("train", 60), ("test", 40))
        for axis, values in (
            ("x", random.integers(0, 256, (n, 12, 12), np.uint8)),
            ("y", np.arange(n, dtype=np.uint8) % 3),
        )
    }
    np.savez(project.folder / "data" / "mine.npz", **arrays)
    study = study_with(
        {"seeds": [0], "conditions": {"baseline": {}}, "networks": {}, "datasets": {}}
    )
    for name in CHOSEN:
        follow(RECIPES[name], checkout)
        (said,) = blocks(RECIPES[name], "yaml")
        study = deep_merge(study, yaml.safe_load(said))
    project.finish(study)
    assert project.planned(study) == {}

    follow_measure(checkout)
    planned = project.planned(study)
    assert planned["sharpness"] == 1
    assert not {"prepare", "initialise", "train", "evaluate"} & planned.keys()
    project.finish(study)
    measures = pd.read_csv(project.results("tables/measures.csv"))
    assert set(measures["network"]) == {"own"}
    assert ADDED in set(measures["measure"])
    assert ADDED in project.results("report.html").read_text("utf-8")


def test_an_own_table_and_an_own_figure_are_in_the_report_and_only_they_are_made(
    copied: Project, tmp_path: Path
):
    checkout = copy_workflow(tmp_path / "checkout")
    project = Project(checkout, copied.folder)
    for name in SHOWN:
        follow(RECIPES[name], checkout)
    drawn = {"tables": 1, "plot_digits": 1, "plot_digits-resnet18": 1, "report": 1}
    assert project.planned(STUDY) == drawn
    project.finish(STUDY)
    table = pd.read_csv(project.results("tables/spread.csv"))
    values = pd.read_csv(project.results("tables/seed_values.csv"))
    assert table["max"].max() == values["value"].max()
    assert project.results("tables/spread.md").read_text("utf-8").startswith("| dataset")
    page = project.results("report.html").read_text("utf-8")
    for shown in (">Spread</h3>", "The smallest and the largest value over seeds."):
        assert page.count(shown) == 1
    for shown in (">Ranges: resnet18 on digits</h3>", "Accuracy of each seed."):
        assert page.count(shown) == 1
