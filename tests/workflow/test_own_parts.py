"""The recipes of docs/parts.md are a file of parts, with which a study runs."""

import re
import shutil
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from small_study import ROOT, Project, study_with
from test_modules import module, run

from minimascope.study.loading import deep_merge

pytestmark = pytest.mark.workflow

PAGE = (ROOT / "docs" / "parts.md").read_text("utf-8").partition("\n## Recipes\n")[2]
RECIPES = dict(re.findall(r"^### An? (.+?)\n(.*?)(?=^###? |\Z)", PAGE, re.DOTALL | re.MULTILINE))
KINDS = {
    *("network", "optimiser", "data source", "augmentation"),
    *("measure", "evaluation", "table", "figure"),
}
OTHER = "\n\ndef unused():\n    return 'nothing'\n"


def blocks(recipe: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", recipe, re.DOTALL | re.MULTILINE)


def parts() -> str:
    return "\n\n".join(block for recipe in RECIPES.values() for block in blocks(recipe, "python"))


def study() -> dict:
    """The small study, with all that the recipes say of one."""
    small = study_with(
        {
            "seeds": [0],
            "conditions": {"baseline": {}},
            "networks": {},
            "datasets": {},
            "compare_with_published": False,
            "toy_functions": False,
            "parts": "my_parts.py",
        }
    )
    said = (yaml.safe_load(text) for each in RECIPES.values() for text in blocks(each, "yaml"))
    return reduce(deep_merge, said, small)


def write_pictures(path: Path) -> None:
    path.parent.mkdir(parents=True)
    random = np.random.default_rng(0)
    arrays = {
        f"{axis}_{split}": values
        for split, n in (("train", 60), ("test", 40))
        for axis, values in (
            ("x", random.integers(0, 256, (n, 12, 12), np.uint8)),
            ("y", np.arange(n, dtype=np.uint8) % 3),
        )
    }
    np.savez(path, **arrays)


def test_there_is_a_short_recipe_for_each_kind():
    assert RECIPES.keys() == KINDS
    for name, recipe in RECIPES.items():
        (code,), (said,) = blocks(recipe, "python"), blocks(recipe, "yaml")
        assert len([line for line in code.splitlines() if line]) <= 12, name
        assert "my_parts:" in said


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("own")
    (folder / "my_parts.py").write_text(parts() + OTHER, encoding="utf-8")
    write_pictures(folder / "run" / "data" / "mine.npz")
    project = Project(ROOT, folder / "run")
    project.finish(study())
    return project


@pytest.fixture
def file(finished: Project) -> Iterator[Path]:
    path = finished.folder.with_name("my_parts.py")
    text = path.read_text("utf-8")
    yield path
    path.write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_all_recipes_together_run_to_a_report(finished: Project):
    assert finished.planned(study()) == {}
    measures = pd.read_csv(finished.results("tables/measures.csv"))
    assert set(measures["network"]) == {"own"}
    assert set(measures["condition"]) == {"baseline", "darker"}
    values = measures.set_index("measure")["value"]
    assert values["logit_curvature"].between(0, 2 / 3).all()
    assert values["worst_class"].max() <= values["test_accuracy"].min()
    spread = pd.read_csv(finished.results("tables/spread.csv"))
    assert {"logit_curvature", "worst_class"} <= set(spread["measure"])
    assert finished.results("tables/spread.md").read_text("utf-8").startswith("| dataset")
    page = finished.results("report.html").read_text("utf-8")
    assert "Accuracy of the class that is recognised worst." in page
    for shown in (">Spread</h3>", "The smallest and the largest value over seeds."):
        assert page.count(shown) == 1
    for shown in (">Ranges: own on digits</h3>", "Each seed&#39;s value of one measure."):
        assert page.count(shown) == 1


# What is replaced in the file, by what, and the rules whose jobs then run.
EDITS = {
    "nothing that is used": ("'nothing'", "'something'", set()),
    "a comment": ("class that is recognised", "group that is recognised", {"report"}),
    "the figure": ('"o"', '"x"', {"plot_digits-own", "report"}),
    "the measure": ("1 - logits", "1.0 - logits", {"measure_own"}),
    "the network": ("32 * width", "30 * width", {"initialise", "train", "sharpness", "evaluate"}),
    "the augmentation": ("least + ", "0 + least + ", {"train"}),
}


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new", "rules"), EDITS.values(), ids=EDITS)
def test_an_edit_reruns_what_uses_it(finished: Project, file: Path, old, new, rules):
    text = file.read_text("utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")
    planned = finished.planned(study()).keys()
    if rules <= {"report", "plot_digits-own"}:
        assert planned == rules
    assert rules <= planned
    assert "prepare" not in planned
    assert ("initialise" in planned) is ("initialise" in rules)


@pytest.mark.slow
def test_an_option_reruns_what_has_it_and_another_folder_nothing(finished: Project, tmp_path: Path):
    other = deep_merge(study(), {"sharpness": {"my_parts:logit_curvature": {"batch_size": 7}}})
    assert finished.planned(other).keys() >= {"measure_own", "collect"}
    assert not {"train", "sharpness", "evaluate_own"} & finished.planned(other).keys()
    moved = shutil.copytree(finished.folder.parent, tmp_path / "moved")
    assert Project(ROOT, moved / "run").planned(study()) == {}


def test_a_module_of_another_workflow_finds_the_file_from_its_working_directory(tmp_path: Path):
    (tmp_path / "my_parts.py").write_text(parts(), encoding="utf-8")
    write_pictures(tmp_path / "data" / "mine.npz")
    snakefile = 'configfile: "study.yaml"\n' + module("ms")
    prepared = "results/small/data/digits/prepared.safetensors"
    run(tmp_path, snakefile, study(), prepared)
    assert (tmp_path / prepared).exists()


def test_an_error_of_the_users_code_is_one_line_on_the_screen(tmp_path: Path):
    broken = parts().replace("with np.load", "1 / 0\n    with np.load")
    (tmp_path / "my_parts.py").write_text(broken, encoding="utf-8")
    project = Project(ROOT, tmp_path / "run")
    write_pictures(project.folder / "data" / "mine.npz")
    ended = project.run(study(), "--", "results/small/data/digits/prepared.safetensors")
    assert ended.returncode != 0
    number = broken[: broken.index("1 / 0")].count("\n") + 1
    said = f"line {number}, in keras: ZeroDivisionError: division by zero; correct it there"
    assert f"my_parts.py, {said}" in ended.stdout
    log = project.results("logs/prepare/digits.log").read_text("utf-8")
    assert "Traceback" in log
    assert said in log.splitlines()[-1]
