"""The workflow as a module of another one, which consumes its tables."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from small_study import ROOT, STUDY, Project, study_with

pytestmark = pytest.mark.workflow

SNAKEFILE = ROOT / "Snakefile"
# Jobs that the table of measures of the small study needs.
BEFORE_MEASURES = {
    "prepare": 1,
    "corrupt": 2,
    "initialise": 2,
    "train": 4,
    "evaluate": 2,
    "sharpness": 2,
    "probabilities": 1,
    "collect": 1,
}


def written_in_the_tutorial() -> str:
    """Return the Snakefile that docs/tutorial.md shows, with the path of this checkout."""
    section = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    section = section.split("## Inside another workflow")[1].split("\n## ")[0]
    lines = re.findall(r"^(?: {4}.*)?$", section, flags=re.MULTILINE)
    text = "\n".join(line.removeprefix("    ") for line in lines)
    assert text.count('"minimascope/Snakefile"') == 1
    return text.replace("minimascope/Snakefile", str(SNAKEFILE))


def module(name: str, keyword: str = "use rule * from {name} as {name}_*", **settings: str) -> str:
    """Return what takes up this workflow as a module of a name."""
    settings = {"snakefile": repr(str(SNAKEFILE)), "config": "config", **settings}
    lines = [f"    {key}: {value}" for key, value in settings.items()]
    return "\n".join([f"module {name}:", *lines, keyword.format(name=name), ""])


def run(folder: Path, snakefile: str, config: dict, *arguments: str) -> str:
    """Run Snakemake on a Snakefile in its folder and return what it printed."""
    (folder / "Snakefile").write_text(snakefile, encoding="utf-8")
    (folder / "study.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=environment,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def planned(printed: str) -> dict[str, int]:
    """Return how many jobs of each rule a dry run listed."""
    table = printed.split("Job stats:")[1].split("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\S+) +(\d+)$", table, re.MULTILINE)}


def prefixed(jobs: dict[str, int], prefix: str) -> dict[str, int]:
    return {prefix + rule: count for rule, count in jobs.items()}


def test_the_snakefile_of_the_readme_needs_the_jobs_before_its_table(tmp_path: Path):
    printed = run(tmp_path, written_in_the_tutorial(), STUDY, "--dry-run")
    assert planned(printed) == prefixed(BEFORE_MEASURES, "ms_") | {"rows": 1}
    assert not (tmp_path / "results").exists()


def test_a_finished_study_runs_nothing_again_inside_another_workflow(copied: Project):
    printed = run(copied.folder, written_in_the_tutorial(), STUDY)
    # The profile of this workflow is not that of the other one; its triggers are.
    assert "1 of 1 steps (100%) done" in printed
    table = copied.results("tables/measures.csv").read_text(encoding="utf-8")
    assert int((copied.folder / "rows.txt").read_text()) == len(table.splitlines())


@pytest.mark.slow
def test_rules_may_keep_their_names(tmp_path: Path):
    own = 'rule rows:\n    input: rules.collect.output.measures\n    output: "rows.txt"\n'
    text = 'configfile: "study.yaml"\n' + module("minimascope", "use rule * from {name}") + own
    printed = run(tmp_path, text, STUDY, "--dry-run", "rows")
    assert planned(printed) == BEFORE_MEASURES | {"rows": 1}


@pytest.mark.slow
def test_a_module_makes_all_of_its_study_where_no_target_comes_first(project: Project):
    text = 'configfile: "study.yaml"\n' + module("ms")
    inside = planned(run(project.folder, text, STUDY, "--dry-run"))
    assert inside == prefixed(project.planned(STUDY) | {"all": 1}, "ms_")


@pytest.mark.slow
def test_two_studies_are_two_modules_and_constrain_no_wildcard_of_others(tmp_path: Path):
    studies = {"first": STUDY, "second": study_with({"study": "other", "seeds": [0]})}
    text = 'configfile: "study.yaml"\nrule both:\n    input: "a.txt", "b.txt", "abc-any.txt"\n'
    for name, study in zip("ab", studies, strict=True):
        text += module(name, config=f'config["{study}"]')
        text += f"rule of_{name}:\n    input: rules.{name}_collect.output.measures\n"
        text += f'    output: "{name}.txt"\n'
    text += 'rule own:\n    output: "{seed}-{dataset}.txt"\n'
    one_seed = BEFORE_MEASURES | {"initialise": 1, "train": 2}
    expected = prefixed(BEFORE_MEASURES, "a_") | prefixed(one_seed, "b_")
    printed = run(tmp_path, text, studies, "--dry-run")
    assert planned(printed) == expected | {"both": 1, "own": 1, "of_a": 1, "of_b": 1}


@pytest.mark.slow
def test_two_studies_in_two_modules_share_published_results(tmp_path: Path):
    studies = {"first": STUDY, "second": study_with({"study": "other", "toy_functions": False})}
    text = 'configfile: "study.yaml"\n'
    for name, study in zip("ab", studies, strict=True):
        text += module(name, config=f'config["{study}"]')
    text += "rule both:\n    input: rules.a_all.input, rules.b_all.input\n"
    found = planned(run(tmp_path, text, studies, "--dry-run", "both"))
    assert (found["a_report"], found["b_report"]) == (1, 1)
    assert {rule for rule in found if "published" in rule} == {
        "a_published_tables",
        "a_published_figures",
    }


def test_a_prefix_moves_what_is_made_but_not_the_raw_data(tmp_path: Path):
    archive = tmp_path / "data" / "cifar-10-python.tar.gz"
    archive.parent.mkdir()
    archive.touch()
    study = study_with({"datasets": {"cifar10": {"source": "cifar10"}}})
    text = 'configfile: "study.yaml"\n' + module("ms", prefix='"sharp"')
    target = "sharp/results/small/models/cifar10/resnet18/baseline/seed0/model.safetensors"
    printed = run(tmp_path, text, study, "--dry-run", target)
    # No download: the archive is at hand.
    assert planned(printed) == {"ms_prepare": 1, "ms_initialise": 1, "ms_train": 1}


@pytest.mark.slow
def test_a_module_with_a_prefix_makes_its_tables_there_and_nothing_elsewhere(tmp_path: Path):
    study = study_with(
        {
            "seeds": [0],
            "conditions": {"baseline": {}},
            "training.epochs": 1,
            "sharpness.perturbation": None,
            "evaluation.corruptions": None,
        }
    )
    text = 'configfile: "study.yaml"\n' + module("ms", prefix='"sharp"')
    run(tmp_path, text, study, "sharp/results/small/tables/measures.csv")
    made = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert made == {"Snakefile", "study.yaml", ".snakemake", "sharp"}
    assert len((tmp_path / "sharp/results/small/tables/measures.csv").read_text().split()) > 10
    again = run(tmp_path, text, study, "--dry-run", "sharp/results/small/tables/measures.csv")
    assert "Nothing to be done" in again
