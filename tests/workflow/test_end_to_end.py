"""What a finished study holds, and what can be known of a study before it runs."""

import csv
import json
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, STUDY, Project, study_with

pytestmark = pytest.mark.workflow

RUNS = [
    f"digits/resnet18/{condition}/seed{seed}"
    for condition, seed in product(STUDY["conditions"], STUDY["seeds"])
]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_run_has_a_row_for_each_measure_with_what_is_needed_to_trust_it(finished: Project):
    rows = rows_of(finished.results("tables/measures.csv"))
    measures = {
        *("fisher_rao_norm", "relative_flatness", "squared_weight_norm"),
        *("train_loss", "train_accuracy", "sam_sharpness", "sam_sharpness_signed"),
        *("test_accuracy", "test_nll", "test_brier", "test_ece", "test_ece_published"),
        *("corruption_accuracy", "generalisation_gap"),
    }
    found = {(row["condition"], int(row["seed"]), row["measure"]) for row in rows}
    assert found == set(product(STUDY["conditions"], STUDY["seeds"], measures))
    assert len(rows) == len(found)
    for row in rows:
        assert all(row[key] for key in ("value", "unit", "protocol", "n", "seconds")), row
        assert bool(row["standard_error"]) == row["measure"].startswith("sam_sharpness")


def test_a_document_says_what_was_measured_on_what(finished: Project):
    document = json.loads(finished.results(f"measures/{RUNS[0]}/perturbation.json").read_text())
    assert document["settings"] == {"radius": 0.005, "samples": 3, "dtype": "float32"}
    assert document["run"] == {
        "dataset": "digits",
        "network": "resnet18",
        "condition": "baseline",
        "seed": "0",
    }
    assert document["seconds"] > 0
    assert len(document["model"]) == len(document["data"]) == 64


def test_every_job_has_a_log_that_says_how_it_ended_and_a_benchmark(finished: Project):
    logs = list(finished.results("logs").rglob("*.log"))
    benchmarks = list(finished.results("benchmarks").rglob("*.tsv"))
    assert len(logs) == len(benchmarks) == 30
    assert all("finished in" in log.read_text() for log in logs)
    training = finished.results(f"logs/train/{RUNS[0]}.log").read_text()
    assert "100%" in training


def test_tables_come_in_every_format_and_name_every_condition(finished: Project):
    for name in ("main.md", "main.csv", "main.tex", "main.html", "summary.csv"):
        text = finished.results(f"tables/{name}").read_text().replace("\\_", "_")
        assert all(condition in text for condition in STUDY["conditions"]), name
    pairs = rows_of(finished.results("tables/disagreement.csv"))
    assert len(pairs) == 6
    history = rows_of(finished.results("tables/history.csv"))
    assert len(history) == len(RUNS) * STUDY["training"]["epochs"]
    toy = rows_of(finished.results("tables/toy_geometry.csv"))
    assert len(toy) == 40
    assert sum(row["agrees_as_printed"] == "False" for row in toy) == 5


def test_figures_are_drawn(finished: Project):
    figures = list(finished.results("figures").rglob("*.svg"))
    assert len(figures) == 6
    assert all(figure.read_text().startswith("<?xml") for figure in figures)


def test_the_report_holds_every_table_and_figure_with_its_caption(copied: Project):
    result = copied.run(STUDY, "--report", "report.html")
    assert result.returncode == 0, result.stdout
    text = (copied.folder / "report.html").read_text(encoding="utf-8")
    for words in ("standard error over seeds", "rank correlation", "Toy functions", "main.html"):
        assert words in text


def test_all_conditions_of_a_seed_start_from_the_same_file(finished: Project):
    hashes = {}
    for run in RUNS:
        seed = run[-1]
        content = finished.results(f"models/{run}/model.safetensors").read_bytes()
        size = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + size])
        metadata = json.loads(header["__metadata__"]["minimascope"])
        hashes.setdefault(seed, set()).add(metadata["initial"])
        assert metadata["training"]["epochs"] == 2
    assert all(len(found) == 1 for found in hashes.values())
    assert hashes["0"] != hashes["1"]


STUDIES = [ROOT / "config.yaml", *sorted((ROOT / "studies").glob("*.yaml"))]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_can_be_planned_without_any_data(project: Project, path: Path):
    study = yaml.safe_load(path.read_text())
    planned = project.planned(study)
    sweeps = study.get("sweeps", {}).values()
    cells = 0
    for sweep in sweeps:
        size = 1
        for values in sweep["axes"].values():
            size *= len(values)
        cells += size * len(sweep.get("conditions", study["conditions"]))
    models = len(study["networks"]) * len(study["datasets"]) * len(study["seeds"])
    models *= len(study["conditions"]) + cells
    for rule in ("train", "forward", "perturbation", "evaluate"):
        assert planned[rule] == models
    assert planned["plot"] == 5 * len(study["networks"])
    assert list(project.folder.rglob("*.safetensors")) == []


def test_the_rule_graph_is_drawn_with_every_rule(project: Project):
    dot = project.run(STUDY, "--forceall", "--rulegraph", "--quiet", "all").stdout
    dot = dot[dot.index("digraph") :]
    target = project.folder / "rule_graph.svg"
    script = ROOT / "scripts" / "rule_graph.py"
    subprocess.run([sys.executable, script, target], input=dot, text=True, check=True)
    drawn = set(re.findall(r"<!-- (\w+) -->", target.read_text()))
    rules = set(re.findall(r'label = "(\w+)"', dot))
    assert {"prepare", "train", "collect", "summarise", "plot", "all"} <= rules
    assert rules <= drawn


def test_only_what_the_study_wants_is_planned(project: Project):
    study = study_with(
        {
            "evaluation": {"corruptions": None},
            "sharpness": {"perturbation": None},
            "toy_functions": False,
        }
    )
    planned = project.planned(study)
    assert not {"corrupt", "perturbation", "toy_geometry"} & planned.keys()
    assert planned["forward"] == len(RUNS)
