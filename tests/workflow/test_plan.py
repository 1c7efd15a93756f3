"""Every study that comes with the workflow can be planned anywhere, without data and at once."""

import json
import math
import re
import shutil
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from small_study import ALONG, ROOT, STUDY, Project, copy_workflow, study_with
from tools import run_tool

from minimascope.jobs import code_version
from minimascope.jobs.code_version import version_of
from minimascope.jobs.planning import planned_workflow
from minimascope.registry import OF_SNAPSHOTS, SHARPNESS
from minimascope.tables_and_figures import FIGURES

pytestmark = pytest.mark.workflow

STUDIES = {path.stem: path for path in (ROOT / "config.yaml", *(ROOT / "studies").glob("*.yaml"))}
# Sources whose data are recordings.
SOUNDS = {"audio_folder", "dcase2020", "synthetic_scenes"}
# Sources of which networks are published.
PUBLISHED = {"cifar10", "cifar100", "tiny_imagenet", "dcase2020"}
# What is too slow to be imported whenever someone asks for a plan.
HEAVY = {"torch", "torchvision", "timm", "torchmetrics", "sklearn", "scipy", "pandas", "matplotlib"}


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def jobs_and_files(study: Path, folder: Path) -> tuple[Counter[str], set[str]]:
    """Return how many jobs of each rule a run would start, and all outputs, below the results."""
    with planned_workflow(study, folder) as workflow:
        jobs = [job for job in workflow.dag.jobs if job.output]
        files = {file.split("/", 2)[-1] for job in jobs for file in job.output}
        return Counter(job.rule.name for job in jobs), files


@pytest.mark.parametrize("path", STUDIES.values(), ids=STUDIES)
def test_a_study_is_planned_in_an_empty_folder(project: Project, path: Path):
    study = read(path)
    planned, made = jobs_and_files(path, project.folder)
    assert planned["report"] == 1
    published = study.get("toy_functions", False) or any(
        dataset.get("published_as", dataset["source"]) in PUBLISHED
        for dataset in study.get("datasets", {}).values()
    )
    assert planned["published_tables"] == planned["published_figures"] == published
    assert not (project.folder / "results").exists()
    assert planned["toy_fits"] == planned["toy_sharpness"]
    assert ("toy_fits" in planned) == ("toy_fits" in study)
    if "datasets" not in study:
        assert "train" not in planned
        return
    conditions = [*study["conditions"]]
    for sweep in study.get("sweeps", {}).values():
        cells = math.prod(map(len, sweep["axes"].values()))
        conditions += cells * [*sweep.get("conditions", study["conditions"])]
    datasets = study["datasets"].values()
    pairs = sum(len(dataset.get("networks", study["networks"])) for dataset in datasets)
    assert planned["initialise"] == pairs * len(study["seeds"])
    assert planned["evaluate"] == pairs * len(conditions)
    assert planned["train"] == planned["evaluate"] * len(study["seeds"])
    # Views of the data and initial weights are measured, too.
    assert planned["sharpness"] >= planned["evaluate"]
    families = SHARPNESS.keys() & study.get("sharpness", {}) or {"forward", "perturbation"}
    families |= OF_SNAPSHOTS.keys() & study.get("sharpness", {})
    documents = [Path(file) for file in made if re.match(r"measures/.*/seed\d+/.*json", file)]
    sections = ("sharpness", "evaluation")
    own = {key.partition(":")[2] for name in sections for key in study.get(name, {}) if ":" in key}
    evaluated = {"evaluation"} | ({"adversarial"} & study.get("evaluation", {}).keys())
    assert {path.stem.partition("-")[0] for path in documents} == families | own | evaluated
    some = {name for name, own in study.get("sharpness", {}).items() if name in SHARPNESS}
    some = {name for name in some if study["sharpness"][name].get("only")}
    for name in SHARPNESS.keys() & planned.keys() - some:
        assert planned[name] == planned["sharpness"] * len(study["seeds"])
    for name in some:
        assert 0 < planned[name] < planned["sharpness"] * len(study["seeds"])
    sounds = sum(dataset["source"] in SOUNDS for dataset in datasets)
    assert planned["features"] == planned["recordings"] == sounds
    assert planned["prepare"] == len(datasets) - sounds
    ensembles = {f"tables/{name}" for name in ("ensembles.csv", "ensemble_gain.csv")}
    assert made & ensembles == (ensembles if len(study["seeds"]) > 1 else set())
    assert ("tables/agreement.csv" in made) == any(
        dataset.get("published_as", dataset["source"]) in PUBLISHED - {"dcase2020"}
        for dataset in datasets
    )


def test_landscapes_of_some_networks_add_their_jobs_and_no_others(project: Project):
    path = STUDIES["function_centric"]
    with_some = read(path)
    without = {**with_some, "sharpness": {**with_some["sharpness"], "landscape": None}}
    planned, made = jobs_and_files(path, project.folder)
    before, made_before = jobs_and_files(project.study_file(without), project.folder)
    # Six conditions, two of them on two views of the data, of three seeds and four networks.
    assert planned - before == {"landscape": 8 * 3 * 4, "gather": 1}
    assert before - planned == Counter()
    assert made_before < made
    of = r"(measures|figures)/cifar100?/(resnet18|vgg19)/([a-z_]+/seed[012]/)?landscape"
    others = [file for file in made - made_before if not re.match(of, file)]
    assert others == ["tables/landscape.csv"]


def test_the_default_study_trains_36_networks_from_6_initial_ones(project: Project):
    plan = project.planned(read(ROOT / "config.yaml"))
    assert (plan["train"], plan["initialise"], plan["prepare"]) == (36, 6, 1)


@pytest.mark.parametrize("name", ["digits_sharpness", "synthetic_scenes", "function_centric"])
def test_the_report_reads_the_records_of_the_jobs_that_it_depends_on(tmp_path: Path, name: str):
    with planned_workflow(ROOT / "studies" / f"{name}.yaml", tmp_path) as workflow:
        (report,) = (job for job in workflow.dag.jobs if job.rule.name == "report")
        others = {job.benchmark for job in workflow.dag.jobs} - {report.benchmark, None}
        assert sorted(report.params.records) == sorted(map(str, others))


def test_a_network_starts_from_what_its_condition_and_seed_ended_with_on_other_data(tmp_path):
    with planned_workflow(ROOT / "studies" / "transfer.yaml", tmp_path) as workflow:
        trainings = [job for job in workflow.dag.jobs if job.rule.name == "train"]
        made = {str(job.output.model): dict(job.wildcards) for job in trainings}
        seconds = [job for job in trainings if job.wildcards.dataset == "second"]
        assert len(seconds) == len(trainings) / 2 == 40
        for job in seconds:
            (start,) = (str(path) for path in job.input.weights)
            assert made[start] == {**job.wildcards, "dataset": "first"}
        assert not any(job.input.weights for job in trainings if job not in seconds)


def test_copies_of_data_with_fewer_training_domains_have_the_draws_of_their_reference(project):
    scenes = read(ROOT / "studies" / "synthetic_scenes.yaml")
    scenes["datasets"]["without_a"]["corrupted"] = "generated"
    # Alike in nothing that is compared, so it has draws of its own.
    scenes["datasets"]["another"] = {**scenes["datasets"]["without_a"], "test_samples": 50}
    with planned_workflow(project.study_file(scenes), project.folder) as workflow:
        jobs = [job for job in workflow.dag.jobs if job.rule.name == "corrupt_recordings"]
        found = {(job.wildcards.dataset, json.loads(job.params.stream)["stream"]) for job in jobs}
        parts = {job.wildcards.dataset: job.params.part for job in jobs}
    assert found == {("scenes", "scenes"), ("without_a", "scenes"), ("another", "another")}
    # What is trained on is no part of such a job.
    assert parts["without_a"] == parts["scenes"] != parts["another"]


def test_another_version_of_a_library_concerns_the_jobs_of_its_networks_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    networks = {"theirs": {"architecture": "timm:test_vit"}, "ours": {"architecture": "vit"}}
    study = Project(ROOT, tmp_path).study_file(study_with({"networks": networks}))

    def params() -> dict[tuple[str, ...], list[str]]:
        with planned_workflow(study, tmp_path) as workflow:
            return {(job.rule.name, *job.wildcards): list(job.params) for job in workflow.dag.jobs}

    before = params()
    version_of.cache_clear()
    monkeypatch.setattr(code_version, "version", lambda package: "9.9")
    after = params()
    version_of.cache_clear()
    changed = {job for job in before if before[job] != after[job]}
    assert {job[0] for job in changed} >= {"initialise", "train", "evaluate", "sharpness"}
    assert all("theirs" in job for job in changed)


def test_a_sweep_adds_a_condition_for_each_cell_of_its_grid(project: Project):
    axes = {"training.batch_size": [20, 30], "training.optimizer.lr": [0.1, 0.01, 0.001]}
    grid = {"axes": axes, "conditions": ["baseline"]}
    plan = project.planned(study_with({"sweeps": {"grid": grid}}))
    assert plan["train"] == (2 + 6) * 2
    assert plan["initialise"] == 2


def test_switched_off_families_and_stages_have_no_jobs(project: Project):
    study = study_with({"sharpness.perturbation": None, "evaluation.corruptions": None})
    planned, made = jobs_and_files(project.study_file(study), project.folder)
    assert "corrupt" not in planned
    assert not any("perturbation" in file for file in made)
    assert any(file.endswith("/forward.json") for file in made)


@pytest.mark.parametrize("wanted", [True, False])
def test_the_report_shows_the_published_results_that_are_asked_for(project, wanted: bool):
    changes = {"compare_with_published": True, "toy_functions": wanted}
    study = project.study_file(study_with(changes))
    with planned_workflow(study, project.folder) as workflow:
        (report,) = (job for job in workflow.dag.jobs if job.rule.name == "report")
        shown = {Path(file).stem for file in report.input if "results/published/" in file}
    tables = ("claims", "outcomes", "outcome_shares", "interactions", "sam_radius")
    of_images = {f"published_{name}" for name in tables}
    of_images.add("published-outcomes")
    assert shown == of_images | ({"toy_geometry"} if wanted else set())


EVERYTHING = {
    "conditions.augmentation": {"augment": {"crop_padding": 1}},
    "sharpness.view": ["augmented", "clean"],
    "sharpness.hessian": {},
    "sharpness.landscape": {},
    "sharpness.interpolation": {"lines": [["initial", "baseline"]]},
}


@pytest.mark.parametrize("key", ["on", True])
def test_initial_weights_and_augmented_views_are_measured_where_they_differ(project, key):
    """A bare ``on`` is a boolean to YAML 1.1; both spellings mean the same."""
    study = study_with(EVERYTHING)
    study["sharpness"][key] = ["final", "initial"]
    planned, made = jobs_and_files(project.study_file(study), project.folder)
    # 3 conditions and the initial weights, of which 1 and the initial weights have two views
    assert planned["sharpness"] == 4 + 2
    assert planned["landscape"] == planned["hessian"] == (4 + 2) * 2
    assert planned["interpolate"] == 2
    # Nothing of it is published, swept, cut along eigenvectors, or asked to predict the gap.
    drawn = {Path(file).name for file in made if file.startswith("figures/digits/resnet18/")}
    wanted = {*FIGURES} - {"agreement", "sweep", "landscape_eigenvectors", "gap_prediction"}
    wanted -= ALONG
    wanted = {f"{name}.{end}" for name in wanted for end in ("svg", "pdf")}
    assert drawn == wanted | {"landscape.html"}


@pytest.mark.parametrize("at_hand", ["cifar-10-python.tar.gz", "cifar-10-batches-py/x", None])
def test_an_official_archive_is_downloaded_only_where_it_is_not_at_hand(project, at_hand):
    if at_hand:
        path = project.folder / "data" / at_hand
        path.parent.mkdir(parents=True)
        path.touch()
    study = study_with({"datasets": {"cifar10": {"source": "cifar10"}}})
    assert project.planned(study).get("download", 0) == (0 if at_hand else 1)


def test_a_run_on_a_cluster_is_planned_where_there_is_no_slurm(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "which"):
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    result = project.run(STUDY, "--profile", str(ROOT / "profiles" / "slurm"), "--dry-run")
    assert result.returncode == 0, result.stdout
    groups = re.findall(r"Group job (measures-\S+)", result.stdout)
    # Small as it is, all families share a job of each condition.
    assert sorted(groups) == [f"measures-digits-resnet18-{name}" for name in STUDY["conditions"]]


def test_planning_imports_nothing_heavy(project: Project, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPROFILEIMPORTTIME", "1")
        result = project.run(STUDY, "--dry-run")
    assert result.returncode == 0
    ours = re.findall(r"^import time:.*\| +(minimascope[\w.]*)$", result.stdout, flags=re.MULTILINE)
    assert "minimascope.study.study" in ours
    # Alone, since Snakemake's plugin for Slurm imports pandas.
    command = f"import {', '.join(ours)}, sys; print(*sys.modules)"
    imported = subprocess.check_output(
        [sys.executable, "-c", command], cwd=ROOT / "scripts", text=True
    )
    assert not HEAVY & set(imported.split())


def test_the_rule_graph_names_every_rule_below_what_it_needs(project: Project):
    graph = project.run(STUDY, "--quiet", "all", "--forceall", "--rulegraph")
    assert graph.returncode == 0, graph.stdout
    drawing = project.folder / "rule_graph.svg"
    run_tool("rule_graph", drawing, input=graph.stdout, check=True)
    assert ElementTree.parse(drawing).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    # The letters are drawn as paths; matplotlib keeps each text as a comment.
    text = drawing.read_text(encoding="utf-8")
    heights = dict(re.findall(r"<!-- ([\w-]+) -->\s*<g [^>]*translate\(\S+ ([\d.]+)\)", text))
    assert sorted(heights) == sorted(["all", *project.planned(STUDY)])
    names = dict(re.findall(r'(\d+)\[label = "([\w-]+)"', graph.stdout))
    for first, then in re.findall(r"(\d+) -> (\d+)", graph.stdout):
        assert float(heights[names[first]]) < float(heights[names[then]])


def test_the_workflow_passes_snakemakes_linter(tmp_path: Path):
    checkout = copy_workflow(tmp_path / "checkout")
    command = [sys.executable, "-m", "snakemake", "--lint"]
    result = subprocess.run(
        command, cwd=checkout, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert result.returncode == 0, result.stdout


def test_a_study_without_a_name_is_not_taken_for_the_default_one(tmp_path: Path):
    # In the repository's own folder, where the default study would be at hand to complete it.
    checkout = copy_workflow(tmp_path / "checkout")
    study = {key: value for key, value in STUDY.items() if key != "study"}
    result = Project(checkout, checkout).run(study, "--dry-run")
    assert result.returncode == 1
    assert "'study' is missing; add it" in result.stdout


def test_the_default_study_is_planned_from_any_folder(tmp_path: Path):
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    for override, name in ([], "digits"), (["--config", "study=other"], "other"):
        result = subprocess.run(
            [*command, "--dry-run", *override], cwd=tmp_path, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
        assert f"results/{name}/tables/main.md" in result.stdout


def test_an_installed_library_that_jobs_would_take_for_the_checkouts_own_is_refused(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    site = Path(sysconfig.get_path("purelib", "posix_user", {"userbase": str(tmp_path)}))
    (site / "minimascope").mkdir(parents=True)
    monkeypatch.setenv("PYTHONUSERBASE", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(site))
    result = project.run(STUDY, "--dry-run")
    assert result.returncode == 1
    assert f"error: {site}: jobs would import the minimascope" in result.stdout


@pytest.mark.parametrize("subject", ["digit/resnet18/", "digits/resnet/", "digit/"])
def test_a_figure_of_what_is_not_in_the_study_is_refused(project: Project, subject: str):
    figure = f"results/small/figures/{subject}conditions.svg"
    result = project.run(STUDY, "--dry-run", "--", figure)
    assert result.returncode == 1
    assert f"No rule to produce {figure}" in result.stdout
